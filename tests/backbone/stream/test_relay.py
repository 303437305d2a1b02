"""The relay: what it does in which order, and what it keeps where something is down; on the virtual clock."""

from __future__ import annotations

import anyio
import msgspec
import pytest

from actors import Actor, ActorCrashed, ActorRef, AskRejected, ChildSpec, Health, Reject, handles
from backbone.cache.messages import ForgetWindows, Invalidate
from backbone.domain.dimension import Dimension
from backbone.stream.errors import StreamClosed, StreamUnavailable
from backbone.stream.messages import ProbeStream
from backbone.stream.relay import RelayActor
from tests.backbone.facade.kit import BARS
from tests.backbone.stream.kit import House, house, row

QUOTES = Dimension.QUOTES
OUTAGE = "no broker at kafka:9092"


async def relaying(made: House, **options: object) -> ActorRef:
    return await made.start("relay", RelayActor, poll_interval=3600, **options)


def health(made: House) -> Health:
    entry = made.system.roster().find("/test/relay")
    assert entry is not None
    return entry.health


async def test_the_cache_forgets_before_anything_is_published_and_the_cursor_moves_last() -> None:
    async with house() as made:
        made.stream.gate = anyio.Event()
        await relaying(made)
        made.commit(row(1))
        await made.cache.expect(Invalidate)
        await anyio.sleep(1)
        assert (len(made.stream.tried), made.stream.sent, made.outbox.advanced()) == (1, [], [])
        made.stream.gate.set()
        await made.outbox.published(1)
        assert (made.stream.sent, made.outbox.advanced()) == ([[1]], [1])


class Hesitating(Actor):
    """A cache that acknowledges when it is told to, or refuses."""

    def __init__(self, gate: anyio.Event, asked: list[Invalidate]) -> None:
        self._gate = gate
        self._asked = asked

    @handles
    async def invalidate(self, message: Invalidate) -> None:
        self._asked.append(message)
        if not self._gate.is_set():
            await self._gate.wait()


async def with_cache(made: House, kind: type[Actor], *args: object) -> None:
    await made.system.terminate_child("cache")
    await made.system.delete_child("cache")
    await made.system.start_child(ChildSpec("cache", kind, args=args))


async def test_nothing_is_published_until_the_cache_has_acknowledged() -> None:
    async with house() as made:
        gate, asked = anyio.Event(), list[Invalidate]()
        await with_cache(made, Hesitating, gate, asked)
        await relaying(made)
        made.commit(row(1))
        await anyio.sleep(5)
        assert (len(asked), made.stream.tried) == (1, [])
        gate.set()
        await made.outbox.published(1)
        assert made.stream.sent == [[1]]


async def test_a_cache_that_does_not_acknowledge_holds_up_what_it_might_serve_stale() -> None:
    async with house() as made:
        gate, asked = anyio.Event(), list[Invalidate]()
        await with_cache(made, Hesitating, gate, asked)
        await relaying(made, timeout=1.0)
        made.commit(row(1))
        await anyio.sleep(1.05)
        now = health(made)
        assert (now.level, made.stream.tried) == ("degraded", [])
        assert now.why.startswith("cache: ")
        assert "nothing is lost" in now.next
        gate.set()
        await made.outbox.published(1)


class Refusing(Actor):
    @handles
    def invalidate(self, message: Invalidate) -> None:
        raise Reject("cache", "redis did not take it")


async def test_a_cache_that_refuses_holds_up_and_one_that_is_not_there_does_not() -> None:
    async with house() as made:
        await with_cache(made, Refusing)
        await relaying(made)
        made.commit(row(1))
        await anyio.sleep(1)
        assert health(made).why == "cache: redis did not take it"
        assert made.stream.tried == []
        await made.system.terminate_child("cache")
        await made.outbox.published(1)
        assert made.stream.sent == [[1]]


async def test_one_request_tells_the_cache_of_all_dimensions_of_a_batch_and_their_newest_positions() -> None:
    async with house() as made:
        made.outbox.rows = [
            row(1, "A"),
            row(2, "B"),
            row(3, "A"),
            msgspec.structs.replace(row(4, "A"), dimension=QUOTES),
        ]
        await relaying(made)
        await made.outbox.published(4)
        asked = [each for each in made.cache.messages if isinstance(each, Invalidate)]
        assert [each.positions for each in asked] == [{BARS: {"A": 3, "B": 2}, QUOTES: {"A": 4}}]


