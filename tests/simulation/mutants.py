"""Bugs put in on purpose, from outside of the product: what the simulation has to find, or it proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from backbone.cache.key import CacheKey
from backbone.cache.memory.cache import MemoryCache
from backbone.cache.port import CacheEntry, Miss
from backbone.domain.dimension import Dimension
from backbone.store.messages import AdvanceRelay
from backbone.stream.errors import StreamUnavailable
from backbone.stream.memory.log import MemoryLog
from backbone.stream.records import Place
from backbone.stream.relay import RelayActor
from backbone.stream.resume import Resume
from tests.simulation.ports import SimulatedPublisher

__all__ = ["MUTANTS", "mutated"]

Mutant = Callable[[], Any]


def relay_cursor_first() -> Any:
    """The relay moves its cursor before it has published.

    Subscribers alone do not see it: told where to go on, the log takes what lies between for published elsewhere, and
    its readers find that in the outbox, until it is pruned.
    """
    relay = RelayActor._relay

    async def _relay(self: RelayActor, rows: Sequence[Any]) -> None:
        await self._reach.ask(AdvanceRelay(rows[-1].position))
        self._cursor = self._past.noted = rows[-1].position
        await relay(self, rows)

    return patch.object(RelayActor, "_relay", _relay)


@contextmanager
def cache_keeps_older() -> Iterator[None]:
    """The cache takes an older load for a newer one: it puts it as if it had seen all that it was told of."""
    put, invalidate = MemoryCache.put, MemoryCache.invalidate
    newest: dict[MemoryCache, int] = {}

    async def noted(self: MemoryCache, dimension: Dimension, positions: Mapping[str, int]) -> None:
        newest[self] = max(newest.get(self, 0), *positions.values())
        await invalidate(self, dimension, positions)

    async def older(self: MemoryCache, key: CacheKey, entry: CacheEntry, lease: str) -> bool:
        await self.release(key, lease)
        found = await self.get(key, at_least=2**62)
        lease = found.lease if isinstance(found, Miss) else lease
        return await put(self, key, CacheEntry(entry.payload, max(entry.position, newest.get(self, 0))), lease)

    with patch.object(MemoryCache, "put", older), patch.object(MemoryCache, "invalidate", noted):
        yield


def invalidate_dropped() -> Any:
    """The cache does not hear of changes."""

    async def invalidate(self: MemoryCache, dimension: Dimension, positions: Mapping[str, int]) -> None:
        return

    return patch.object(MemoryCache, "invalidate", invalidate)


def log_without_dedup() -> Any:
    """What is published again stands in the log again."""

    def append(self: MemoryLog, envelopes: Sequence[Any]) -> None:
        for envelope in envelopes:
            self._append(envelope)
        self.wake()

    return patch.object(MemoryLog, "append", append)


def refusal_taken_as_done() -> Any:
    """A publish that was refused counts as published."""
    publish = SimulatedPublisher.publish

    async def swallowed(self: SimulatedPublisher, envelopes: Sequence[Any]) -> None:
        try:
            await publish(self, envelopes)
        except StreamUnavailable:
            return

    return patch.object(SimulatedPublisher, "publish", swallowed)


def resume_off_by_one() -> Any:
    """A token is read as if the next change had been seen, too."""
    return patch.object(Resume, "place", property(lambda self: Place(self.position + 1, self.mark)))


def published_out_of_order() -> Any:
    """A batch is appended from its end."""
    append = MemoryLog.append

    def backwards(self: MemoryLog, envelopes: Sequence[Any]) -> None:
        append(self, list(reversed(envelopes)))

    return patch.object(MemoryLog, "append", backwards)


MUTANTS: dict[str, Mutant] = {
    each.__name__: each
    for each in (
        relay_cursor_first,
        cache_keeps_older,
        invalidate_dropped,
        log_without_dedup,
        refusal_taken_as_done,
        resume_off_by_one,
        published_out_of_order,
    )
}


def mutated(name: str | None) -> Any:
    """A context in which the product has this bug; None: none."""
    return _sound() if name is None else MUTANTS[name]()


@contextmanager
def _sound() -> Iterator[None]:
    yield
