"""Rows that are sent again: all of them once, in order, marked; a killed replay goes on with what was not sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backbone import Backbone, Dimension, Frame, Unsupported
from backbone.domain import decode
from backbone.ingest import replaying
from backbone.ingest.messages import ReplayReport, ReplayRows
from backbone.ingest.replaying import Replay
from backbone.stream.errors import StreamUnavailable
from backbone.stream.kafka.wire import Replayed, decoded
from backbone.stream.sink import Outgoing
from backbone.testing import embedded

START = datetime(2026, 1, 5, tzinfo=UTC)
NOW = datetime(2026, 2, 1, tzinfo=UTC)


def quotes(count: int, symbol: str = "EURUSD", *, step: timedelta = timedelta(minutes=7)) -> Frame:
    rows = [
        {"symbol": symbol, "ts": START + n * step, "sequence": n, "bid": 1.0 + n / 1000, "ask": 1.1 + n / 1000}
        for n in range(count)
    ]
    return Frame.from_records(Dimension.QUOTES, rows)


class Topic:
    """What was sent, until it breaks."""

    def __init__(self) -> None:
        self.records: list[Outgoing] = []
        self.names: set[str] = set()
        self.fails_at: int | None = None

    async def take(self, topic: str, records: Sequence[Outgoing], rows: int) -> None:
        self.names.add(topic)
        for record in records:
            if self.fails_at is not None and len(self.records) >= self.fails_at:
                raise StreamUnavailable("the broker is gone")
            self.records.append(record)

    @property
    def rows(self) -> Frame:
        return Frame.concat([decode(record.value or b"") for record in self.records])

    def header(self, name: str) -> list[bytes]:
        return [dict(record.headers)[name] or b"" for record in self.records]


async def replay(backbone: Backbone, topic: Topic, **asked: Any) -> ReplayReport:
    request = ReplayRows(Dimension.QUOTES, **asked)
    store = backbone.system.find(f"{backbone.path}/store")

    async def ask(question: Any) -> Any:
        return await store.ask(question, 10.0)

    work = Replay(request, "backbone.quotes", ask, topic.take, 512 * 1024)
    await work.begin(NOW)
    while await work.step():
        pass
    return work.report(NOW, "hash")


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "_ROWS", 20)


async def test_all_stored_rows_are_sent_once_in_order_and_say_that_they_are_a_replay() -> None:
    topic = Topic()
    async with embedded() as backbone:
        for symbol in ("EURUSD", "GBPUSD"):
            await backbone.record(quotes(200, symbol))
        report = await replay(backbone, topic)
        stored = await backbone.fetch("quotes")
    assert topic.rows.canonical_bytes() == stored.canonical_bytes()
    assert sum(int(count) for count in topic.header("rows")) == report.rows == 400
    assert len(set(topic.header("event_id"))) == len(topic.records) == report.records > 2
    assert set(topic.header("backfill")) == {b"true"}
    for symbol in stored.symbols:
        moments = [decode(each.value or b"").start for each in topic.records if each.key == symbol.encode()]
        assert moments == sorted(moments)  # type: ignore[type-var]
    assert (report.symbols, report.run, report.resumed) == (("EURUSD", "GBPUSD"), 1, False)
    assert (report.span_start, report.span_end) == (stored.start, stored.end)
    assert report.freshness_s == (NOW - report.span_end).total_seconds()  # type: ignore[operator]


async def test_readers_of_ours_know_a_replay_for_one() -> None:
    topic = Topic()
    async with embedded() as backbone:
        await backbone.record(quotes(3))
        await replay(backbone, topic)
        position = (await backbone.outbox()).newest
    (record,) = topic.records
    assert decoded("backbone.quotes", 0, 0, record.key, record.value, record.headers) == Replayed(1, position)


async def test_a_second_run_is_marked_and_has_other_event_ids() -> None:
    first, second = Topic(), Topic()
    async with embedded() as backbone:
        await backbone.record(quotes(50))
        await replay(backbone, first)
        report = await replay(backbone, second)
    assert (report.run, report.resumed, report.rows) == (2, False, 50)
    assert set(second.header("replay")) == {b"2"}
    assert not set(first.header("event_id")) & set(second.header("event_id"))


@pytest.mark.parametrize("fails_at", range(1, 12, 2))
async def test_a_replay_that_was_cut_off_goes_on_and_what_comes_twice_has_the_same_event_id(fails_at: int) -> None:
    whole, cut = Topic(), Topic()
    async with embedded() as backbone:
        for symbol in ("EURUSD", "GBPUSD"):
            await backbone.record(quotes(100, symbol))
        cut.fails_at = fails_at
        with pytest.raises(StreamUnavailable):
            await replay(backbone, cut)
        cut.fails_at = None
        report = await replay(backbone, cut)
        await backbone.record(quotes(1, "USDJPY"))  # changes what is stored, and with it no more what was asked
        stored = await backbone.fetch("quotes", symbols=["EURUSD", "GBPUSD"])
    assert report.resumed
    assert report.run == 1
    by_event = {dict(record.headers)["event_id"]: record for record in cut.records}
    whole.records = list(by_event.values())
    assert whole.rows.canonical_bytes() == stored.canonical_bytes()
    assert sum(decode(record.value or b"").num_rows for record in whole.records) == stored.num_rows


async def test_limit_means_the_newest_and_a_span_and_symbols_choose() -> None:
    newest, chosen = Topic(), Topic()
    async with embedded() as backbone:
        for symbol in ("EURUSD", "GBPUSD"):
            await backbone.record(quotes(40, symbol))
        await replay(backbone, newest, limit=3, symbols=("eurusd",))
        await replay(backbone, chosen, symbols=("GBPUSD",), start=START, end=START + timedelta(minutes=70))
    assert [row["sequence"] for row in newest.rows.to_arrow().to_pylist()] == [37, 38, 39]
    assert newest.rows.symbols == ("EURUSD",)
    assert (chosen.rows.symbols, chosen.rows.num_rows) == (("GBPUSD",), 11)
    assert b'"limit": 3' in newest.header("requested_filters")[0]


async def test_many_rows_of_one_moment_are_sent_together() -> None:
    topic = Topic()
    async with embedded() as backbone:
        await backbone.record(quotes(70, step=timedelta(0)))
        report = await replay(backbone, topic)
    assert (report.rows, topic.rows.num_rows) == (70, 70)


async def test_nothing_stored_is_nothing_sent_and_said_so() -> None:
    topic = Topic()
    async with embedded() as backbone:
        report = await replay(backbone, topic, symbols=("NOBODY",))
    assert (report.rows, report.records, report.freshness_s, topic.records) == (0, 0, None, [])


async def test_the_in_process_log_says_that_it_has_no_topics() -> None:
    async with embedded() as backbone:
        with pytest.raises(Unsupported, match=r"set stream\.backend=kafka"):
            await backbone.replay("quotes")


def test_more_rows_than_can_be_read_at_once_are_refused() -> None:
    with pytest.raises(ValueError, match="give a start instead"):
        ReplayRows(Dimension.QUOTES, limit=1_000_001)
