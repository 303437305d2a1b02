"""Drops what is beyond the caps, chunk by chunk, after a dry run, and has the cache forget its windows.

For example trades capped at 65 days, the oldest 100 days old: the dry run names the rows before that day; where those
are all there are, nothing is dropped; else each chunk up to it goes in a request of its own, so that a kill switch, a
stop or an outage comes in between, and the cache forgets even where it ended half-way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import anyio

from actors import ActorError
from backbone.cache.messages import ForgetWindows
from backbone.calls import Calls
from backbone.domain.dimension import Dimension
from backbone.retention.cutoff import Cutoff, cutoff, steps
from backbone.retention.policy import Policy
from backbone.retention.report import RetentionDrop
from backbone.store.messages import DropRows
from backbone.store.records import Coverage

__all__ = ["Ask", "Enforcing", "Stored"]

_DROP_TIMEOUT = 300.0  # one chunk of a large table, with its revisions
_FORGET_TIMEOUT = 5.0
_EMBEDDED = "an embedded store is never dropped from"

Stored = Mapping[Dimension, Sequence[Coverage]]


class Ask(Protocol):
    """Asks the store."""

    async def __call__(self, request: Any, timeout: float = ..., /) -> Any:
        """The answer; raises Reject."""


class Enforcing:
    """The dropping of one backbone.

    Args:
        ask: asks the store.
        calls: where the cache is.
        policies: one for each dimension.
        enforceable: whether rows of this store may be dropped at all.
        heed: called before each step; raises where the kill switch holds scheduled work.
        log: the actor's logger.
    """

    def __init__(
        self,
        ask: Ask,
        calls: Calls,
        policies: Sequence[Policy],
        enforceable: bool,
        heed: Callable[[], None],
        log: Any,
    ) -> None:
        self._ask = ask
        self._calls = calls
        self._policies = policies
        self._enforceable = enforceable
        self._heed = heed
        self._log = log

    async def would(self, stored: Stored, as_of: datetime) -> list[RetentionDrop]:
        """The dry run: what would be dropped of each dimension that has rows beyond the cap."""
        drops = []
        for policy in self._policies:
            limit = self.cutoff(policy, stored.get(policy.dimension, ()), as_of)
            if limit.before is not None:
                rows = await self._ask(DropRows(policy.dimension, limit.before))
                drops.append(RetentionDrop(dimension=policy.dimension, before=limit.before, rows=rows, kept=limit.kept))
            elif limit.kept:
                drops.append(RetentionDrop(dimension=policy.dimension, before=None, rows=0, kept=limit.kept))
        return drops

    def cutoff(self, policy: Policy, coverage: Sequence[Coverage], as_of: datetime) -> Cutoff:
        """Up to where rows may be dropped: nowhere, where the store is never dropped from."""
        limit = cutoff(policy, coverage, as_of)
        beyond = limit.before is not None or limit.kept
        return limit if self._enforceable or not beyond else Cutoff(None, _EMBEDDED)

    async def enforce(self, stored: Stored, as_of: datetime, drops: list[RetentionDrop]) -> None:
        """Drop what the dry run names; a dimension of which it names everything is left alone.

        Args:
            stored: what there is.
            as_of: the moment from which caps are counted back.
            drops: gets what was dropped, also where this fails half-way.

        Raises:
            Reject: the store refuses, or the kill switch is there.
        """
        for planned in await self.would(stored, as_of):
            coverage = stored[planned.dimension]
            if planned.before is None or not planned.rows:
                drops.append(planned)
            elif planned.rows >= sum(each.rows for each in coverage):
                text = f"the dry run named all {planned.rows:,} rows; nothing was dropped"
                drops.append(RetentionDrop(dimension=planned.dimension, before=None, rows=0, kept=text))
            else:
                earliest = min(each.earliest for each in coverage)
                await self._drop(
                    planned.dimension, steps(earliest, planned.before, planned.dimension.chunk), planned.kept, drops
                )

    async def _drop(
        self, dimension: Dimension, moments: Sequence[datetime], kept: str, drops: list[RetentionDrop]
    ) -> None:
        """Drop chunk by chunk; it is told, and the cache forgets its windows, even where this fails half-way."""
        before, dropped = None, 0
        try:
            for moment in moments:
                self._heed()
                dropped += await self._ask(DropRows(dimension, moment, dry_run=False), _DROP_TIMEOUT)
                before = moment
        finally:
            if before is not None:
                drops.append(RetentionDrop(dimension=dimension, before=before, rows=dropped, kept=kept))
            with anyio.move_on_after(_FORGET_TIMEOUT, shield=True):
                await self._forget()
        self._log.info("rows dropped", dimension=dimension.value, before=str(before), rows=dropped)

    async def _forget(self) -> None:
        try:
            await self._calls.ref("cache").ask(ForgetWindows(), _FORGET_TIMEOUT)
        except ActorError as error:
            self._log.warning("cache not told of dropped rows; its entries expire by themselves", why=str(error))
