"""Which one of several processes publishes to a sink: a session's advisory lock, on a connection beside the pool.

The lock falls with its connection: a process that was killed is followed within the pause of those who wait. One that
is frozen keeps its connection, but asks nothing on it any more: the server knows since when, and who waits ends it
after `LAPSE` seconds. Whoever gets the lock raises the epoch, by which the cursor refuses who had it before.

No lifetime and no reset of a pool may end the lock, and a question that was not answered in time means that it is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import anyio

from backbone.domain.lapse import LAPSE
from backbone.store.timescale import locks
from backbone.store.timescale.failures import BROKEN
from backbone.store.timescale.part import Part
from backbone.store.timescale.values import plain

__all__ = ["Lease", "Leases"]

_SECONDS: Final = 2.0  # for each question

_LAPSED: Final = """
    SELECT pg_terminate_backend(a.pid) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted AND l.classid = $1::bigint::oid AND l.objid = $2::bigint::oid
        AND l.objsubid = 2 AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND a.state_change < clock_timestamp() - make_interval(secs => $3)
"""
_RAISE: Final = """
    INSERT INTO telemetry.cursors (sink, shard, position, epoch) VALUES ($1, $2, 0, 1)
    ON CONFLICT (sink, shard) DO UPDATE SET epoch = cursors.epoch + 1 RETURNING epoch
"""


@dataclass(slots=True)
class Lease:
    """A connection on which the lock is held, or asked for.

    Attributes:
        connection: of the client; nobody else uses it.
        epoch: under which it is held; None: another one holds it.
    """

    connection: Any
    epoch: int | None = None


class Leases(Part):
    """Leases of this process."""

    _leases: dict[tuple[str, int], Lease]
    _leasing: anyio.Lock

    async def lease(self, sink: str, shard: int) -> int | None:
        """Hold the lease, or try to."""
        key = plain("sink", sink), shard
        if self._database.reads_only:
            return None
        async with self._leasing:
            sound = False
            try:
                with anyio.fail_after(self._bounds.connect_timeout + 3 * _SECONDS):
                    epoch = await self._leased(key)
                sound = True
            except BROKEN as error:
                raise self._database.explained(error) from error
            finally:
                if not sound:
                    self._drop(key)
            return epoch

    async def leave(self, sink: str, shard: int) -> None:
        """Give the lease back."""
        self._drop((plain("sink", sink), shard))

    async def _leased(self, key: tuple[str, int]) -> int | None:
        lease = self._leases.get(key)
        if lease is None or lease.connection.is_closed():
            lease = self._leases[key] = Lease(await self._database.apart(_SECONDS))
        if lease.epoch is None:
            lease.epoch = await self._taken(lease.connection, key)
        elif lease.epoch != await lease.connection.fetchval(
            "SELECT epoch FROM telemetry.cursors WHERE sink = $1 AND shard = $2", *key
        ):  # a database that was set back has another epoch than that which holds here
            self._drop(key)
            return None
        return lease.epoch

    async def _taken(self, connection: Any, key: tuple[str, int]) -> int | None:
        numbers = locks.of_lease(*key)
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1::integer, $2::integer)", *numbers):
            await connection.fetch(_LAPSED, *numbers, LAPSE)
            return None
        return int(await connection.fetchval(_RAISE, *key))

    def _drop(self, key: tuple[str, int]) -> None:
        lease = self._leases.pop(key, None)
        if lease is not None:
            lease.connection.terminate()

    def drop_leases(self) -> None:
        """Cut their connections without waiting."""
        for key in list(self._leases):
            self._drop(key)
