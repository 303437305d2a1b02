"""The retention actor: judges what is kept against the policies. Over the embedded store it only ever judges."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from actors import Actor, handles
from backbone.domain.clock import from_us, to_us, utc_now
from backbone.domain.status import Status
from backbone.ingest.settings import IngestRules
from backbone.messages import ReadCoverage, ReadStamps, RunRetention
from backbone.peers import Peers, ask_through
from backbone.refusals import NotBuilt, refuse
from backbone.retention.policy import Policy
from backbone.retention.report import RetentionFinding, RetentionReport
from backbone.store.records import Coverage

__all__ = ["RetentionActor"]

_TIMEOUT = 60.0


class RetentionActor(Actor):
    """Judges retention on request.

    Args:
        peers: where the store is.
        policies: one for each dimension.
        rules: the calendars.
    """

    def __init__(self, peers: Peers, policies: Sequence[Policy], rules: IngestRules) -> None:
        self._peers = peers
        self._policies = policies
        self._rules = rules

    @handles
    def run(self, message: RunRetention) -> None:
        """See RunRetention."""
        if message.apply:
            text = "retention over the embedded store is a dry run: nothing is dropped; leave --apply out"
            raise refuse(NotBuilt(text))
        reply = self.context.defer_reply()
        self.context.run_task(self._judge(message.as_of or utc_now()), name="judge", reply=reply)

    async def _judge(self, as_of: datetime) -> RetentionReport:
        findings: list[RetentionFinding] = []
        for policy in self._policies:
            for each in await self._ask(ReadCoverage(policy.dimension, as_of)):
                findings += [await self._finding(policy, each, as_of)]
        findings.sort(key=lambda finding: (-finding.status.severity, finding.dimension, finding.symbol))
        return RetentionReport(
            status=Status.worst(finding.status for finding in findings),
            as_of=as_of,
            applied=False,
            findings=tuple(findings),
            note="" if findings else "the store holds no rows",
            settings_hash=self._rules.settings_hash,
            span_start=min((finding.earliest for finding in findings), default=None),
            span_end=max((finding.latest for finding in findings), default=None),
        )

    async def _ask(self, request: Any) -> Any:
        return await ask_through(lambda: self._peers.store, request, _TIMEOUT)

    async def _finding(self, policy: Policy, each: Coverage, as_of: datetime) -> RetentionFinding:
        """Sessions that should have rows within the target, and those that have."""
        request = ReadStamps(each.dimension, each.symbol, each.interval, None, as_of)
        stamps = cast("npt.NDArray[np.datetime64]", await self._ask(request))
        calendar = self._rules.calendar_of((each.symbol,))
        begin = max(each.earliest, as_of - timedelta(days=policy.target_days))
        expected = calendar.sessions(begin, as_of)
        recent = stamps[stamps >= np.datetime64(to_us(begin), "us")]
        present = np.unique(calendar.session_of(recent)) if recent.size else expected[:0]
        covered = int(np.isin(expected, present).sum())
        window_days = (as_of - begin) / timedelta(days=1)
        covered_days = window_days * covered / len(expected) if len(expected) else 0.0
        history_days = (as_of - each.earliest) / timedelta(days=1)
        status, message = policy.judge(covered_days, history_days)
        cut = np.datetime64(to_us(as_of - policy.cap), "us")
        return RetentionFinding(
            dimension=each.dimension,
            symbol=each.symbol,
            interval=each.interval,
            status=status,
            message=message,
            rows=each.rows,
            earliest=each.earliest,
            latest=from_us(int(stamps[-1].astype("int64"))) if stamps.size else each.latest,
            covered_sessions=covered,
            expected_sessions=len(expected),
            covered_days=covered_days,
            beyond_cap=int((stamps < cut).sum()),
        )
