"""A stress run: exports one after the other, each of everything anew, timed and judged."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

import msgspec

from backbone.domain.errors import BackboneError
from backbone.domain.report import Report, cell, markdown_table
from backbone.domain.status import Status
from backbone.export.report import ExportReport
from backbone.settings.sections.export import StressSettings

__all__ = ["Cycle", "StressReport", "stress"]


class Cycle(msgspec.Struct, frozen=True, kw_only=True):
    """One export of a stress run.

    Attributes:
        duration_s: from its beginning to its end.
        issues: "slow_warn", "slow_fail", "export_failed", "no_rows".
        why: in words, where it failed.
    """

    number: int
    duration_s: float
    status: Status
    rows: int = 0
    issues: tuple[str, ...] = ()
    why: str = ""


class StressReport(Report, frozen=True, kw_only=True):
    """All cycles, and their durations in seconds.

    Attributes:
        status: the worst of the cycles.
        label: what the run is called.
        warn_after, fail_after: seconds after which a cycle is a warning, and has failed; None: never.
    """

    title: ClassVar[str] = "Stress of exports"

    status: Status
    label: str
    cycles: tuple[Cycle, ...]
    average_s: float
    longest_s: float
    shortest_s: float
    warn_after: float | None = None
    fail_after: float | None = None

    def to_markdown(self) -> str:
        """The facts, and a table of the cycles."""
        facts = f"- status: {self.status}\n- label: {cell(self.label)}\n"
        facts += f"- seconds: {self.average_s:.3f} on average, {self.shortest_s:.3f} to {self.longest_s:.3f}\n"
        headers = ("cycle", "status", "seconds", "rows", "issues", "why")
        rows = [(c.number, c.status, c.duration_s, c.rows, c.issues, c.why) for c in self.cycles]
        return f"{self.heading()}{facts}\n{markdown_table(headers, rows)}"


async def stress(
    export: Callable[[], Awaitable[ExportReport]],
    time: Callable[[], float],
    settings: StressSettings,
    settings_hash: str,
    seen: Callable[[Cycle], None] = lambda _: None,
) -> StressReport:
    """Export, again and again; one that fails is told, and the next one follows.

    Args:
        export: makes one.
        time: seconds that only rise.
        settings: how often, and how long one may take.
        settings_hash: for the report.
        seen: told of each cycle at its end.
    """
    cycles = list[Cycle]()
    for number in range(1, settings.cycles + 1):
        cycles.append(await _cycle(number, export, time, settings))
        seen(cycles[-1])
    durations = [cycle.duration_s for cycle in cycles]
    return StressReport(
        status=Status.worst(cycle.status for cycle in cycles),
        settings_hash=settings_hash,
        label=settings.label,
        cycles=tuple(cycles),
        average_s=sum(durations) / len(durations),
        longest_s=max(durations),
        shortest_s=min(durations),
        warn_after=settings.warn_after,
        fail_after=settings.fail_after,
    )


async def _cycle(
    number: int, export: Callable[[], Awaitable[ExportReport]], time: Callable[[], float], settings: StressSettings
) -> Cycle:
    began, status, rows, why, issues = time(), Status.OK, 0, "", list[str]()
    try:
        report = await export()
    except BackboneError as error:
        status, why = Status.FAILED, str(error)
        issues.append("export_failed")
    else:
        status, rows = report.status, report.rows
        why = "; ".join(job.why for job in report.jobs if job.why)
        issues += ["export_failed"] if status is Status.FAILED else ["no_rows"] if not rows else []
    took = time() - began
    if settings.fail_after is not None and took > settings.fail_after:
        status = Status.FAILED
        issues.append("slow_fail")
    elif settings.warn_after is not None and took > settings.warn_after:
        status = Status.worst((status, Status.DEGRADED))
        issues.append("slow_warn")
    return Cycle(number=number, duration_s=took, status=status, rows=rows, issues=tuple(issues), why=why)
