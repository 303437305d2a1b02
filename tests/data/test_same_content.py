"""Real prices come in by CSV, in whatever dialect, as they do from Parquet: the tables have one content hash.

The prices lie in a folder named data beside the checkout; without them there is nothing to do.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backbone import Dimension, IngestPlan
from backbone.testing import embedded
from tests.data.vendors import VENDORS

FOLDER = next((path.parent for path in Path(__file__).parents[3].glob("*/data/eurusd_quotes.parquet")), None)
FILES = {
    Dimension.INTRADAY_BARS: ("eurusd_1h.parquet", 74_439),
    Dimension.TRADES: ("us_trades.parquet", 2_793_812),
    Dimension.QUOTES: ("eurusd_quotes.parquet", 532_903),
}
pytestmark = pytest.mark.skipif(FOLDER is None, reason="needs the real prices beside the project")


@pytest.fixture(params=list(FILES))
def dimension(request: pytest.FixtureRequest) -> Dimension:
    return Dimension(request.param)


def plan(dimension: Dimension, path: Path, **options: object) -> IngestPlan:
    interval = {"interval": "1h"} if dimension.has_interval else {}
    symbol = {} if dimension is Dimension.TRADES else {"symbols": ["EURUSD"]}
    return IngestPlan(dimensions=[dimension], path=path, **interval, **symbol, **options)  # type: ignore[arg-type]


async def content(given: IngestPlan, rows: int, dialect: str | None) -> str:
    """The hash of the whole table, after all rows went in."""
    async with embedded() as backbone:
        run = await backbone.ingest(given)
        assert (run.rows_read, run.inserted) == (rows, rows)
        assert dialect is None or run.dialect == dialect
        return (await backbone.fetch(given.dimension, interval=given.interval)).fingerprint


def ours(path: Path) -> pa.Table:
    table = pq.read_table(path)
    return table.rename_columns(["venue" if name == "exchange" else name for name in table.column_names])


async def test_each_dialect_gives_the_content_that_parquet_gives(dimension: Dimension, tmp_path: Path) -> None:
    assert FOLDER is not None
    name, rows = FILES[dimension]
    table = ours(FOLDER / name)
    right = await content(plan(dimension, FOLDER / name, source="parquet"), rows, None)
    dialects = [dialect for dialect, vendor in VENDORS.items() if vendor.dimension is dimension]
    assert len(dialects) == 3
    for dialect in dialects:
        path = VENDORS[dialect].write(table, tmp_path / f"{dialect}.csv")
        assert await content(plan(dimension, path, **VENDORS[dialect].options), rows, dialect) == right, dialect
        path.unlink()
