"""Figures that are revised: a chunk may say since when its values are known, and a read as of a moment goes by that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backbone.domain import Dimension, Frame
from backbone.domain.identifiers import ingest_id
from backbone.store.port import Store
from backbone.store.records import Chunk, Query, WriteResult

MACRO = Dimension.MACRO_EVENTS
FIRST = datetime(1990, 1, 1, tzinfo=UTC)
SAID = [datetime(2020, month, 14, 13, 30, tzinfo=UTC) for month in (1, 2, 3)]


def figures(values: list[float], since: int = 0) -> Frame:
    rows = [
        {"calendar": "CPI", "event": "CPI", "ts": FIRST + timedelta(days=31 * (since + n)), "actual": value}
        for n, value in enumerate(values)
    ]
    return Frame.from_records(MACRO, rows)


async def say(store: Store, frame: Frame, known_at: datetime | None, run: str) -> WriteResult:
    return await store.write(Chunk(ingest_id("fred", frame), run, "fred", frame, known_at=known_at))


@pytest.mark.parametrize("rows", [2, 3000])
async def test_a_read_as_of_a_moment_gives_what_was_known_then(store: Store, rows: int) -> None:
    early, revised = figures([1.0] * rows), figures([2.0] * (rows // 2))
    await say(store, early, SAID[0], "a")
    result = await say(store, revised, SAID[1], "b")
    assert (result.inserted, result.changed) == (0, rows // 2)
    await say(store, figures([3.0], rows), SAID[2], "c")
    both = Frame.concat([early, revised])
    for moment, known in (
        (SAID[0] - timedelta(microseconds=1), Frame.empty(MACRO)),
        (SAID[0], early),
        (SAID[1] - timedelta(microseconds=1), early),
        (SAID[1], both),
        (SAID[2], Frame.concat([both, figures([3.0], rows)])),
    ):
        assert (await store.read(Query(MACRO, as_of=moment))).frame == known
        assert (await store.read(Query(MACRO, ("CPI",), limit=1, as_of=moment))).frame == known.newest(1)
    assert (await store.read(Query(MACRO))).frame == Frame.concat([both, figures([3.0], rows)])


async def test_what_is_published_of_it_is_as_new_as_its_commit(store: Store) -> None:
    before = datetime.now(UTC) - timedelta(days=1)
    await say(store, figures([1.0]), SAID[0], "a")
    await say(store, figures([2.0]), SAID[1], "b")
    rows = await store.read_outbox(0)
    assert len(rows) == 2
    assert all(row.created_at > before for row in rows)
    assert [row.executed_at > before for row in await store.journal(10)] == [True, True]


async def test_rows_that_say_no_moment_are_known_since_they_are_stored(store: Store) -> None:
    await say(store, figures([1.0]), SAID[0], "a")
    await say(store, figures([2.0]), None, "b")
    assert (await store.read(Query(MACRO, as_of=datetime(2025, 1, 1, tzinfo=UTC)))).frame == figures([1.0])
    assert (await store.read(Query(MACRO))).frame == figures([2.0])
