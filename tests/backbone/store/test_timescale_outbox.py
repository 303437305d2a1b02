"""How changes go into the outbox of TimescaleDB: few small ones as parameters, all others beside the event loop."""

from __future__ import annotations

import pyarrow as pa
import pytest

from backbone.domain.dimension import Dimension
from backbone.store.payloads import Origin, Payload
from backbone.store.timescale.copying import Bytes, Field, Rows
from backbone.store.timescale.few import FEW_ROWS
from backbone.store.timescale.outbox import batch_of

ORIGIN = Origin(source="csv", ingest_id="chunk", revision=7, ingested_at_us=0)


@pytest.mark.parametrize(
    ("count", "size", "few"),
    [
        (1, 100, True),
        (FEW_ROWS, 1000, True),
        (FEW_ROWS + 1, 1000, False),
        (FEW_ROWS, 40_000, False),
        (1, 500_000, False),
    ],
)
def test_only_what_is_few_and_small_is_put_together_on_the_loop(count: int, size: int, few: bool) -> None:
    payloads = [Payload(f"event-{n}", f"S{n}", 1, bytes(size), 0) for n in range(count)]
    assert batch_of(Dimension.QUOTES, payloads, ORIGIN).few is few


def test_payloads_are_not_copied_to_lay_them_out() -> None:
    payloads = [Payload(f"event-{n}", f"S{n}", 1, bytes(1_000_000), 0) for n in range(20)]
    before = pa.total_allocated_bytes()
    batch = batch_of(Dimension.QUOTES, payloads, ORIGIN)
    assert pa.total_allocated_bytes() - before < 1_000_000
    assert batch.count == 20


@pytest.mark.parametrize("size", [0, 1, 5000])
def test_bytes_are_encoded_as_a_column_of_arrow_is(size: int) -> None:
    values = [bytes([n % 256]) * (size + n) for n in range(300)]
    numbers = Field("n", pa.array(range(300), pa.int64()))
    given, arrow = (
        Rows((numbers, Field("payload", column)), 300, 100_000) for column in (Bytes(values), pa.array(values))
    )
    assert [*given.pieces()] == [*arrow.pieces()]
    assert given.columns == arrow.columns
