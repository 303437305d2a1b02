"""How a run mends bars: as the settings say, with the splits and dividends that a file or the store knows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

from backbone.domain import Dimension, Frame
from backbone.domain.values import rows_of
from backbone.ingest.plan import IngestPlan
from backbone.quality.instruments import Instruments
from backbone.quality.repair import REPAIRABLE, Remedies
from backbone.settings.session_hours import patterns_of
from backbone.sources.actions import Action, Actions, read_actions
from backbone.store.records import Query

__all__ = ["remedies_for"]

_MINOR: Final = frozenset({"XLON", "XJSE", "XTAE"})
"""Exchanges whose shares are quoted in pence, cents and agorot."""
_KEPT: Final = 65_536


async def remedies_for(
    plan: IngestPlan,
    instruments: Instruments,
    read: Callable[[Query], Awaitable[Frame]],
    off_loop: Callable[[Callable[[], list[Action]]], Awaitable[list[Action]]],
) -> Remedies | None:
    """What is done about the bars of a plan; None: nothing.

    Args:
        plan: whose rows they are.
        instruments: of the settings.
        read: gives rows of the store.
        off_loop: does what blocks elsewhere.

    Raises:
        SourceError: the file of splits and dividends can't be read.
    """
    chosen = instruments.settings.quality.repair
    if plan.dimension not in REPAIRABLE or {chosen.unit, chosen.split, chosen.dividend, chosen.missing} == {"off"}:
        return None
    known: list[Action] = []
    if {chosen.split, chosen.dividend} != {"off"}:
        known += _actions(await read(Query(Dimension.MACRO_EVENTS, symbols=tuple(plan.symbols))))
        if chosen.actions is not None:
            file = Path(chosen.actions)
            known += await off_loop(lambda: read_actions(file))
    return Remedies(
        unit=chosen.unit,
        split=chosen.split,
        dividend=chosen.dividend,
        missing=chosen.missing,
        minor=_minor(instruments),
        nonpositive=instruments.may_be_nonpositive,
        actions=Actions(known),
    )


def _minor(instruments: Instruments) -> Callable[[str], bool]:
    """Whether a symbol is quoted in hundredths: it matches a pattern, or trades where shares are."""
    patterns = patterns_of(instruments.settings.quality.repair.minor_units)

    @lru_cache(maxsize=_KEPT)
    def minor(symbol: str) -> bool:
        return instruments.of(symbol).calendar in _MINOR or any(pattern.match(symbol) for pattern in patterns)

    return minor


def _actions(events: Frame) -> Iterator[Action]:
    """The splits and dividends among macro events: those of a symbol stand in the calendar of its name."""
    for row in rows_of(events.to_arrow().select(["calendar", "event", "ts", "actual"])):
        if row["event"] in {"Split", "Dividend"} and row["actual"] is not None and row["actual"] > 0:
            what = {row["event"].lower(): row["actual"]}
            yield Action(symbol=row["calendar"], day=row["ts"].date(), **what)
