"""The retention actor: judges what is kept against the policies, on request and by a schedule.

What it drops is in `enforcing`: only while what is stored could be read, and the ledger knows in the same transaction
that the range is no longer whole. What it prunes is in `pruning`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import anyio
import numpy as np

from actors import Actor, Message, Reject, handles
from backbone.calls import Calls, refuse
from backbone.domain.dimension import Dimension
from backbone.domain.status import Status
from backbone.files import is_there
from backbone.quality.instruments import Instruments
from backbone.retention.enforcing import Enforcing, Stored
from backbone.retention.judging import judge
from backbone.retention.messages import RetentionJudged, RunRetention
from backbone.retention.policy import Policy, policies_of
from backbone.retention.pruning import prune
from backbone.retention.report import RetentionDrop, RetentionFinding, RetentionReport
from backbone.settings import Settings
from backbone.store.errors import NotBuilt
from backbone.store.merging import Quarters
from backbone.store.messages import ReadCoverage, ReadQuarters
from backbone.store.records import Coverage

__all__ = ["RetentionActor"]

_TIMEOUT = 60.0
_PAUSED = "paused"
_NOT_JUDGED = "by schedule, which drops and prunes; what there is was not judged"
_LOOK_INTERVAL = 1.0  # seconds between two looks for the kill switch
_MICROSECOND = timedelta(microseconds=1)
_NOTHING = np.array([], "datetime64[us]")


class Upkeep(Message, frozen=True):
    """Time for the schedule."""


class LookForSwitch(Message, frozen=True):
    """Time to look whether the kill switch is there."""


class RetentionActor(Actor):
    """Judges and enforces retention on request, and by a schedule, which pauses while the kill switch exists.

    Args:
        calls: where store and cache are.
        settings: the policies, what the schedule does, and the calendars.
        enforceable: whether rows of this store may be dropped at all.
    """

    def __init__(self, calls: Calls, settings: Settings, *, enforceable: bool = False) -> None:
        self._calls = calls
        self.settings = settings
        self._policies = policies_of(settings.retention)
        self._instruments = Instruments(settings)
        self._enforceable = enforceable
        self._enforcing: Enforcing
        self._one_at_a_time = anyio.Lock(fast_acquire=True)
        self._last: dict[str, Any] = {}
        self._trouble = ""
        self._paused = False
        self._by_schedule = False

    async def on_start(self) -> None:
        """Begin the schedule; its first run comes after one interval."""
        self._enforcing = Enforcing(
            self._ask, self._calls, self._policies, self._enforceable, self._heed_the_switch, self.context.log
        )
        if self.settings.retention.interval:
            self.context.send_after(self.settings.retention.interval, Upkeep(), key="upkeep")
        if self.settings.kill_switch is not None:
            self.context.send_every(_LOOK_INTERVAL, LookForSwitch(), key="switch")
            self._look()

    def inspect(self) -> dict[str, Any]:
        """What the last run of the schedule did, and whether the kill switch holds it."""
        return {**self._last, "paused": self._paused} if self._paused else dict(self._last)

    @handles
    def look(self, message: LookForSwitch) -> None:
        """Pause, or go on."""
        self._look()

    def _look(self) -> None:
        paused = is_there(self.settings.kill_switch)
        if paused != self._paused:
            self._paused = paused
            self.context.log.warning("kill switch", path=self.settings.kill_switch, paused=paused)
            self._say()

    def _say(self) -> None:
        if self._paused:
            self.context.report_health(
                "degraded",
                f"the kill switch {self.settings.kill_switch} is there",
                "nothing is done by schedule: no rows are dropped or pruned; ingest, fetch and subscriptions go on",
                "remove the file to let the schedule go on",
            )
        elif self._trouble:
            following = f"tries again in {self.settings.retention.interval:g} s; until then old rows are kept"
            self.context.report_health(
                "degraded", self._trouble, following, "see the store's own line in backbone status"
            )
        else:
            self.context.report_health("ok")

    @handles
    def run(self, message: RunRetention) -> None:
        """See RunRetention."""
        now = self.context.clock.now()
        if message.apply and not self._enforceable:
            text = "retention over the embedded store is a dry run: nothing is dropped; leave --apply out"
            raise refuse(NotBuilt(text))
        if message.apply and message.as_of is not None and message.as_of > now:
            text = f"as_of={message.as_of} given with apply, a moment to come; give one that has passed"
            raise refuse(ValueError(text))
        reply = self.context.defer_reply()
        self.context.run_task(self._run(message.as_of or now, apply=message.apply), name="run", reply=reply)

    @handles
    def upkeep(self, message: Upkeep) -> None:
        """Prune, and drop where the settings say so; then again after the interval."""
        self.context.run_task(self._upkeep(), name="upkeep")

    async def _upkeep(self) -> None:
        self._look()
        if not self._paused:
            await self._keep_up()
        self.context.send_after(self.settings.retention.interval, Upkeep(), key="upkeep")

    async def _keep_up(self) -> None:
        now, status, note = self.context.clock.now(), Status.OK, _NOT_JUDGED
        drops, pruned = list[RetentionDrop](), dict[str, int]()  # told also where it ends half-way
        try:
            async with self._one_at_a_time:
                self._by_schedule = True
                await self._prune(pruned, apply=True)  # first: a role may be allowed this, and no drop
                if self.settings.retention.enabled and self._enforceable:
                    await self._enforcing.enforce(self._whole(*await self._stored(now)), now, drops)
        except Reject as reject:
            paused = reject.code == _PAUSED
            status, note = Status.DEGRADED if paused else Status.FAILED, reject.text
            self._trouble = "" if paused else f"upkeep failed: {reject.text}"
        else:
            self._trouble, dropped = "", sum(drop.rows for drop in drops)
            self._last = {"dropped": dropped, **{f"pruned_{what}": count for what, count in pruned.items()}}
            self.context.log.info("upkeep done", **self._last)
        finally:
            self._by_schedule = False
        self._tell_of_schedule(status, now, drops, pruned, note)
        self._say()

    def _tell_of_schedule(
        self, status: Status, now: datetime, drops: Sequence[RetentionDrop], pruned: Mapping[str, int], note: str
    ) -> None:
        report = RetentionReport(
            status=status,
            as_of=now,
            applied=True,
            findings=(),
            drops=tuple(drops),
            pruned=pruned,
            note=note,
            settings_hash=self.settings.hash,
        )
        self.context.system.publish(RetentionJudged, self.context.ref.path, report=report, scheduled=True)

    def _heed_the_switch(self) -> None:
        """Before each step of scheduled work: what is under way stops there, too."""
        if self._by_schedule:
            self._look()
        if self._by_schedule and self._paused:
            raise Reject(_PAUSED, "the kill switch is there; the schedule stopped between two steps")

    async def _run(self, as_of: datetime, *, apply: bool) -> RetentionReport:
        async with self._one_at_a_time:
            stored, unread = await self._stored(as_of)
            drops, pruned = list[RetentionDrop](), dict[str, int]()
            if apply:
                await self._enforcing.enforce(self._whole(stored, unread), as_of, drops)
            else:
                drops = await self._enforcing.would(stored, as_of)
            await self._prune(pruned, apply=apply)
            if apply:
                stored, unread = await self._stored(as_of)
            findings = await self._findings(stored, as_of)
        statuses = [finding.status for finding in findings] + [Status.FAILED] * len(unread)
        report = RetentionReport(
            status=Status.worst(statuses),
            as_of=as_of,
            applied=apply,
            findings=tuple(findings),
            drops=tuple(drops),
            pruned=pruned,
            note=_unread(unread) or ("" if findings else "the store holds no rows"),
            settings_hash=self.settings.hash,
            span_start=min((finding.earliest for finding in findings), default=None),
            span_end=max((finding.latest for finding in findings), default=None),
        )
        self.context.system.publish(RetentionJudged, self.context.ref.path, report=report)
        return report

    async def _stored(self, as_of: datetime) -> tuple[Stored, Mapping[Dimension, Reject]]:
        """What is stored up to a moment, and which dimensions could not be read.

        Raises:
            Reject: none could.
        """
        stored: dict[Dimension, Sequence[Coverage]] = {}
        unread: dict[Dimension, Reject] = {}
        for policy in self._policies:
            try:
                stored[policy.dimension] = await self._ask(ReadCoverage(policy.dimension, as_of))
            except Reject as reject:
                unread[policy.dimension] = reject
        if unread and not stored:
            raise next(iter(unread.values()))
        return stored, unread

    def _whole(self, stored: Stored, unread: Mapping[Dimension, Reject]) -> Stored:
        """What is stored, if all of it could be read: else nothing may be dropped."""
        if unread:
            raise Reject("unavailable", f"{_unread(unread)}; nothing was dropped, try again")
        return stored

    async def _prune(self, pruned: dict[str, int], *, apply: bool) -> None:
        now = self.context.clock.now()
        await prune(self._ask, self.settings.retention, now, self._heed_the_switch, pruned, apply=apply)

    async def _findings(self, stored: Stored, as_of: datetime) -> list[RetentionFinding]:
        findings = []
        for policy in self._policies:
            if coverage := stored.get(policy.dimension, ()):
                findings += await self._findings_of(policy, coverage, as_of)
        return sorted(findings, key=lambda finding: (-finding.status.severity, finding.dimension, finding.symbol))

    async def _findings_of(
        self, policy: Policy, coverage: Sequence[Coverage], as_of: datetime
    ) -> list[RetentionFinding]:
        """Two questions for a whole dimension, each answered by sums: not one moment of a row is looked at here."""
        await self._instruments.load([each.symbol for each in coverage], judging=True)
        limit = self._enforcing.cutoff(policy, coverage, as_of)
        begin, cap = as_of - timedelta(days=policy.target_days), as_of - policy.cap
        recent: Quarters = await self._ask(ReadQuarters(policy.dimension, begin, as_of))
        old: Sequence[Coverage] = ()
        if any(each.earliest < cap for each in coverage):
            old = await self._ask(ReadCoverage(policy.dimension, cap - _MICROSECOND))
        beyond = {(each.symbol, each.interval): each.rows for each in old}
        findings = []
        for each in coverage:
            key, calendar = (each.symbol, each.interval), self._instruments.calendar_at_hand(each.symbol)
            quarters = recent.get(key, _NOTHING)
            findings.append(judge(policy, each, quarters, calendar, as_of, limit, beyond.get(key, 0)))
        return findings

    async def _ask(self, request: Any, timeout: float = _TIMEOUT) -> Any:
        return await self._calls.ask("store", request, timeout)


def _unread(unread: Mapping[Dimension, Reject]) -> str:
    if not unread:
        return ""
    dimension, reject = next(iter(unread.items()))
    return f"what is stored of {', '.join(unread)} could not be read ({dimension}: {reject.text})"
