"""How fresh data is, for the own process and for others by the control socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from backbone.domain.dimension import Dimension
from backbone.facade.spelling import Ask
from backbone.operations.freshness import FreshnessReport, judge
from backbone.quality.freshness_rules import FreshnessRules
from backbone.settings import Settings, redact_mapping
from backbone.store.messages import ReadLatest
from backbone.store.records import Latest

__all__ = ["Fresh"]


class Fresh:
    """Asks the store how far rows go, and judges that.

    Args:
        settings: calendars and limits.
        ask: asks an actor.
        spelled: names of symbols as they are stored.
        now: the wall clock.
    """

    def __init__(
        self,
        settings: Settings,
        ask: Ask,
        spelled: Callable[[Dimension, tuple[str, ...]], Awaitable[tuple[str, ...]]],
        now: Callable[[], datetime],
    ) -> None:
        self.settings = settings
        self._rules = FreshnessRules(settings)
        self._ask = ask
        self._spelled = spelled
        self._now = now

    async def report(
        self, dimensions: Sequence[Dimension], symbols: tuple[str, ...], as_of: datetime | None
    ) -> FreshnessReport:
        """What `Backbone.freshness` says; the arguments are checked."""
        stored: list[Latest] = []
        wanted: list[tuple[Dimension, str]] = []
        for dimension in dimensions or tuple(Dimension):
            names = await self._spelled(dimension, symbols)
            stored += await self._ask("store", ReadLatest(dimension, names, as_of))
            wanted += [(dimension, name) for name in names]
        if not dimensions:  # not every symbol is of every dimension
            there = {each.symbol for each in stored}
            wanted = [(dimension, name) for dimension, name in wanted if name not in there]
        await self._rules.instruments.load({each.symbol for each in stored}, judging=True)
        return judge(stored, wanted, self._rules, as_of or self._now(), self.settings.hash)

    def answers(self) -> dict[str, Callable[[Mapping[str, Any]], Awaitable[bytes]]]:
        """What the control socket answers, by command."""
        return {"freshness": self._answer}

    async def _answer(self, arguments: Mapping[str, Any]) -> bytes:
        asked = msgspec.convert(dict(arguments), _Asked)
        report = await self.report(asked.dimensions, asked.symbols, asked.as_of)
        return msgspec.json.encode(redact_mapping(msgspec.to_builtins(report, enc_hook=str)))


class _Asked(msgspec.Struct, forbid_unknown_fields=True):
    dimensions: tuple[Dimension, ...] = ()
    symbols: tuple[str, ...] = ()
    as_of: datetime | None = None