async def test_a_crash_in_publish_leaves_the_cursor_and_sends_the_rows_again() -> None:
    async with house() as made:
        made.stream.failing = [RuntimeError("a bug in the client")]
        made.stream.gate = anyio.Event()
        await relaying(made)
        made.commit(row(1), row(2))
        await anyio.sleep(5)
        assert len(made.system.recorded(ActorCrashed)) == 1
        assert (len(made.stream.tried), made.stream.sent, made.outbox.advanced()) == (2, [], [])
        made.stream.gate.set()
        await made.outbox.published(2)
        assert (made.stream.sent, made.outbox.advanced()) == ([[1, 2]], [2])


async def test_a_cursor_that_could_not_be_moved_is_moved_later_and_what_was_published_is_not_sent_again() -> None:
    async with house() as made:
        subscriber = made.stream.inner.subscriber()
        await subscriber.open()
        cursor = await subscriber.cursor(after="latest")
        made.outbox.refuse_advance = 3
        await relaying(made)
        made.commit(row(1), row(2))
        await made.outbox.published(2)
        assert made.stream.sent == [[1, 2]]
        assert [each.position for each in await cursor.poll(timeout=0)] == [1, 2]


async def test_a_role_that_only_reads_asks_seldom_to_move_the_cursor_and_moves_it_once_it_may() -> None:
    async with house() as made:
        made.outbox.reads_only = True
        await relaying(made)
        for position in range(1, 11):
            made.commit(row(position))
            await anyio.sleep(30)
        assert (made.stream.sent[-1], made.outbox.cursor) == ([10], 0)
        assert len(made.outbox.advanced()) == 5
        made.outbox.reads_only = False
        await made.outbox.published(10)
        made.commit(row(11))
        await made.outbox.published(11)
        assert len(made.stream.sent) == 11


async def test_a_stream_that_is_down_is_told_of_kept_up_with_and_caught_up_with() -> None:
    async with house() as made:
        await relaying(made)
        made.stream.failing = [StreamUnavailable(OUTAGE) for _ in range(14)]
        began = anyio.current_time()
        made.commit(row(1))
        await anyio.sleep(0.05)
        first = health(made)
        assert (first.level, first.why) == ("failed", f"stream: {OUTAGE}")
        assert "tries again at least every 1 s; nothing is lost" in first.next
        for position in range(2, 700):
            made.commit(row(position, payload=b""))
        await anyio.sleep(10)
        later = health(made)
        assert (later.level, later.since, made.outbox.cursor) == ("failed", first.since, 0)
        await made.outbox.published(699)
        assert [position for batch in made.stream.sent for position in batch] == list(range(1, 700))
        await anyio.sleep(0.01)
        assert health(made).level == "ok"
        pauses = [round(b - a, 2) for a, b in zip([began, *made.stream.tried], made.stream.tried, strict=False)][1:15]
        assert pauses == [0.1, 0.2, 0.4, 0.8] + [1.0] * 10


async def test_after_an_outage_the_next_one_is_met_with_short_pauses_again() -> None:
    async with house() as made:
        await relaying(made)
        for position in (1, 2):
            made.stream.tried.clear()
            made.stream.failing = [StreamUnavailable(OUTAGE) for _ in range(3)]
            made.commit(row(position))
            await made.outbox.published(position)
            await anyio.sleep(0.01)
            assert made.stream.tried[-1] - made.stream.tried[0] < 0.8


@pytest.mark.parametrize("error", [StreamUnavailable(OUTAGE), StreamClosed("fenced by another")])
async def test_a_publisher_that_failed_is_abandoned_for_a_new_one(error: Exception) -> None:
    async with house() as made:
        await relaying(made)
        made.stream.failing = [error]
        made.commit(row(1))
        await made.outbox.published(1)
        assert made.stream.publishers == 2


