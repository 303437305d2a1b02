"""Store and stream as the simulated backbone sees them: they refuse, are slow, lose answers; what they do is noted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import anyio

from backbone.store.errors import StoreBusy, StoreUnavailable, UnknownOutcome
from backbone.store.port import Store
from backbone.store.records import Chunk, WriteResult
from backbone.stream.errors import StreamUnavailable
from backbone.stream.port import Publisher, Stream, Subscriber
from backbone.stream.records import Envelope
from tests.simulation.faults import Faults, InjectedCrash

__all__ = ["SimulatedPublisher", "SimulatedStore", "SimulatedStream", "Witness"]

_FREE = frozenset({"close", "migrate"})


class Witness(Protocol):
    """Who keeps the model."""

    def wrote(self, chunk: Chunk, result: WriteResult) -> None:
        """A chunk was committed."""

    def advanced(self, position: int) -> None:
        """The stored cursor was moved: up to here all is published."""

    def pruned(self, arguments: dict[str, Any], counts: dict[str, int]) -> None:
        """Outbox rows were deleted."""


class SimulatedStore:
    """A store on which things go wrong before and after the work is done.

    Args:
        store: does the work.
        faults: decides.
        witness: is told what was done.
    """

    def __init__(self, store: Store, faults: Faults, witness: Witness) -> None:
        self.store = store
        self._faults = faults
        self._witness = witness

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.store, name)
        if name in _FREE:
            return method

        async def through(*args: Any, **kwargs: Any) -> Any:
            chunks = _chunks(args)
            self._faults.writing += bool(chunks)
            try:
                await self._before(bool(chunks))
                result = await method(*args, **kwargs)
                self._note(name, chunks, args, kwargs, result)
                await self._after(bool(chunks), reads=name == "read")
            finally:
                self._faults.writing -= bool(chunks)
            return result

        return through

    async def _before(self, writes: bool) -> None:
        faults, now = self._faults, anyio.current_time()
        if faults.chance("slow", 0.1):
            faults.saw("store slow")
            await anyio.sleep(faults.pause(0.5))
        if faults.chance("outage", 0.02):
            faults.saw("store down for a while")
            faults.down_until = now + faults.pause(3.0)
        if faults.on and now < faults.down_until:
            raise StoreUnavailable("injected: down for a while", passing=True)
        if faults.chance("store", 0.04):
            faults.saw("store refused: unavailable")
            raise StoreUnavailable("injected: refused")
        if faults.chance("store", 0.04):
            faults.saw("store refused: busy")
            raise StoreBusy("injected: busy")
        if writes and faults.chance("unknown", 0.08):
            faults.saw("write: outcome unknown, not committed")
            raise UnknownOutcome("injected: nothing was committed")

    async def _after(self, writes: bool, reads: bool) -> None:
        faults = self._faults
        if writes and faults.chance("unknown", 0.08):
            faults.saw("write: outcome unknown, committed")
            raise UnknownOutcome("injected: it was committed")
        if writes and faults.chance("lost", 0.12):
            faults.saw("write: committed, then the store's actor crashed")
            raise InjectedCrash("injected: committed, and nobody was told")
        if faults.chance("slow", 0.6 if reads else 0.2):  # an answer that is overtaken by a commit is old
            faults.saw("store slow")
            await anyio.sleep(faults.pause(0.5))

    def _note(
        self, name: str, chunks: Sequence[Chunk], args: Sequence[Any], kwargs: dict[str, Any], result: Any
    ) -> None:
        results = result if isinstance(result, list | tuple) else [result]
        for chunk, written in zip(chunks, results, strict=bool(chunks)):
            self._witness.wrote(chunk, written)
        if name == "advance":
            self._faults.advanced = max(self._faults.advanced, args[2])
            self._witness.advanced(args[2])
        if name == "prune" and not kwargs.get("dry_run", True):
            self._witness.pruned(kwargs, result)


def _chunks(args: Sequence[Any]) -> list[Chunk]:
    """What is to be written, by whichever method: one chunk, or several in one transaction."""
    flat = [each for arg in args for each in (arg if isinstance(arg, list | tuple) else [arg])]
    return [each for each in flat if isinstance(each, Chunk)]


class SimulatedStream:
    """A stream whose publishers are refused and slow."""

    def __init__(self, stream: Stream, faults: Faults) -> None:
        self.stream = stream
        self._faults = faults

    @property
    def ordered(self) -> bool:
        return self.stream.ordered

    @property
    def shared(self) -> bool:
        return self.stream.shared

    def publisher(self) -> Publisher:
        return SimulatedPublisher(self.stream.publisher(), self._faults)

    def subscriber(self) -> Subscriber:
        return self.stream.subscriber()


class SimulatedPublisher:
    def __init__(self, publisher: Publisher, faults: Faults) -> None:
        self._publisher = publisher
        self._faults = faults

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self._publisher, name)
        return method

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        faults = self._faults
        if faults.chance("stream", 0.1):
            faults.saw("stream slow")
            await anyio.sleep(faults.pause(0.5))
        if faults.chance("stream", 0.1):
            faults.saw("stream refused, not published")
            raise StreamUnavailable("injected: not published")
        await self._publisher.publish(envelopes)
        faults.published = max(faults.published, envelopes[-1].position)
        if faults.chance("stream", 0.1):
            faults.saw("stream refused, published")
            raise StreamUnavailable("injected: published")
