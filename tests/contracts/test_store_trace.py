"""What a store tells of how a row came to be as it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from backbone.domain import Dimension, Frame
from backbone.domain.identifiers import ingest_id
from backbone.store.port import Store
from backbone.store.records import Chunk, QuarantineRow

BARS = Dimension.INTRADAY_BARS
AT = datetime(2024, 1, 2, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)


def bar(close: float, symbol: str = "EURUSD", ts: datetime = AT) -> Frame:
    values = {"open": close, "high": close, "low": close, "close": close}
    return Frame.from_records(BARS, [{"symbol": symbol, "interval": "1h", "ts": ts, **values}])


async def write(store: Store, frame: Frame, source: str, run: str) -> None:
    await store.write(Chunk(ingest_id(source, frame), run, source, frame))


async def test_each_version_is_told_with_its_chunk_and_its_change(store: Store) -> None:
    await write(store, bar(1.1), "csv:/a.csv", "first")
    await write(store, bar(1.2), "csv:/b.csv", "second")
    await write(store, bar(1.2), "csv:/c.csv", "third, which changed nothing")
    await write(store, bar(9.9, ts=AT + HOUR), "csv:/b.csv", "another moment")
    trace = await store.trace(BARS, "EURUSD", AT)
    standing, former = trace.versions
    assert (standing.values["close"], standing.source, standing.replaced_at) == (1.2, "csv:/b.csv", None)
    assert (former.values["close"], former.source, former.replaced_at) == (1.1, "csv:/a.csv", standing.ingested_at)
    assert standing.values["ts"] == AT
    assert standing.values["volume"] is None
    assert standing.revision > former.revision
    assert {row.run_id for row in trace.journal} == {"first", "second"}
    assert {row.ingest_id for row in trace.journal} == {standing.ingest_id, former.ingest_id}
    newest, oldest = trace.published
    assert (newest.ingest_id, newest.revision) == (standing.ingest_id, standing.revision)
    assert (oldest.ingest_id, oldest.revision, oldest.rows) == (former.ingest_id, former.revision, 1)
    assert trace.position > newest.position > oldest.position
    events = [row.event_id for row in await store.read_outbox(0)]
    assert [oldest.event_id, newest.event_id] == events[:2]


async def test_changes_of_other_symbols_of_the_chunk_are_not_told(store: Store) -> None:
    await write(store, Frame.concat([bar(1.1), bar(150.0, "USDJPY")]), "csv:/a.csv", "run")
    [change] = (await store.trace(BARS, "EURUSD", AT)).published
    assert (change.rows, len(await store.read_outbox(0))) == (1, 2)


async def test_what_was_pruned_is_no_more_but_the_row_and_its_position_are(store: Store) -> None:
    await write(store, bar(1.1), "csv:/a.csv", "run")
    await store.advance("stream", 0, (await store.outbox_status()).newest, 1)
    await store.prune(outbox_before=datetime.now(UTC) + HOUR, dry_run=False)
    trace = await store.trace(BARS, "EURUSD", AT)
    assert len(trace.versions) == 1
    assert trace.published == ()
    assert trace.position > 0


async def test_of_what_is_not_stored_nothing_is_told(store: Store) -> None:
    await write(store, bar(1.1), "csv:/a.csv", "run")
    trace = await store.trace(BARS, "USDJPY", AT)
    assert (trace.versions, trace.journal, trace.published, trace.position) == ((), (), (), 0)
    assert (await store.trace(BARS, "EURUSD", AT + HOUR)).versions == ()


async def test_bad_rows_of_the_day_are_told_that_name_the_symbol_or_came_in_the_run(store: Store) -> None:
    await write(store, bar(1.1), "csv:/a.csv", "run")

    def bad(location: str, excerpt: str, run: str = "other", dimension: str = BARS.value) -> QuarantineRow:
        return QuarantineRow("csv:/a.csv", location, "has no price", excerpt, dimension, run, AT)

    near = [
        bad("a.csv:17", "02.01.2024 14:00,,,", "run"),
        bad("a.csv:18", "EURUSD;20240102 150000;x"),
        bad("EURUSD 1h 2024-01-02T16:00:00Z #0f", "open=0"),
    ]
    far = [
        bad("a.csv:19", "02.01.2024 14:00,,,"),
        bad("a.csv:20", "EURUSD;2024-01-03;x", "run"),
        bad("a.csv:21", "USDJPY;2024-01-02;x"),
        bad("a.csv:22", "EURUSD;2024-01-02;x", dimension="trades"),
    ]
    await store.quarantine(near + far)
    found = (await store.trace(BARS, "EURUSD", AT)).aside
    assert sorted(row.location for row in found) == sorted(row.location for row in near)


async def test_events_of_one_moment_are_all_told(store: Store) -> None:
    rows = [{"symbol": "AAPL", "ts": AT, "price": 1.0 + n, "size": 1.0} for n in range(3)]
    await write(store, Frame.from_records(Dimension.TRADES, rows), "feed", "run")
    trace = await store.trace(Dimension.TRADES, "AAPL", AT)
    assert sorted(each.values["sequence"] for each in trace.versions) == [0, 1, 2]
    assert len(trace.journal) == len(trace.published) == 1