async def test_after_an_outage_it_goes_on_at_its_own_cursor_wherever_another_process_moved_the_stored_one() -> None:
    async with house() as made:
        await relaying(made)
        made.stream.failing = [StreamUnavailable(OUTAGE)]
        made.commit(row(1), row(2))
        await anyio.sleep(0.05)
        made.outbox.move(2)
        await anyio.sleep(1)
        assert made.stream.sent == [[1, 2]]


async def test_after_a_crash_the_cache_forgets_what_another_process_may_have_relayed_meanwhile() -> None:
    async with house() as made:
        made.stream.failing = [RuntimeError("a bug in the client")]
        await relaying(made)
        made.commit(row(1))
        await made.cache.expect(ForgetWindows)
        assert len(made.system.recorded(ActorCrashed)) == 1
        await made.outbox.published(1)
    async with house() as made:
        await relaying(made)
        made.commit(row(1))
        await made.outbox.published(1)
        assert not any(isinstance(each, ForgetWindows) for each in made.cache.messages)


@pytest.mark.parametrize("error", [StreamUnavailable("no broker"), RuntimeError("a bug of the adapter")])
async def test_a_publisher_that_did_not_open_is_closed_whatever_it_met(error: Exception) -> None:
    async with house() as made:
        await relaying(made)
        made.stream.failing, made.stream.opening = [StreamUnavailable("no broker")], [error]
        made.commit(row(1))
        await made.outbox.published(1)
        assert (made.stream.publishers, len(made.stream.clients)) == (3, 1)


async def test_a_publisher_that_hangs_is_given_up_and_one_that_can_not_be_opened_is_tried_again() -> None:
    async with house() as made:
        await relaying(made, timeout=3.0)
        made.stream.hang = True
        made.commit(row(1))
        await anyio.sleep(3.01)
        assert health(made).why == "stream: no answer within 3 s, it did not publish"
        made.stream.hang = False
        await made.outbox.published(1)
        assert made.system.recorded(ActorCrashed) == []


async def test_a_store_that_is_down_degrades_and_is_tried_again_without_a_hint() -> None:
    async with house() as made:
        made.outbox.down = "no room"
        await relaying(made)
        made.outbox.rows = [row(1)]
        await anyio.sleep(5)
        assert (health(made).level, health(made).why) == ("degraded", "store: no room")
        made.outbox.down = None
        began = anyio.current_time()
        await made.outbox.published(1)
        assert anyio.current_time() - began <= 2.1


async def test_a_probe_is_answered_and_a_stop_is_prompt_while_a_publish_hangs() -> None:
    async with house() as made:
        relay = await relaying(made)
        made.stream.hang = True
        made.commit(row(1))
        await anyio.sleep(0.1)
        assert (await relay.ask(ProbeStream())).healthy
        began = anyio.current_time()
        await made.system.terminate_child("relay")
        assert anyio.current_time() - began < 1


async def test_while_there_is_no_publisher_a_probe_is_refused_with_the_reason() -> None:
    async with house() as made:
        relay = await relaying(made)
        made.stream.failing = [StreamUnavailable(OUTAGE)]
        made.commit(row(1))
        await anyio.sleep(0.05)
        with pytest.raises(AskRejected, match=OUTAGE) as refused:
            await relay.ask(ProbeStream())
        assert refused.value.code == "stream_unavailable"


async def test_what_an_earlier_process_left_is_published_at_the_start() -> None:
    async with house() as made:
        made.outbox.rows = [row(n) for n in range(1, 5)]
        made.outbox.cursor = 2
        await relaying(made)
        await made.outbox.published(4)
        assert made.stream.sent == [[3, 4]]


async def test_whoever_watches_is_told_of_each_batch_and_probe_and_how_it_ended() -> None:
    seen: list[tuple[str, float, str]] = []
    async with house() as made:
        relay = await relaying(made, observe=lambda *told: seen.append(told))
        made.stream.failing = [StreamUnavailable(OUTAGE)]
        made.commit(row(1))
        await made.outbox.published(1)
        await relay.ask(ProbeStream())
        await anyio.sleep(0.1)
    told = [(what, outcome) for what, _, outcome in seen]
    assert told == [("publish", "refused:stream_unavailable"), ("publish", "ok"), ("ProbeStream", "ok")]
    assert all(seconds >= 0 for _, seconds, _ in seen)
    assert made.outbox.advanced() == [1]
