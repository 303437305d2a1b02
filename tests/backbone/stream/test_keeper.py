"""The keeper of the topics: when it looks, what it makes, and what it says; on the virtual clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from actors import Actor, ActorRef, ChildSpec, Message, Request, SupervisorSpec, handles
from actors.testing import TestSystem
from backbone.calls import Calls
from backbone.stream.errors import StreamUnavailable, TopicsMissing
from backbone.stream.keeper import TopicsActor
from backbone.stream.messages import EnsureTopics, TopicsMissed
from backbone.stream.provisioned import Provisioned
from backbone.stream.relay import RelayActor
from backbone.stream.ticks import Retry
from tests.backbone.stream.kit import House, house, row

ALL = ("backbone.quotes", "backbone.trades")
DOWN = "kafka at b:9092 did not list its topics: refused"


class Brokers:
    """Topics that come and go."""

    def __init__(self, *there: str) -> None:
        self.there = set(there)
        self.looks: list[bool] = []
        self.down = False
        self.stalls: tuple[str, ...] = ()

    async def provision(self, dry_run: bool) -> Provisioned:
        self.looks.append(dry_run)
        if self.down:
            return Provisioned(requested=ALL, failed=dict.fromkeys(ALL, DOWN), dry_run=dry_run)
        missing = tuple(name for name in ALL if name not in self.there)
        existing = {name: 8 for name in ALL if name in self.there}
        if dry_run:
            return Provisioned(requested=ALL, existing=existing, missing=missing, dry_run=True)
        self.there |= set(ALL)
        made = dict.fromkeys(missing, 8)
        return Provisioned(requested=ALL, existing=existing, created=made, notes=self.stalls, stalls=self.stalls)


class Fail(Message, frozen=True):
    """Say that the stream is down, or that it is up again."""

    down: bool


class Retries(Request[int], frozen=True):
    """How often it was told to try again."""


class Relay(Actor):
    def __init__(self) -> None:
        self._retries = 0

    @handles
    def retry(self, message: Retry) -> None:
        self._retries += 1

    @handles
    def retries(self, message: Retries) -> int:
        return self._retries

    @handles
    def fail(self, message: Fail) -> None:
        if message.down:
            self.context.report_health("failed", "no topic", "tries again", "nothing")
        else:
            self.context.report_health("ok")


@asynccontextmanager
async def keeping(brokers: Brokers, *, create: bool = True) -> AsyncIterator[tuple[ActorRef, ActorRef]]:
    """A keeper, and the relay beside it."""
    async with TestSystem() as system:
        keeper = ChildSpec(
            "topics", TopicsActor, args=(brokers.provision, Calls(system, "/test")), kwargs={"create": create}
        )
        await system.start_child(SupervisorSpec("stream", children=(keeper, ChildSpec("relay", Relay))))
        yield system.find("/test/stream/topics"), system.find("/test/stream/relay")


async def test_missing_topics_are_there_before_what_follows_in_the_tree_starts() -> None:
    brokers = Brokers()
    async with keeping(brokers) as (keeper, _):
        assert brokers.there == set(ALL)
        assert (brokers.looks, keeper.health.level) == ([False], "ok")


async def test_where_topics_may_not_be_created_it_says_which_are_missing_and_what_to_type() -> None:
    brokers = Brokers("backbone.quotes")
    async with keeping(brokers, create=False) as (keeper, _):
        assert brokers.there == {"backbone.quotes"}
        assert keeper.health.level == "degraded"
        assert "missing topics: backbone.trades; stream.create_topics is false" in keeper.health.why
        assert keeper.health.action == "backbone connectors --ensure-topics creates them"


async def test_a_broker_that_is_down_is_asked_again_soon_and_then_ever_later() -> None:
    brokers = Brokers()
    brokers.down = True
    async with keeping(brokers) as (keeper, _):
        assert (keeper.health.level, DOWN in keeper.health.why) == ("degraded", True)
        await anyio.sleep(100.5)
        assert 10 <= len(brokers.looks) <= 15
        brokers.down = False
        await anyio.sleep(11)
        assert (keeper.health.level, brokers.there) == ("ok", set(ALL))


async def test_while_all_is_well_it_looks_twice_a_minute() -> None:
    brokers = Brokers(*ALL)
    async with keeping(brokers):
        await anyio.sleep(300.5)
        assert 10 <= len(brokers.looks) <= 11


async def test_topics_that_a_broker_lost_are_made_within_two_seconds_of_the_relay_missing_them() -> None:
    brokers = Brokers(*ALL)
    async with keeping(brokers) as (_, relay):
        await anyio.sleep(5)
        brokers.there.clear()
        relay.tell_nowait(Fail(True))
        await anyio.sleep(2.1)
        assert brokers.there == set(ALL)
        assert await relay.ask(Retries()) == 1, "it would wait until its next try"
        looked = len(brokers.looks)
        await anyio.sleep(20)
        assert len(brokers.looks) - looked <= 6


@asynccontextmanager
async def relaying(brokers: Brokers) -> AsyncIterator[House]:
    """A relay, and the keeper where the relay looks for it."""
    async with house(shared=True) as made:
        keeper = ChildSpec("topics", TopicsActor, args=(brokers.provision, made.calls), kwargs={"create": True})
        await made.system.start_child(SupervisorSpec("stream", children=(keeper,)))
        await made.start("relay", RelayActor, poll_interval=60)
        yield made


async def test_brokers_that_come_back_empty_have_their_topics_as_soon_as_the_relay_finds_them_there() -> None:
    """However long they were away, and without waiting until the relay tries again."""
    brokers = Brokers(*ALL)
    async with relaying(brokers) as made:
        brokers.down = True
        made.stream.failing = [StreamUnavailable("gone")]
        made.stream.opening = [StreamUnavailable("refused")] * 200
        made.commit(row(1))
        await anyio.sleep(60)
        brokers.down, brokers.there = False, set()
        made.stream.opening = [TopicsMissing("no topic")]
        await anyio.sleep(1.05)  # it tries every second by now
        assert brokers.there == set(ALL)
        assert made.stream.sent == [[1]]


async def test_a_relay_that_misses_topics_while_nobody_makes_them_waits_for_them_and_does_not_fall() -> None:
    async with house(shared=True) as made:
        made.stream.opening = [TopicsMissing("no topic")] * 3
        relay = await made.start("relay", RelayActor, poll_interval=60)
        made.commit(row(1))
        assert (relay.health.level, "no topic" in relay.health.why) == ("failed", True)
        await made.outbox.published(1)
        await anyio.sleep(1)
        assert (relay.incarnation, relay.health.level) == (1, "ok")


async def test_topics_that_nobody_may_make_are_tried_ever_later_however_often_they_are_missed() -> None:
    brokers = Brokers()
    brokers.down = True
    async with keeping(brokers) as (keeper, _):
        await anyio.sleep(60)
        before = len(brokers.looks)
        for _ in range(120):
            assert not await keeper.ask(TopicsMissed(), 1)
            await anyio.sleep(0.5)
        assert len(brokers.looks) - before <= 2 * (4 + 60 / 10)
        brokers.down = False
        await anyio.sleep(10)
        assert await keeper.ask(TopicsMissed(), 1)


async def test_who_misses_topics_that_others_are_to_create_does_not_create_them() -> None:
    brokers = Brokers("backbone.quotes")
    async with keeping(brokers, create=False) as (keeper, _):
        assert not await keeper.ask(TopicsMissed(), 1)
        assert brokers.there == {"backbone.quotes"}


async def test_what_would_not_get_through_is_told_for_as_long_as_it_is_so() -> None:
    brokers = Brokers(*ALL)
    brokers.stalls = ("backbone.quotes: max.message.bytes is 1000",)
    async with keeping(brokers) as (keeper, _):
        assert (keeper.health.level, keeper.health.why) == ("degraded", brokers.stalls[0])
        brokers.stalls = ()
        await anyio.sleep(31)
        assert keeper.health.level == "ok"


async def test_who_asks_for_the_topics_gets_what_was_found_and_a_dry_run_makes_none() -> None:
    brokers = Brokers("backbone.quotes")
    async with keeping(brokers, create=False) as (keeper, _):
        dry = await keeper.ask(EnsureTopics(dry_run=True), 1)
        assert (dry.missing, brokers.there) == (("backbone.trades",), {"backbone.quotes"})
        made = await keeper.ask(EnsureTopics(), 1)
        assert (made.created, made.complete) == ({"backbone.trades": 8}, True)
        assert keeper.health.level == "ok"
