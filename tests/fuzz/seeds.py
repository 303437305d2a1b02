"""What is damaged: payloads of every dimension in both versions, and files of every format."""

from __future__ import annotations

import base64
import gzip
import io
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from backbone import Dimension, Frame
from backbone.domain.codec import encode

__all__ = ["FORMATS", "PACKED", "files", "payloads"]

_START = datetime(2024, 1, 2, 10, tzinfo=UTC)
_TEXTS = ["SPY", "EURUSD", "日本", "x" * 300]
FORMATS = ("csv", "csv.gz", "csv.zip", "csv.zst", "parquet")


def _value(rng: Random, dimension: Dimension, name: str, row: int) -> Any:
    kind = dimension.kinds[name]
    if name == "interval":
        return rng.choice(["1h", "5m"])
    if kind == "string":
        return rng.choice(_TEXTS)
    if kind == "timestamp":
        start = _START.replace(hour=0) if dimension is Dimension.DAILY_BARS else _START
        return start + timedelta(days=row)
    return row if kind == "int64" else rng.choice([1.5, 100.25, None]) if name not in {"price", "close"} else 1.5


def _frame(dimension: Dimension, rows: int) -> Frame:
    rng = Random(f"{dimension} {rows}")
    return Frame.from_records(
        dimension,
        [{name: _value(rng, dimension, name, row) for name in dimension.kinds} for row in range(rows)],
    )


@cache
def payloads() -> tuple[bytes, ...]:
    """Encoded frames: of each dimension some sizes, and what former releases wrote."""
    ours = [encode(_frame(each, rows), {"event_id": "e" * 32}) for each in Dimension for rows in (0, 1, 7, 300)]
    former = json.loads((Path(__file__).parents[1] / "backbone" / "domain" / "version_1.json").read_text())
    return (*ours, *map(base64.b64decode, _texts_in(former)))


def _texts_in(kept: Any) -> list[str]:
    if isinstance(kept, str):
        return [kept] if len(kept) > 80 else []
    return [text for each in (kept.values() if isinstance(kept, dict) else kept) for text in _texts_in(each)]


@cache
def files(form: str) -> tuple[bytes, ...]:
    """Files of trades of a format."""
    frame = _frame(Dimension.TRADES, 200)
    if form == "parquet":
        return tuple(_parquet(frame.to_arrow(), **how) for how in _WAYS)
    text = frame.to_pandas().to_csv(index=False).encode()
    plain = (text, text.replace(b",", b";"), text.replace(b"SPY", b'"S""PY"'), text.replace(b"\n", b"\r\n"))
    return plain if form == "csv" else tuple(map(PACKED[form], plain))


def _zipped(text: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("trades.csv"), text, zipfile.ZIP_DEFLATED)
    return made.getvalue()


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "csv.gz": lambda text: gzip.compress(text, mtime=0),
    "csv.zip": _zipped,
    "csv.zst": lambda text: pa.Codec("zstd").compress(text, asbytes=True),
}


_WAYS: tuple[dict[str, Any], ...] = (
    {},
    {"compression": "zstd", "row_group_size": 50},
    {"use_dictionary": False, "compression": "none"},
    {"use_dictionary": False, "compression": "gzip", "column_encoding": {"venue": "DELTA_BYTE_ARRAY"}},
    {"data_page_version": "2.0", "store_schema": False},
)


def _parquet(table: pa.Table, **how: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **how)
    return sink.getvalue()
