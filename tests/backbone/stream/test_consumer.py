"""The consumer: one client for all, a place for each, and the outbox behind the stream; on the virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio.lowlevel
import msgspec
import pytest

from actors import ActorCrashed, ActorDead, ActorRef, AskRejected, Health
from actors.testing.clock import VirtualLoop
from backbone.domain.dimension import Dimension
from backbone.domain.frame import Frame
from backbone.facade.subscription import Subscription
from backbone.store.errors import PositionLost
from backbone.stream.consumer import ConsumerActor
from backbone.stream.errors import StreamUnavailable
from backbone.stream.feed import Change
from backbone.stream.memory.window import Window
from backbone.stream.messages import LeaveStream, NextUpdates, Updates
from backbone.stream.port import Publisher
from backbone.stream.readable import frame_of
from backbone.stream.records import Place
from backbone.stream.relay import RelayActor
from backbone.stream.resume import Resume
from tests.backbone.facade.kit import BARS
from tests.backbone.stream.kit import House, house, row

OUTAGE = "no broker at kafka:9092"


class Consuming(House):
    """A house with a consumer, and with what publishes to it."""

    consumer: ActorRef
    publisher: Publisher

    async def publish(self, *positions: int, symbol: str = "EURUSD", published: bool = True) -> None:
        """Commit rows, and publish them."""
        rows = [row(position, symbol) for position in positions]
        self.outbox.rows += rows
        if published:
            await self.publisher.publish(rows)

    async def ask(self, after: Any, limit: int = 256, timeout: float = 0.0, name: str = "a", **of: Any) -> Updates:
        return await self.consumer.ask(NextUpdates(name, BARS, after=after, limit=limit, timeout=timeout, **of), 600)

    def health(self) -> Health:
        entry = self.system.roster().find("/test/consumer")
        assert entry is not None
        return entry.health

    def standing(self) -> dict[str, int]:
        """Where each subscription stands."""
        entry = self.system.roster(detail=True).find("/test/consumer")
        assert entry is not None
        assert entry.detail is not None
        return dict(entry.detail["subscriptions"])

    def subscription(self, start: Any = "latest", name: str = "mine") -> Subscription:
        return Subscription(self.calls, "consumer", name, BARS, (), start, lambda: None)


@asynccontextmanager
async def consuming(**options: Any) -> AsyncIterator[Consuming]:
    async with house(**options) as plain:
        made = Consuming(plain.system, plain.outbox, plain.stream)
        made.publisher = made.stream.inner.publisher()
        await made.publisher.open()
        made.consumer = await made.start("consumer", ConsumerActor)
        yield made


def positions(updates: Updates) -> list[int]:
    return [update.position for update in updates.items]


async def test_the_same_question_again_gets_the_same_rows_again() -> None:
    async with consuming() as made:
        await made.publish(1, 2, 3, 4)
        first = await made.ask(0, limit=2)
        assert positions(first) == [1, 2]
        assert positions(await made.ask(0, limit=2)) == [1, 2]
        second = await made.ask(first.place, limit=2)
        assert positions(second) == [3, 4]
        assert positions(await made.ask(first.place, limit=2)) == [3, 4]
        assert positions(await made.ask(second.place)) == []


async def test_others_get_their_turn_while_large_changes_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backbone.stream.consumer._AT_ONCE_BYTES", 1)
    turns, seen = 0, list[int]()

    def noted(change: Change) -> Frame:
        seen.append(turns)
        return frame_of(change)

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await anyio.lowlevel.checkpoint()

    monkeypatch.setattr("backbone.stream.consumer.frame_of", noted)
    async with consuming() as made, anyio.create_task_group() as group:
        await made.publish(1, 2, 3)
        group.start_soon(take_turns)
        assert positions(await made.ask(0)) == [1, 2, 3]
        group.cancel_scope.cancel()
    assert len(seen) == len({*seen}) == 3


async def test_who_stands_before_what_was_pruned_is_told_although_later_rows_are_left() -> None:
    async with consuming(capacity_bytes=1) as made:
        await made.publish(1, 2, 3, 4, 5)
        made.outbox.rows, made.outbox.pruned_to = made.outbox.rows[3:], 3
        with pytest.raises(AskRejected, match="position 2 given; log and outbox do not go back so far") as lost:
            await made.ask(2, name="late")
        assert lost.value.code == PositionLost.code
        assert positions(await made.ask(3, name="in time")) == [4]
        assert positions(await made.ask("earliest", name="whatever is left")) == [4]


@pytest.mark.parametrize("start", ["latest", "earliest"])
async def test_the_first_question_again_begins_where_it_began(start: str) -> None:
    async with consuming() as made:
        await made.publisher.resume(0)
        assert positions(await made.ask(start)) == []
        await made.publish(1, 2)
        assert positions(await made.ask(start)) == [1, 2]
        assert positions(await made.ask(start)) == [1, 2]


async def test_a_question_whose_asker_gave_up_takes_nothing_away_from_the_next() -> None:
    async with consuming() as made:
        first = await made.ask("latest")
        with anyio.move_on_after(1):
            await made.ask(first.place, timeout=100)
        await made.publish(1)
        assert positions(await made.ask(first.place, timeout=100)) == [1]


async def test_a_consumer_that_was_restarted_learns_from_the_question_where_each_one_stands() -> None:
    async with consuming() as made:
        await made.publish(1, 2, 3)
        first = await made.ask(0, limit=2)
        made.stream.failing = [RuntimeError("a bug in the client")]
        with pytest.raises(ActorDead):
            await made.ask(first.place)
        assert len(made.system.recorded(ActorCrashed)) == 1
        assert positions(await made.ask(first.place)) == [3]


async def test_one_client_serves_all_and_who_does_not_ask_holds_nobody_up() -> None:
    async with consuming() as made:
        slow = await made.ask("latest", name="slow")
        quick = await made.ask("latest", name="quick")
        for position in range(1, 1001):
            await made.publish(position)
            quick = await made.ask(quick.place, name="quick")
            assert positions(quick) == [position]
        seen: list[int] = []
        while len(seen) < 1000:
            slow = await made.ask(slow.place, name="slow")
            seen += positions(slow)
        assert seen == list(range(1, 1001))
        assert (made.stream.subscribers, len(made.stream.cursors)) == (1, 2)


async def test_who_waits_long_holds_up_neither_others_nor_a_stop() -> None:
    async with consuming() as made, anyio.create_task_group() as group:
        await made.ask("latest", name="other")
        group.start_soon(lambda: _until_refused(made))
        await anyio.sleep(1)
        began = anyio.current_time()
        await made.ask(Place(0), name="other")
        await made.system.terminate_child("consumer")
        assert anyio.current_time() - began < 1


async def _until_refused(made: Consuming) -> None:
    with pytest.raises(Exception, match=r"consumer|closed"):
        await made.ask("latest", name="waiting", timeout=500)


async def test_only_what_was_asked_for_is_handed_out() -> None:
    async with consuming() as made:
        await made.publish(1, 3, symbol="A")
        await made.publish(4, symbol="B")
        other = msgspec.structs.replace(row(5, "A"), dimension=Dimension.QUOTES)
        await made.publisher.publish([other])
        await made.publish(6, symbol="A")
        assert positions(await made.ask(0, symbols=("A",))) == [1, 3, 6]


async def test_what_the_stream_forgot_comes_from_the_outbox_and_all_the_rest_from_the_stream() -> None:
    async with consuming(capacity_bytes=1) as made:
        await made.publish(1, 2, symbol="A")
        await made.publish(3, symbol="B")
        await made.publish(4, 5, symbol="A")
        await made.publish(6, published=False, symbol="A")
        seen, place = list[int](), Place(0)
        for _ in range(10):
            answer = await made.ask(place, limit=2, symbols=("A",))
            seen, place = seen + positions(answer), answer.place
        assert seen == [1, 2, 4, 5]


async def test_what_is_committed_and_not_published_yet_is_not_handed_out_of_the_outbox() -> None:
    async with consuming() as made:
        await made.publish(1, 2, published=False)
        await made.publisher.resume(2)
        await made.publish(3, 4, published=False)
        answer = await made.ask(0)
        assert positions(answer) == [1, 2]
        assert positions(await made.ask(answer.place)) == []
        await made.publisher.publish(made.outbox.rows[2:])
        assert positions(await made.ask(answer.place)) == [3, 4]


async def test_what_neither_stream_nor_outbox_have_is_lost_and_the_earliest_is_what_is_left() -> None:
    async with consuming(capacity_bytes=1) as made:
        await made.publish(1, 2, 3)
        made.outbox.rows.clear()
        made.outbox.pruned_to = 3
        with pytest.raises(AskRejected, match="position 1 given; log and outbox do not go back so far") as lost:
            await made.ask(1, name="late")
        assert lost.value.code == PositionLost.code
        answer = await made.ask("earliest")
        answer = await made.ask(answer.place)
        assert positions(answer) == [3]
        await made.publish(4, 5)
        made.outbox.rows.clear()
        with pytest.raises(AskRejected, match="do not go back so far"):
            await made.ask(answer.place)


async def test_where_the_outbox_goes_on_with_what_the_stream_has_nothing_was_between_and_nothing_is_lost() -> None:
    async with consuming(capacity_bytes=1) as made:
        await made.publish(1, 2, 1_000_000)
        del made.outbox.rows[:2]  # numbers that a database never gave
        assert positions(await made.ask(0)) == []
        assert positions(await made.ask(0, name="again")) == []
        answer = await made.ask(0, name="third")
        assert positions(await made.ask(answer.place, name="third")) == [1_000_000]


async def test_a_stream_that_is_down_refuses_says_so_and_its_subscriber_goes_on() -> None:
    async with consuming() as made:
        await made.publisher.resume(0)
        mine = made.subscription()
        await mine.open()
        made.stream.failing = [StreamUnavailable(OUTAGE) for _ in range(5)]
        with pytest.raises(AskRejected, match=OUTAGE) as refused:
            await made.ask("latest", name="other")
        assert refused.value.code == "stream_unavailable"
        assert (made.health().level, made.health().why) == ("failed", OUTAGE)
        await made.publish(1)
        with anyio.fail_after(10):
            assert (await anext(mine)).position == 1
        assert made.health().level == "ok"
        assert made.system.recorded(ActorCrashed) == []
        await mine.close()


async def test_a_stream_that_is_down_when_somebody_subscribes_is_waited_for() -> None:
    async with consuming() as made:
        made.stream.failing = [StreamUnavailable(OUTAGE) for _ in range(4)]
        mine = made.subscription()
        with anyio.fail_after(10):
            await mine.open()
        await made.publish(1)
        assert (await anext(mine)).position == 1
        await mine.close()


async def test_a_client_that_did_not_open_is_closed_before_the_next_one_is_made() -> None:
    async with consuming() as made:
        before = len(made.stream.clients)
        made.stream.failing = [StreamUnavailable(OUTAGE) for _ in range(3)]
        mine = made.subscription()
        with anyio.fail_after(10):
            await mine.open()
        assert made.stream.subscribers > 2
        assert len(made.stream.clients) == before + 1
        await mine.close()


async def test_a_stream_that_is_silent_is_unavailable_not_waited_for_for_ever() -> None:
    async with consuming() as made:
        place = (await made.ask("latest")).place
        made.stream.hang = True
        with pytest.raises(AskRejected, match="did not poll within"):
            await made.ask(place)
        made.stream.hang = False
        await made.publish(1)
        assert positions(await made.ask(place)) == [1]


async def test_a_store_that_is_down_refuses_what_only_it_has_and_keeps_the_place() -> None:
    async with consuming(capacity_bytes=1) as made:
        await made.publish(1, 2, 3)
        made.outbox.down = "no room"
        with pytest.raises(AskRejected, match="no room") as refused:
            await made.ask(0)
        assert refused.value.code == "unavailable"
        made.outbox.down = None
        assert positions(await made.ask(0)) == [1, 2]


async def test_who_leaves_gives_the_cursor_back() -> None:
    async with consuming() as made:
        await made.ask("latest", name="a")
        await made.ask("latest", name="b")
        await made.consumer.tell(LeaveStream("a"))
        await made.consumer.tell(LeaveStream("never seen"))
        await made.ask(Place(0), name="b")
        assert len(made.stream.cursors) == 1


async def test_who_leaves_before_the_stream_is_open_leaves_nothing_behind() -> None:
    async with consuming() as made:
        made.stream.gate = anyio.Event()
        with anyio.move_on_after(1.0):
            await made.ask("latest", name="impatient")
        await made.consumer.tell(LeaveStream("impatient"))
        made.stream.gate.set()
        await made.ask("latest", name="patient")
        entry = made.system.roster(detail=True).find("/test/consumer")
        assert entry is not None
        assert (entry.detail or {})["subscriptions"] == {"patient": 0}
        assert len(made.stream.cursors) == 1


async def test_a_token_goes_on_behind_its_update_in_this_and_in_another_life_of_the_stream() -> None:
    async with consuming() as made:
        await made.publish(1, 2, 3)
        token = Resume.parse((await made.ask(0)).items[1].resume)
        assert (token.database, token.position) == ("database", 2)
        assert positions(await made.ask(token, name="same")) == [3]
        of_another = msgspec.structs.replace(token, stream="another", mark="0:99")
        assert positions(await made.ask(of_another, name="another")) == [3]


async def test_a_token_of_another_database_is_refused_whatever_its_position() -> None:
    """Its position says nothing of the changes here: those before it would be passed over."""
    async with consuming() as made:
        await made.publish(1, 2, 3)
        for position in (2, 4):
            with pytest.raises(
                AskRejected, match="token is of another database; subscribe from 'latest', then fetch"
            ) as lost:
                await made.ask(Resume("another", made.stream.subscriber().generation, position))
            assert lost.value.code == PositionLost.code


@pytest.mark.parametrize("start", [Resume("database", "before", 4), Resume("", "before", 4), 4])
async def test_who_was_further_than_a_restored_database_is_told_and_does_not_wait_for_it(start: Any) -> None:
    async with consuming() as made:
        await made.publish(1, 2, 3)
        with pytest.raises(AskRejected, match="position 4 given; this database has only come to 3") as lost:
            await made.ask(start)
        assert lost.value.code == PositionLost.code
        await made.publish(4, 5)
        assert positions(await made.ask(start, name="reached")) == [5]


async def test_a_standby_that_lags_is_waited_for_and_is_not_taken_for_a_restored_database() -> None:
    async with consuming() as made:
        await made.publish(1, 2, 3)
        made.outbox.standby = True
        with pytest.raises(AskRejected, match="standby that answers has only come to 3, and may lag") as told:
            await made.ask(4)
        assert told.value.code == StreamUnavailable.code
        await made.publish(4, 5)
        assert positions(await made.ask(4)) == [5]


async def test_a_store_that_says_no_generation_is_no_hindrance() -> None:
    async with consuming() as made:
        made.outbox.down = "no room"
        await made.publish(1)
        token = Resume.parse((await made.ask(0)).items[0].resume)
        assert (token.database, token.position) == ("", 1)
        made.outbox.down = None
        await made.publish(2)
        assert positions(await made.ask(token, name="b")) == [2]


async def test_a_payload_that_is_no_frame_is_refused_with_its_position() -> None:
    async with consuming() as made:
        await made.publisher.publish([row(1, payload=b"no frame")])
        with pytest.raises(AskRejected, match="the change at position 1 can't be read"):
            await made.ask(0)


async def test_a_payload_that_is_not_the_one_that_was_written_is_refused_by_its_checksum() -> None:
    async with consuming() as made:
        other = msgspec.structs.replace(row(1), payload=row(2).payload)
        await made.publisher.publish([other])
        with pytest.raises(AskRejected, match="the change at position 1 can't be read: damaged frame: the checksum"):
            await made.ask(0)


async def test_a_change_without_a_checksum_is_looked_at_value_by_value_and_handed_out() -> None:
    async with consuming() as made:
        await made.publisher.publish([msgspec.structs.replace(row(1), checksum=None)])
        assert positions(await made.ask(0)) == [1]


async def test_what_comes_before_a_payload_that_is_no_frame_is_handed_out_first() -> None:
    """Who does as the refusal says, and subscribes from a later position, has missed nothing but that one."""
    async with consuming() as made:
        await made.publish(1, 2)
        await made.publisher.publish([row(3, payload=b"no frame")])
        await made.publish(4)
        answer = await made.ask(0)
        assert positions(answer) == [1, 2]
        for _ in range(2):
            with pytest.raises(AskRejected, match="the change at position 3 can't be read"):
                await made.ask(answer.place)
        assert positions(await made.ask(3, name="later")) == [4]


async def test_whoever_watches_is_told_of_each_question_and_how_it_ended() -> None:
    seen: list[tuple[str, str]] = []
    async with consuming() as made:
        await made.system.terminate_child("consumer")
        await made.system.delete_child("consumer")
        made.consumer = await made.start(
            "consumer", ConsumerActor, observe=lambda what, seconds, outcome: seen.append((what, outcome))
        )
        place = (await made.ask("latest")).place
        made.stream.failing = [StreamUnavailable(OUTAGE)]
        with pytest.raises(AskRejected):
            await made.ask(place)
    assert seen == [("NextUpdates", "ok"), ("NextUpdates", "refused:stream_unavailable")]


async def test_the_roster_looks_at_no_record_however_far_subscribers_are_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with house() as made:
        consumer = await made.start("consumer", ConsumerActor)
        relay = await made.start("relay", RelayActor)
        for n in range(3):
            await consumer.ask(NextUpdates(f"slow {n}", BARS, after="earliest", timeout=0.0), 60)
        made.commit(*(row(n, payload=b"x") for n in range(1, 400)))
        await made.outbox.published(399)
        looked: list[int] = []

        def counted(self: Window[Any], index: int) -> Any:
            looked.append(index)
            return found(self, index)

        found = Window.__getitem__
        monkeypatch.setattr(Window, "__getitem__", counted)
        details = [made.system.roster(detail=True).find(ref.path) for ref in (consumer, relay)]
        assert [each.detail for each in details if each is not None][1] == {"cursor": 399, "published": 399}
        assert looked == []


async def test_a_thousand_that_wait_ask_seldom_and_the_store_not_at_all() -> None:
    async with consuming() as made:
        got: dict[str, int] = {}

        async def follow(name: str) -> None:
            async for update in made.subscription(0, name):
                got[name] = update.position

        async with anyio.create_task_group() as group:
            for n in range(1000):
                group.start_soon(follow, f"s{n}")
            await anyio.sleep(1)
            polls, asked = made.stream.polls, len(made.outbox.asked)
            await anyio.sleep(60)
            assert made.stream.polls - polls <= 3 * 1000
            assert len(made.outbox.asked) == asked
            await made.publish(1)
            await anyio.sleep(1)
            assert [*got.values()] == [1] * 1000
            group.cancel_scope.cancel()


async def test_who_waits_no_more_leaves_nobody_reading_for_it() -> None:
    async with consuming() as made:
        mine = made.subscription(0)
        with anyio.move_on_after(1) as scope:
            await anext(mine)
        assert scope.cancelled_caught
        await anyio.sleep(0.1)
        await made.publish(1, 2)
        await anyio.sleep(1)
        assert made.standing() == {"mine": 0}
        assert [(await anext(mine)).position for _ in range(2)] == [1, 2]
        assert made.standing() == {"mine": 2}


async def test_a_thousand_that_come_at_once_put_a_few_questions_to_the_store_together() -> None:
    async with consuming() as made:
        await made.publish(1, 2)
        made.outbox.asked.clear()
        async with anyio.create_task_group() as group:
            for n in range(1000):
                group.start_soon(anext, made.subscription(1, f"s{n}"))
        assert len(made.outbox.asked) <= 50


async def test_where_the_store_refuses_all_who_came_together_are_told_at_once() -> None:
    async with consuming() as made:
        await made.publish(1, 2)
        made.outbox.down = "restoring"
        made.outbox.asked.clear()
        async with anyio.create_task_group() as group:
            for n in range(100):
                group.start_soon(anext, made.subscription(1, f"s{n}"))
            await anyio.sleep(0.005)
            assert len(made.outbox.asked) <= 20
            made.outbox.down = None


async def turns_of_others(spent: float) -> list[int]:
    """How many updates a subscriber had each time that somebody else had a turn, where it works so long on each."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    seen: list[int] = []
    async with consuming() as made, anyio.create_task_group() as group:
        await made.publish(1, 2, 3, 4)
        mine = made.subscription(0)
        got = [await anext(mine)]

        async def look() -> None:
            while len(got) < 4:
                seen.append(len(got))
                await anyio.lowlevel.checkpoint()

        group.start_soon(look)
        while len(got) < 4:
            loop.jump(spent)
            got.append(await anext(mine))
        assert [update.position for update in got] == [1, 2, 3, 4]
    return seen


async def test_a_subscriber_that_works_long_on_each_update_gives_others_their_turn() -> None:
    assert await turns_of_others(0.005) == [1, 2, 3]


async def test_updates_that_are_ready_come_at_once_to_one_that_is_quick() -> None:
    assert await turns_of_others(0.0) == []


async def test_a_subscriber_that_is_cancelled_while_others_have_their_turn_loses_nothing() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    async with consuming() as made:
        await made.publish(1, 2, 3)
        mine = made.subscription(0)
        assert (await anext(mine)).position == 1
        loop.jump(0.005)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await anext(mine)
        assert (scope.cancelled_caught, mine.position) == (True, 1)
        assert [update.position for update in await mine.batch(0)] == [2, 3]


async def test_a_subscription_that_is_closed_while_others_have_their_turn_ends() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    async with consuming() as made, anyio.create_task_group() as group:
        await made.publish(1, 2)
        mine = made.subscription(0)
        await anext(mine)
        loop.jump(0.005)
        group.start_soon(mine.close)
        with pytest.raises(StopAsyncIteration):
            await anext(mine)
