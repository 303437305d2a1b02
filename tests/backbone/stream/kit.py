"""What the tests of the stream's actors share: a store of outbox rows, a stream that fails or waits when told to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import anyio

from actors import Actor, ActorRef, ChildSpec, Reject, handles
from actors.testing import Probe, TestSystem
from backbone.calls import Calls, refuse
from backbone.domain import encode
from backbone.domain.codec import checksum_of
from backbone.domain.dimension import Dimension
from backbone.store.errors import CursorSetBack, FencedOut, PositionLost, Unsupported
from backbone.store.messages import (
    SHARED_STREAM,
    STREAM,
    AdvanceRelay,
    DeleteDeadLetters,
    KeepDeadLetters,
    Lease,
    LeaveLease,
    NoteParts,
    OutboxGrew,
    OutboxState,
    ProbeStore,
    ReadDrops,
    ReadOutbox,
    ReadReached,
    RelayCursor,
    StreamParts,
)
from backbone.store.records import DeadLetter, OutboxRow, OutboxStatus, Reached, StoreInfo
from backbone.stream.letters import Message
from backbone.stream.memory import MemoryStream
from backbone.stream.memory.publisher import MemoryPublisher
from backbone.stream.memory.subscriber import MemorySubscriber
from backbone.stream.port import Cursor, Start
from backbone.stream.records import Envelope, Place, Record
from tests.backbone.facade.kit import BARS, bars

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def row(position: int, symbol: str = "EURUSD", *, payload: bytes | None = None, count: int = 1) -> OutboxRow:
    if payload is None:
        payload = encode(bars(count, close=1 + position / 1000, symbol=symbol))
    return OutboxRow(
        position, f"event-{position}", "chunk", BARS, symbol, count, position, payload, MOMENT, checksum_of(payload)
    )


class Outbox:
    """What the store's actor has: rows, the relay's cursor, and what it was asked."""

    def __init__(self) -> None:
        self.rows: list[OutboxRow] = []
        self.cursor = self.pruned_to = self.drops = 0
        self.asked: list[Any] = []
        self.letters: list[DeadLetter] = []
        self.down: str | None = None
        self.held_by: str | None = None
        self.refuse_advance = self.keeps_silently = 0
        self.reads_only = self.standby = False
        self.before_advance: list[Callable[[], None]] = []
        self.generation, self.server = "database", "server/1"
        self.holder: object = None
        self.epoch = 0
        self.parts: dict[str, int] = {}
        self._moved = anyio.Event()

    def lease(self, asker: object) -> int | None:
        """Who asks has it, unless another one does."""
        if self.holder not in {None, asker}:
            return None
        if self.holder is None:
            self.holder, self.epoch = asker, self.epoch + 1
        return self.epoch

    def move(self, position: int) -> None:
        self.cursor = max(self.cursor, position)
        self._moved.set()
        self._moved = anyio.Event()

    async def published(self, position: int) -> None:
        """Wait until the relay has noted that it published up to there."""
        with anyio.fail_after(60):
            while self.cursor < position:
                await self._moved.wait()

    async def kept(self, count: int) -> None:
        """Wait until it has so many dead letters."""
        with anyio.fail_after(60):
            while len(self.letters) < count:
                await self._moved.wait()

    def reads(self) -> list[int]:
        """After which positions the outbox was read."""
        return [each.after for each in self.asked if isinstance(each, ReadOutbox)]

    def advanced(self) -> list[int]:
        return [each.position for each in self.asked if isinstance(each, AdvanceRelay)]


class Store(Actor):
    """Serves an Outbox."""

    def __init__(self, outbox: Outbox, shared: bool = False) -> None:
        self._outbox = outbox
        self._shared = shared

    @handles
    def lease(self, message: Lease) -> int | None:
        if self._outbox.down is not None:
            raise Reject("unavailable", self._outbox.down)
        return self._outbox.lease(self.context.system)

    @handles
    def leave(self, message: LeaveLease) -> None:
        if self._outbox.holder is self.context.system:
            self._outbox.holder = None

    @handles
    def parts(self, message: StreamParts) -> dict[tuple[str, int], int]:
        self._met(message)
        return {(part, 0): position for part, position in self._outbox.parts.items()}

    @handles
    def note_parts(self, message: NoteParts) -> None:
        self._met(message)
        self._outbox.parts |= dict.fromkeys(message.parts, message.position)

    def _met(self, message: Any) -> None:
        self._outbox.asked.append(message)
        if self._outbox.down is not None:
            raise Reject("unavailable", self._outbox.down)

    @handles
    def read(self, message: ReadOutbox) -> list[OutboxRow]:
        self._met(message)
        if self._outbox.cursor < message.known:
            raise refuse(CursorSetBack.of("stream, shard 0", message.known, self._outbox.cursor))
        if message.whole and message.after < self._outbox.pruned_to:
            raise refuse(PositionLost.of(message.after))
        return [each for each in self._outbox.rows if each.position > message.after][: message.limit]

    @handles
    def cursor(self, message: RelayCursor) -> int:
        self._met(message)
        return self._outbox.cursor

    @handles
    def advance(self, message: AdvanceRelay) -> None:
        self._met(message)
        assert message.sink == (SHARED_STREAM if self._shared else STREAM)
        if message.epoch < self._outbox.epoch:
            raise refuse(FencedOut.of(message.sink, message.epoch, self._outbox.epoch))
        if self._outbox.refuse_advance:
            self._outbox.refuse_advance -= 1
            raise Reject("unavailable", "gone before it could note that")
        if self._outbox.reads_only:
            raise refuse(Unsupported("this role only reads"))
        if self._outbox.before_advance:
            self._outbox.before_advance.pop()()
        if self._outbox.cursor < message.known:
            raise refuse(CursorSetBack.of("stream, shard 0", message.known, self._outbox.cursor))
        if message.server not in {"", self._outbox.server}:
            raise refuse(CursorSetBack.elsewhere("stream, shard 0", message.server, self._outbox.server))
        self._outbox.move(message.position)

    @handles
    def state(self, message: OutboxState) -> OutboxStatus:
        self._met(message)
        newest = max([self._outbox.pruned_to, *(each.position for each in self._outbox.rows)])
        known = message.sink in {"", STREAM, SHARED_STREAM}
        pending = 0 if known else len(self._outbox.rows)
        told = (self._outbox.held_by, self._outbox.server, self._outbox.standby)
        return OutboxStatus(newest, self._outbox.cursor, pending, None, *told)

    @handles
    def reached(self, message: ReadReached) -> Reached:
        self._met(message)
        newest = max([self._outbox.pruned_to, *(each.position for each in self._outbox.rows)])
        return Reached(newest, self._outbox.standby)

    @handles
    def keep(self, message: KeepDeadLetters) -> list[DeadLetter]:
        self._met(message)
        known = {(each.topic, each.partition, each.offset) for each in self._outbox.letters}
        new = [each for each in message.letters if (each.topic, each.partition, each.offset) not in known]
        self._outbox.letters += new
        self._outbox.move(0)
        if self._outbox.keeps_silently:
            self._outbox.keeps_silently -= 1
            raise Reject("unavailable", "gone before it could say so")
        return new

    @handles
    def forget(self, message: DeleteDeadLetters) -> int:
        self._met(message)
        self._outbox.letters = [each for each in self._outbox.letters if each not in message.letters]
        return len(message.letters)

    @handles
    def drops(self, message: ReadDrops) -> int:
        self._met(message)
        return self._outbox.drops

    @handles
    def probe(self, message: ProbeStore) -> StoreInfo:
        self._met(message)
        generation = self._outbox.generation
        return StoreInfo(backend="duckdb", version="1", path=":memory:", healthy=True, generation=generation)


class Faulty:
    """A stream in memory that does what it is told to.

    Attributes:
        failing: the next calls raise these, in order.
        opening: the next publishers raise these when they are opened, in order.
        clients: publishers and subscribers that were made and not closed.
        hang: calls that begin now never end.
        gate: calls wait for it.
        sent: the positions of each batch that was appended.
        tried: when publishing was tried.
        publishers: how many were made.
        subscribers: how many were made.
        polls: how many polls were begun.
        cursors: those that were made and not closed.
        shared: other processes publish to it, too.
        identities: of its parts.
        begun_again: after which positions it was said that the database was set back.
        calls: what its publishers were asked for, in order.
        sent_back: dead letters that it took.
        passed_on: dead letters that the topic for them took.
        keeping_back: the next letters are not taken by that topic, in order.
        taking: that topic takes letters once it is set.
        subscribed: the subscribers that were made.
    """

    ordered = True

    def __init__(self, shared: bool = False, **options: Any) -> None:
        self.shared = shared
        self.identities: list[str] = []
        self.begun_again: list[int] = []
        self.calls: list[str] = []
        self.sent_back: list[DeadLetter] = []
        self.passed_on: list[DeadLetter] = []
        self.keeping_back: list[Exception] = []
        self.taking: anyio.Event | None = None
        self.subscribed: list[FaultySubscriber] = []
        self.inner = MemoryStream(**options)
        self.failing: list[Exception] = []
        self.opening: list[Exception] = []
        self.clients: set[object] = set()
        self.hang = False
        self.gate: anyio.Event | None = None
        self.sent: list[list[int]] = []
        self.tried: list[float] = []
        self.publishers = self.subscribers = self.polls = 0
        self.cursors: list[Cursor] = []
        self._news = anyio.Event()

    def note_sent(self, positions: list[int]) -> None:
        self.sent.append(positions)
        self._news.set()
        self._news = anyio.Event()

    async def holds(self, position: int) -> None:
        """Wait until that was published."""
        with anyio.fail_after(60):
            while not self.sent or self.sent[-1][-1] < position:
                await self._news.wait()

    async def meet(self) -> None:
        if self.failing:
            raise self.failing.pop(0)
        if self.hang:
            await anyio.sleep_forever()
        if self.gate is not None:
            await self.gate.wait()

    def publisher(self) -> FaultyPublisher:
        self.publishers += 1
        made = FaultyPublisher(self, self.inner.publisher())
        self.clients.add(made)
        return made

    def subscriber(self) -> FaultySubscriber:
        self.subscribers += 1
        made = FaultySubscriber(self, self.inner.subscriber())
        self.clients.add(made)
        self.subscribed.append(made)
        return made


class FaultyPublisher:
    def __init__(self, stream: Faulty, inner: MemoryPublisher) -> None:
        self._stream = stream
        self.probe = inner.probe
        self._inner = inner

    async def open(self) -> None:
        if self._stream.opening:
            raise self._stream.opening.pop(0)
        await self._inner.open()

    async def close(self) -> None:
        self._stream.clients.discard(self)
        await self._inner.close()

    async def resume(self, position: int, filled: Collection[str] = ()) -> Collection[str]:
        self._stream.calls.append(f"resume {position}")
        await self._inner.resume(0 if self._stream.shared else position)
        return [each for each in self._stream.identities if each not in filled]

    async def holds_anything(self) -> bool:
        return await self._inner.holds_anything()

    async def begin_again(self, position: int) -> None:
        self._stream.calls.append(f"begin again {position}")
        await self._stream.meet()
        self._stream.begun_again.append(position)
        await self._inner.begin_again(position)

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        self._stream.calls.append(f"publish {[each.position for each in envelopes]}")
        self._stream.tried.append(anyio.current_time())
        await self._stream.meet()
        await self._inner.publish(envelopes)
        self._stream.note_sent([each.position for each in envelopes])


class FaultySubscriber:
    def __init__(self, stream: Faulty, inner: MemorySubscriber) -> None:
        self._stream = stream
        self._inner = inner
        self.letters, self.lag = inner.letters, inner.lag

    def set_aside(self, record: Record, reason: str) -> bool:
        if not self._stream.shared:
            return self._inner.set_aside(record, reason)
        self.letters.add(("topic", record.partition), record.offset, reason, Message(value=record.payload))
        return True

    async def pass_on(self, letters: Sequence[DeadLetter]) -> int:
        if self._stream.keeping_back:
            raise self._stream.keeping_back.pop(0)
        if self._stream.taking is not None:
            await self._stream.taking.wait()
        self._stream.passed_on += letters
        return 0

    async def send_back(self, letters: Sequence[DeadLetter]) -> int:
        if not self._stream.shared:
            return await self._inner.send_back(letters)
        await self._stream.meet()
        self._stream.sent_back += letters
        return 0

    async def close(self) -> None:
        self._stream.clients.discard(self)
        await self._inner.close()

    @property
    def generation(self) -> str:
        return self._inner.generation

    async def open(self) -> None:
        await self._stream.meet()
        await self._inner.open()

    async def cursor(
        self, *, dimension: Dimension | None = None, symbols: Sequence[str] = (), after: Start | Place = 0
    ) -> FaultyCursor:
        cursor = await self._inner.cursor(dimension=dimension, symbols=symbols, after=after)
        made = FaultyCursor(self._stream, cursor)
        self._stream.cursors.append(made)
        return made


class FaultyCursor:
    def __init__(self, stream: Faulty, inner: Cursor) -> None:
        self._stream = stream
        self._inner = inner
        self.seek, self.lag = inner.seek, inner.lag

    @property
    def place(self) -> Place:
        return self._inner.place

    async def poll(self, max_records: int = 500, timeout: float = 1.0) -> list[Record]:
        self._stream.polls += 1
        await self._stream.meet()
        return await self._inner.poll(max_records, timeout)

    async def close(self) -> None:
        self._stream.cursors.remove(self)
        await self._inner.close()


class House:
    """An actor system with a store, a cache that records, and a stream."""

    def __init__(self, system: TestSystem, outbox: Outbox, stream: Faulty) -> None:
        self.system = system
        self.outbox = outbox
        self.stream = stream
        self.calls = Calls(system, "/test")
        self.cache: Probe

    async def start(self, name: str, kind: type[Actor], *args: Any, **kwargs: Any) -> ActorRef:
        return await self.system.start_child(
            ChildSpec(name, kind, args=(self.stream, self.calls, *args), kwargs=kwargs)
        )

    def commit(self, *rows: OutboxRow, after: int | None = None) -> None:
        """The store has new rows, and says so; with `after`, also which ones, and that nothing lies between."""
        self.outbox.rows.extend(rows)
        self.hint(*rows, after=after)

    def hint(self, *rows: OutboxRow, after: int | None = None) -> None:
        """The store says that it has new rows."""
        given = () if after is None else rows
        self.system.publish(OutboxGrew, "/test/store", position=rows[-1].position, outbox=given, after=after)


@asynccontextmanager
async def house(beside: House | None = None, **options: Any) -> AsyncIterator[House]:
    """A house; or another process on the outbox and the stream of one."""
    async with TestSystem() as system:
        if beside is None:
            made = House(system, Outbox(), Faulty(**options))
        else:
            made = House(system, beside.outbox, beside.stream)
        await system.start_child(ChildSpec("store", Store, args=(made.outbox, made.stream.shared)))
        made.cache = await Probe.start(system, "cache")
        yield made
