"""The keeper of the topics: when it looks, what it makes, and what it says; on the virtual clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from actors import Actor, ActorRef, ChildSpec, Message, SupervisorSpec, handles
from actors.testing import TestSystem
from backbone.calls import Calls
from backbone.stream.keeper import TopicsActor
from backbone.stream.messages import EnsureTopics
from backbone.stream.provisioned import Provisioned

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


class Relay(Actor):
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
        looked = len(brokers.looks)
        await anyio.sleep(20)
        assert len(brokers.looks) - looked <= 6


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
