"""Random histories against a dictionary: what is stored, what is counted and what is published agree with it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from backbone.domain import Dimension, Frame, codec
from backbone.domain.identifiers import ingest_id, new_run_id
from backbone.store.duckdb import DuckDBStore
from backbone.store.records import Chunk, Query

DAY = datetime(2024, 1, 1, tzinfo=UTC)
BARS = Dimension.INTRADAY_BARS
Key = tuple[str, str, int]

KEYS = st.tuples(st.sampled_from("AB"), st.sampled_from(["1m", "1h"]), st.integers(0, 6))
CHUNKS = st.dictionaries(KEYS, st.sampled_from([None, 1.0, 2.0]), max_size=12)


def frame_of(rows: dict[Key, float | None]) -> Frame:
    records = [
        {"symbol": symbol, "interval": interval, "ts": DAY + timedelta(hours=hour), "close": close}
        for (symbol, interval, hour), close in rows.items()
    ]
    return Frame.from_records(BARS, records) if records else Frame.empty(BARS)


def test_any_history_of_chunks_ends_where_a_dictionary_would() -> None:
    """An integer in a history repeats an earlier chunk of it. One store serves all, emptied before each."""
    store = DuckDBStore(":memory:", inline=True, max_payload_bytes=1500)

    @settings(max_examples=40, deadline=None, derandomize=True)
    @given(st.lists(st.one_of(CHUNKS, st.integers(0, 3)), max_size=6))
    def play(history: list[dict[Key, float | None] | int]) -> None:
        asyncio.run(_play(store, history))

    asyncio.run(_opened(store))
    play()
    asyncio.run(store.close())


async def _opened(store: DuckDBStore) -> None:
    await store.open()
    await store.migrate()


async def _play(store: DuckDBStore, history: list[dict[Key, float | None] | int]) -> None:
    await store.drop(BARS, before=datetime(9999, 1, 1, tzinfo=UTC), dry_run=False)
    earlier = (await store.outbox_status()).newest
    model: dict[Key, float | None] = {}
    chunks: list[dict[Key, float | None]] = []
    for step in history:
        rows = step if isinstance(step, dict) else chunks[step] if step < len(chunks) else {}
        chunks.append(rows)
        frame = frame_of(rows)
        result = await store.write(Chunk(ingest_id("csv", frame), new_run_id(), "csv", frame))
        inserted = sum(key not in model for key in rows)
        changed = sum(key in model and model[key] != value for key, value in rows.items())
        assert (result.inserted, result.changed, result.rows) == (inserted, changed, len(rows))
        assert result.unchanged == len(rows) - inserted - changed
        model.update(rows)
    assert (await store.read(Query(BARS))).frame == frame_of(model)
    published = [codec.decode(row.payload) for row in await store.read_outbox(earlier, 10_000)]
    assert (Frame.concat(published) if published else Frame.empty(BARS)) == frame_of(model)
