"""Store, cache and topics as the relay asks for them: what can't be had now holds it up, and is no crash."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from actors import ActorDead, AskRejected, AskTimeout, ChildNotFound, MailboxFull, Reject, Request
from backbone.cache.messages import ForgetWindows, Invalidate
from backbone.calls import Calls
from backbone.domain.dimension import Dimension
from backbone.store.records import OutboxRow
from backbone.stream.messages import TopicsMissed

__all__ = ["HeldUp", "Reach"]


class HeldUp(Reject):
    """Nothing can be published now, and nothing is lost by waiting; `part` is who holds it up."""

    def __init__(self, part: str, code: str, why: str) -> None:
        super().__init__(code, f"{part}: {why}")
        self.part = part


class Reach:
    """Asks store and cache, and who makes topics.

    Args:
        calls: where they are.
        timeout: seconds for each request.
        log: the relay's logger.
    """

    def __init__(self, calls: Calls, timeout: float, log: Any) -> None:
        self._calls = calls
        self._timeout = timeout
        self._log = log

    async def ask(self, request: Any) -> Any:
        """Ask the store.

        Raises:
            HeldUp: it refuses, or does not answer.
        """
        try:
            return await self._calls.ask("store", request, self._timeout)
        except Reject as reject:
            raise HeldUp("store", reject.code, reject.text) from reject

    async def have_topics(self) -> bool:
        """Have the missing topics of the stream made; returns whether all are there now."""
        try:
            return await self._calls.ask("stream/topics", TopicsMissed(), self._timeout)
        except Reject as reject:
            self._log.info("the missing topics were not made", why=reject.text)
            return False

    async def invalidate(self, rows: Sequence[OutboxRow]) -> None:
        """Wait until the cache serves nothing older than these changes."""
        changed: dict[Dimension, dict[str, int]] = defaultdict(dict)
        for row in rows:
            changed[row.dimension][row.symbol] = row.position
        await self._tell_cache(Invalidate(dict(changed)))

    async def forget(self) -> None:
        """Wait until the cache serves nothing of before."""
        await self._tell_cache(ForgetWindows())

    async def _tell_cache(self, what: Request[None]) -> None:
        """Have the cache acknowledge. One that is down keeps nothing that could be stale.

        Raises:
            HeldUp: the cache runs, but does not say that it has forgotten.
        """
        try:
            cache = self._calls.ref("cache")
            if cache.is_alive:
                await cache.ask(what, self._timeout)
        except (ActorDead, ChildNotFound) as error:
            self._log.warning("cache not invalidated, it is down", why=str(error))
        except AskRejected as error:
            raise HeldUp("cache", error.code, error.text) from error
        except (AskTimeout, MailboxFull) as error:
            raise HeldUp("cache", "busy", str(error)) from error
