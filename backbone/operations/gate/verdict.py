"""The answer of the gate, and how reasons make it. Pure: from what was observed, by the rules of the settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec

from backbone.domain.dimension import Dimension
from backbone.domain.status import Status
from backbone.quality.freshness import Freshness
from backbone.settings.sections.gate import GateSettings, Rule

__all__ = ["Gate", "GateLevel", "Reason", "of_failed_run", "of_freshness", "of_quality", "reason", "verdict"]


class GateLevel(StrEnum):
    """Whether data may be traded on: yes, with care, no."""

    OK = "ok"
    DEGRADED = "degraded"
    BLOCKED = "blocked"


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the data of a symbol may be traded on.

    Attributes:
        dimension: of the data.
        symbol: of the data, as it was asked for.
        level: ok, degraded or blocked.
        reasons: what speaks against it, worst first, each ``kind: sentence``; none where the level is ok. The kinds are
            kill_switch, unobserved, store, stream, lag, stale, unknown, quality, run.
        as_of: when this was found to be so last.
    """

    dimension: Dimension
    symbol: str
    level: GateLevel
    reasons: tuple[str, ...]
    as_of: datetime

    @property
    def ok(self) -> bool:
        """Whether nothing speaks against it."""
        return self.level is GateLevel.OK


class Reason(NamedTuple):
    """One thing that speaks against trading."""

    level: GateLevel
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


def reason(rule: Rule, kind: str, text: str) -> list[Reason]:
    """What a rule makes of something that is so; nothing where it is to be ignored."""
    return [] if rule == "ignored" else [Reason(GateLevel(rule), kind, text)]


def of_freshness(found: Freshness, rules: GateSettings) -> list[Reason]:
    """What the age of data says."""
    if found.level is Status.OK:
        return []
    if found.level is Status.UNKNOWN:
        return reason(rules.unknown, "unknown", found.why)
    text = f"its newest row is of {_text(found.newest)}; another was to come until {_text(found.stale_at)}"
    return reason(rules.stale, "stale", text)


def of_quality(status: Status, text: str, rules: GateSettings) -> list[Reason]:
    """What the judgement on the newest run says."""
    if status is Status.FAILED:
        return reason(rules.quality_failed, "quality", text)
    return reason(rules.quality_degraded, "quality", text) if status is not Status.OK else []


def of_failed_run(text: str, rules: GateSettings) -> list[Reason]:
    """What it says that the newest run was not carried out."""
    return reason(rules.run_failed, "run", text)


def verdict(reasons: Iterable[Reason]) -> tuple[GateLevel, tuple[str, ...]]:
    """The level that reasons come to, and their texts, worst first."""
    worst_first: Sequence[Reason] = sorted(reasons, key=lambda each: _ORDER.index(each.level))
    return (worst_first[0].level if worst_first else GateLevel.OK), tuple(map(str, worst_first))


def _text(moment: datetime | None) -> str:
    return "a moment that is not known" if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


_ORDER = (GateLevel.BLOCKED, GateLevel.DEGRADED, GateLevel.OK)
