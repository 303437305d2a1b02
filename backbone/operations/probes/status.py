"""How a backbone is, in one report: what its parts answer and what its actors say, worst first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

import msgspec

from actors import RosterEntry, RosterSnapshot
from backbone.domain.report import Report, markdown_table
from backbone.domain.status import Status
from backbone.operations.probes.connectivity import ConnectivityReport, Probe

__all__ = ["Observed", "Problem", "StatusReport", "judge"]


class Observed(msgspec.Struct, frozen=True):
    """What a running backbone tells of itself when it is asked for its status."""

    connectivity: ConnectivityReport
    roster: RosterSnapshot


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One actor or part that is not well.

    Attributes:
        path: of the actor, or the part's name where it failed its probe.
        status: degraded or failed.
        state: of its life cycle, such as running or backoff.
        why: what it says, or its last error.
        since: when that began.
        now: what happens meanwhile.
        action: what the operator can do.
        restarts: so far.
    """

    path: str
    status: Status
    state: str
    why: str
    since: datetime | None
    now: str
    action: str
    restarts: int


class StatusReport(Report, frozen=True, kw_only=True):
    """The worst of all, the problems worst first, and what they were taken from."""

    title: ClassVar[str] = "Status"

    status: Status
    problems: tuple[Problem, ...]
    connectivity: ConnectivityReport
    roster: RosterSnapshot

    def to_markdown(self) -> str:
        """The problems and the parts, as tables."""
        names = ("path", "status", "state", "why", "since", "now", "action", "restarts")
        table = markdown_table(names, [[getattr(each, name) for name in names] for each in self.problems])
        parts = "\n".join(f"#{x}" if x.startswith("#") else x for x in self.connectivity.to_markdown().splitlines())
        return f"{self.heading()}- status: {self.status}\n\n{table}\n{parts}\n"


def judge(connectivity: ConnectivityReport, roster: RosterSnapshot) -> StatusReport:
    """Put together what was observed."""
    problems = [problem for entry in roster.entries if (problem := _problem(entry)) is not None]
    problems += [_unexplained(probe) for probe in connectivity.probes if not _explained(probe, problems)]
    problems.sort(key=lambda problem: (-problem.status.severity, problem.path))
    return StatusReport(
        status=Status.worst([connectivity.status, *(problem.status for problem in problems)]),
        problems=tuple(problems),
        connectivity=connectivity,
        roster=roster,
        settings_hash=connectivity.settings_hash,
    )


def _explained(probe: Probe, problems: Sequence[Problem]) -> bool:
    """Whether a probe found nothing worse than what the part's own actors say."""
    own = [each.status.severity for each in problems if f"/{probe.name}" in f"{each.path}/"]
    return probe.status.severity <= max(own, default=0)


def _unexplained(probe: Probe) -> Problem:
    """What only the probe knows: a red line in the headline has its reason below."""
    return Problem(
        path=probe.name,
        status=Status.worst([probe.status]),
        state="running",
        why=probe.why or "it does not work, and does not say why",
        since=None,
        now="the others go on",
        action=probe.action or "backbone roster shows the tree around it",
        restarts=0,
    )


_STATES = {"failed": Status.FAILED, "backoff": Status.FAILED, "starting": Status.DEGRADED}


def _problem(entry: RosterEntry) -> Problem | None:
    health = entry.health
    status = Status.worst([Status.parse(health.level), _STATES.get(entry.state, Status.OK)])
    if status is Status.OK:
        return None
    own = health.level != "ok" and entry.state not in {"backoff", "failed"}  # its word was that of its former life
    return Problem(
        path=entry.path,
        status=status,
        state=entry.state,
        why=health.why if own else entry.last_error or f"it is in state {entry.state}",
        since=health.since if own and health.since is not None else entry.state_since,
        now=health.next if own else _meanwhile(entry),
        action=health.action if own else "backbone roster shows the tree around it",
        restarts=entry.restarts,
    )


def _meanwhile(entry: RosterEntry) -> str:
    if entry.next_restart_in_s is not None:
        return f"its supervisor starts it again in {entry.next_restart_in_s:.1f} s"
    return "its supervisor starts it" if entry.state == "starting" else "nothing: its supervisor gave up"
