"""The keeper of the topics: has them created before anything is published, and again where they were lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from actors import Actor, ActorDead, ChildNotFound, MailboxFull, Message, handles
from backbone.calls import Calls
from backbone.stream.messages import EnsureTopics, TopicsMissed
from backbone.stream.provisioned import Provisioned
from backbone.stream.ticks import Retry

__all__ = ["TopicsActor"]

_ALL_WELL = 30.0  # seconds between two looks
_GLANCE = 1.0  # seconds between two glances at the relay, which learns first that a topic is gone
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 10.0  # seconds until the next look where something is missing
_RELAY = "stream/relay"


class Look(Message, frozen=True):
    """Time to glance at the relay, and to look for the topics where that is not well, or where it is time."""


class TopicsActor(Actor):
    """Looks for the topics when it starts, before the relay does, and later on.

    It looks every 30 s; each second while the relay is not well, at first. A broker that comes back may have lost its
    topics: then the relay, which learns of it first, has it look at once, however long the broker was away. Where they
    may not be created it says which are missing.

    Args:
        provision: looks for them, and makes those that are missing unless it is a dry run; answers within seconds.
        calls: where the relay is.
        create: whether missing topics are made without being asked.
    """

    def __init__(self, provision: Callable[[bool], Awaitable[Provisioned]], calls: Calls, *, create: bool) -> None:
        self._provision = provision
        self._calls = calls
        self._create = create
        self._pause = _FIRST_PAUSE
        self._due = 0.0
        self._missed_pause, self._missed_due = 0.0, 0.0
        self._found: Provisioned | None = None

    async def on_start(self) -> None:
        """The first look: what follows in the tree finds the topics."""
        await self._look()
        self.context.send_every(_GLANCE, Look(), key="look")

    def inspect(self) -> dict[str, Any]:
        """Partitions of the topics that are there, and what is otherwise than asked for."""
        found = self._found
        return {} if found is None else {"partitions": dict(found.partitions), "notes": list(found.notes)}

    @handles
    async def look(self, message: Look) -> None:
        """See Look."""
        now = self.context.clock.time()
        if now >= self._due or (self._stream_is_ill() and now >= self._due - _ALL_WELL + self._pause):
            await self._look()

    @handles
    async def ensure(self, message: EnsureTopics) -> Provisioned:
        """See EnsureTopics."""
        return await self._looked(dry_run=message.dry_run)

    @handles
    async def missed(self, message: TopicsMissed) -> bool:
        """See TopicsMissed; where they can't be made that is tried ever later, as often as it is asked for."""
        if self.context.clock.time() < self._missed_due:
            return False
        await self._look()
        there = self._found is not None and self._found.complete
        self._missed_pause = 0.0 if there else min(2 * self._missed_pause or _FIRST_PAUSE, _LONGEST_PAUSE)
        self._missed_due = self.context.clock.time() + self._missed_pause
        return there

    async def _look(self) -> None:
        found = await self._looked(dry_run=not self._create)
        well = found.complete and not self._stream_is_ill()
        self._pause = _FIRST_PAUSE if well else min(2 * self._pause, _LONGEST_PAUSE)
        self._due = self.context.clock.time() + (_ALL_WELL if found.complete else self._pause)

    async def _looked(self, *, dry_run: bool) -> Provisioned:
        found = await self._provision(dry_run)
        if found.created:
            self.context.log.info("topics created", topics=", ".join(found.created))
            self._tell_relay()
        if self._found is None or found.notes != self._found.notes:
            for note in found.notes:
                self.context.log.warning("topic is not as asked for", note=note)
        self._found = found
        self._report(found)
        return found

    def _tell_relay(self) -> None:
        """Have it look now, where it waits to try again."""
        with suppress(ChildNotFound, ActorDead, MailboxFull):
            self._calls.ref(_RELAY).tell_nowait(Retry())

    def _stream_is_ill(self) -> bool:
        """Whether the relay is away or not well; read without asking it."""
        try:
            relay = self._calls.ref(_RELAY)
        except ChildNotFound:
            return False
        return not relay.is_alive or relay.health.level == "failed"

    def _report(self, found: Provisioned) -> None:
        if found.failed:
            reasons = "; ".join(dict.fromkeys(found.failed.values()))
            why = f"{', '.join(found.failed)}: {reasons}"
            self.context.report_health("degraded", why, "looks again within 10 s", "what the reason says")
        elif found.missing:
            why = f"missing topics: {', '.join(found.missing)}; stream.create_topics is false"
            action = "backbone connectors --ensure-topics creates them"
            self.context.report_health("degraded", why, "what is committed waits in the outbox", action)
        elif found.stalls:
            action = "what the reason says"
            self.context.report_health("degraded", "; ".join(found.stalls), "smaller records get through", action)
        else:
            self.context.report_health("ok")
