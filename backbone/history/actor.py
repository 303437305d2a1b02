"""The actor that looks after reads from exports: it finds the newest one, and says how it is with them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from actors import Actor, ActorDead, Message, StopReason, handles
from backbone.history.messages import ExplainRow
from backbone.history.reading import History, nobody

__all__ = ["HistoryActor"]

_LOOK_EVERY = 5.0  # seconds; only how soon another process's export is found hangs on it, never what is right


class Look(Message, frozen=True):
    """Time to look which export is current."""


class Changed(Message, frozen=True):
    """A file of the export is damaged, or there is another export."""


class HistoryActor(Actor):
    """Finds exports; reads go through `History`, without a message to it.

    Args:
        history: which reads.
    """

    def __init__(self, history: History) -> None:
        self._history = history

    async def on_start(self) -> None:
        """Look for the first time; the next looks come by themselves."""
        self._history.changed = self._told
        await self._look()

    async def on_stop(self, reason: StopReason) -> None:
        """Hear of no more trouble, and leave no threads behind."""
        self._history.changed = nobody
        self._history.rest()

    def inspect(self) -> dict[str, Any]:
        """Which export is read, and what for."""
        return dict(self._history.facts())

    def _told(self) -> None:
        with suppress(ActorDead):  # it was killed, and hears of it at the next look of the one behind it
            self.context.send_after(0.0, Changed(), key="changed")

    @handles
    async def look(self, message: Look) -> None:
        """See Look."""
        await self._look()

    @handles
    async def changed(self, message: Changed) -> None:
        """A part that is gone may be so because its export went: there may be a newer one."""
        await self._look()

    @handles
    async def explain(self, message: ExplainRow) -> str:
        """See ExplainRow."""
        return await self._history.explain(message.dimension, message.symbol, message.ts)

    async def _look(self) -> None:
        await self._history.look()
        damaged, hung = self._history.damaged, self._history.hung
        if hung:
            following = "reads take all rows from the store meanwhile, and from files again once the disk answers"
            self.context.report_health("degraded", hung, following, "look after the disk that export.path lies on")
        elif damaged:
            why = f"{len(damaged)} files of an export can't be used: {next(iter(damaged.values()))}"
            following = "reads take these rows from the store meanwhile"
            self.context.report_health("degraded", why, following, "run `backbone export --anew`")
        else:
            self.context.report_health("ok")
        if self._history.enabled:
            self.context.send_after(_LOOK_EVERY, Look(), key="look")
