"""The newest row of each symbol, fed by an actor; on the virtual clock."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from msgspec.structs import replace

from actors import ActorCrashed
from backbone.domain import Frame, decode, encode
from backbone.domain.codec import CodecError
from backbone.store.records import OutboxRow
from backbone.stream.errors import StreamUnavailable
from backbone.stream.last import LastActor, Newest
from backbone.stream.letters import Message
from backbone.stream.port import Publisher
from backbone.stream.trim import newest_rows
from tests.backbone.facade.kit import BARS, bars
from tests.backbone.stream.kit import House, house, row


@asynccontextmanager
async def following(newest: Newest, *failing: Exception, **options: Any) -> AsyncIterator[tuple[House, Publisher]]:
    async with house(**options) as made:
        made.stream.failing = list(failing)
        await made.start("last", LastActor, newest)
        publisher = made.stream.inner.publisher()
        await publisher.open()
        await publisher.resume(0)
        yield made, publisher


def close(newest: Newest, symbol: str = "EURUSD") -> float | None:
    found = newest.row(BARS, symbol)
    return None if found is None else float(found["close"])


async def test_the_newest_change_of_each_symbol_stays() -> None:
    newest = Newest()
    async with following(newest) as (_, publisher):
        await anyio.sleep(1)
        assert close(newest) is None
        await publisher.publish([row(1, "A"), row(2, "B"), row(3, "A")])
        await anyio.sleep(0.01)
        assert (close(newest, "A"), close(newest, "B")) == (1.003, 1.002)
        assert newest.row(BARS, "A") is newest.row(BARS, "A")
        await publisher.publish([row(4, "A")])
        await anyio.sleep(0.01)
        assert close(newest, "A") == 1.004


async def test_what_came_while_the_stream_was_down_or_the_actor_fell_is_caught_up_with() -> None:
    newest = Newest()
    failing = [StreamUnavailable("no broker"), StreamUnavailable("no broker")]
    async with following(newest, *failing) as (made, publisher):
        await anyio.sleep(1)
        await publisher.publish([row(1, "A")])
        await anyio.sleep(0.01)
        assert close(newest, "A") == 1.001
        made.stream.failing = [RuntimeError("a bug in the client")]
        await publisher.publish([row(2, "A")])
        await anyio.sleep(1)
        assert close(newest, "A") == 1.002
        await publisher.publish([row(3, "B")])
        await anyio.sleep(1)
        assert close(newest, "B") == 1.003
        assert len(made.system.recorded(ActorCrashed)) == 1


async def test_what_the_stream_forgot_meanwhile_comes_from_the_outbox() -> None:
    newest = Newest()
    async with following(newest, capacity_bytes=1) as (made, publisher):
        await anyio.sleep(1)
        made.outbox.rows = [row(1, "A"), row(2, "B"), row(3, "C")]
        await publisher.publish(made.outbox.rows)
        await anyio.sleep(1)
        assert [close(newest, symbol) for symbol in "ABC"] == [1.001, 1.002, 1.003]


async def test_where_nobody_has_what_was_missed_it_goes_on_with_what_comes() -> None:
    newest = Newest()
    async with following(newest, capacity_bytes=1) as (made, publisher):
        await anyio.sleep(1)
        await publisher.publish([row(1, "A"), row(2, "B")])
        await anyio.sleep(1)
        await publisher.publish([row(3, "C")])
        await anyio.sleep(1)
        assert close(newest, "C") == 1.003
        assert made.system.recorded(ActorCrashed) == []


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(row(9, "A", payload=b"no frame"), id="no frame"),
        pytest.param(row(9, "A", payload=encode(bars(1, symbol="B"))), id="rows of another symbol"),
        pytest.param(row(9, "A", payload=encode(Frame.empty(BARS))), id="no rows"),
        pytest.param(row(9, "A", payload=encode(Frame.empty("quotes"))), id="another dimension"),
    ],
)
async def test_what_is_no_change_of_its_symbol_is_a_dead_letter_and_the_row_before_it_stays(given: OutboxRow) -> None:
    newest = Newest()
    async with following(newest, shared=True) as (made, publisher):
        await anyio.sleep(1)
        await publisher.publish([row(7, "A"), row(8, "B"), given])
        await made.outbox.kept(1)
        assert (close(newest, "A"), close(newest, "B")) == (1.007, 1.008)
        await publisher.publish([replace(given, position=10)])
        await made.outbox.kept(2)
        assert close(newest, "A") == 1.007
        assert [Message.unpacked(each.payload).value for each in made.outbox.letters] == 2 * [given.payload]
        await publisher.publish([row(11, "A")])
        await anyio.sleep(0.01)
        assert close(newest, "A") == 1.011


def test_a_large_change_is_cut_down_to_its_newest_rows() -> None:
    newest, large = Newest(), row(1, count=500)
    cut, checksum = newest_rows(large.payload, large.checksum)
    assert len(cut) < len(large.payload) / 5
    assert decode(cut, checksum) == decode(large.payload).newest(1)
    newest.put([large])
    assert newest.row(BARS, "EURUSD") == decode(large.payload).newest(1).to_arrow().to_pylist()[0]


@pytest.mark.parametrize("shared", [True, False])
async def test_large_changes_are_decoded_once_each_and_off_the_loop(
    monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    threads: list[int] = []

    def decoded(payload: bytes, checksum: int | None = None) -> Frame:
        threads.append(threading.get_ident())
        return decode(payload, checksum)

    monkeypatch.setattr("backbone.stream.readable.decode", decoded)
    monkeypatch.setattr("backbone.domain.codec.decode", decoded)
    newest = Newest()
    async with following(newest, shared=shared) as (_, publisher):
        await anyio.sleep(1)
        large = [row(n, symbol, count=1000) for n, symbol in enumerate("ABAB", 1)]
        await publisher.publish(large)
        await anyio.sleep(0.01)
        assert len(threads) == 2
        assert threading.get_ident() not in threads
        assert newest.row(BARS, "A") == decode(large[2].payload).newest(1).to_arrow().to_pylist()[0]
        threads.clear()
        await publisher.publish([row(5, "A")])
        await anyio.sleep(0.01)
        assert threads == [threading.get_ident()] * shared


def test_a_change_that_is_no_frame_is_told_of_to_who_asks() -> None:
    newest = Newest()
    newest.put([row(1, payload=b"no frame" * 1000)])
    with pytest.raises(CodecError):
        newest.row(BARS, "EURUSD")
