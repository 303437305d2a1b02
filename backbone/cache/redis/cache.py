"""The cache on Redis, behind the port of all caches."""

from __future__ import annotations

import os
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from typing import Any

from backbone.cache.counters import Counters
from backbone.cache.errors import CacheUnavailable
from backbone.cache.key import CacheKey, space
from backbone.cache.policy import Policy
from backbone.cache.port import CacheEntry, CacheMetrics, Hit, Lookup, Miss, Wait
from backbone.cache.redis.connections import Connections
from backbone.cache.redis.near import Near
from backbone.cache.redis.questions import Question, Questions
from backbone.cache.redis.scripts import Scripts
from backbone.cache.redis.wire import Word
from backbone.domain.codec import CodecError, decode
from backbone.domain.dimension import Dimension
from backbone.domain.probe import ProbeAnswer

__all__ = ["Database", "RedisCache"]

Database = Callable[[], Awaitable[str]]
"""Says whose rows are cached. Raises CacheUnavailable where that is not known."""

_LONGEST_LIFE = 30 * 86_400.0  # seconds, where the policy keeps a window for ever: what nobody sees any more has to go
_TURNS = 4  # generations that may begin while one question is asked
_PROBE_MS = 10_000
_CLOSED = "the cache is closed"


class RedisCache:
    """Windows on a Redis that processes share; the hottest of them in this process, too.

    Args:
        connections: to Redis.
        database: asked on opening, and when all is forgotten: then it may have become another one.
        policy: time to live, capacity, lease and name.
        near_bytes: room for the hottest windows in this process; 0 keeps none.
        near_for: seconds for which one of them is served after Redis was asked about it.
        clock: monotonic seconds, for these.
    """

    near = False

    def __init__(
        self,
        connections: Connections,
        database: Database,
        policy: Policy | None = None,
        *,
        near_bytes: int = 64 * 2**20,
        near_for: float = 0.25,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connections = connections
        self._database = database
        self._policy = policy or Policy()
        self._scripts = Scripts(connections)
        self._near = Near(near_bytes, near_for, clock)
        self._clock = clock
        self._counters = Counters()
        self._randomness = random.Random()  # noqa: S311  jitter, not secrecy
        self._names = (f"{prefix}-{n:x}" for prefix in [os.urandom(8).hex()] for n in count())
        capacity = self._policy.capacity
        self._capacity = "" if capacity is None else str(capacity)
        self._room = "" if capacity is None else str(capacity // 2)
        self._owner = ""
        self._state: tuple[str, str, str] = ("", "", "")
        self._generation = self._space = ""
        self._questions = Questions()
        self._is_open = False
        self._why_not = _CLOSED

    async def open(self) -> None:
        """Learn whose rows these are, and ask Redis something."""
        if self._is_open:
            return
        self._connections.open()
        try:
            self._belong_to(await self._database())
            await self._count()
        except CacheUnavailable as error:
            self._why_not = str(error)
            raise
        self._is_open = True

    async def close(self) -> None:
        """Let go of the connections; what is in Redis stays there."""
        self._is_open, self._why_not = False, _CLOSED
        self._near.clear()
        await self._connections.close()

    async def probe(self) -> ProbeAnswer:
        """Write something, and read it again."""
        answer: Any = self._why_not
        if self._is_open:
            name, said = f"{self._state[0]}:probe:{secrets.token_hex(8)}", secrets.token_hex(8)
            await self._connections.call(("SET", name, said, "PX", _PROBE_MS))
            answer = await self._connections.call(("GET", name))
            answer = None if answer == said.encode() else "Redis did not give what was written just now"
        return ProbeAnswer(
            backend="redis",
            healthy=answer is None,
            degraded_reason=answer,
            details={
                "address": str(self._connections.address),
                "tls": "yes" if self._connections.address.is_encrypted else "no",
                "namespace": self._policy.namespace,
                "strategy": self._policy.strategy,
                "near": f"{len(self._near)} windows, {self._near.bytes:,} bytes",
            },
        )

    def glance(self, key: CacheKey, at_least: int = 0) -> CacheEntry | None:
        """The entry, if Redis has confirmed it a moment ago."""
        hit = self._near.get(key, at_least)
        if hit is None:
            return None
        self._counters.hits += 1
        return hit.entry

    async def get(self, key: CacheKey, *, at_least: int = 0) -> Lookup:
        """The entry, from this process where it may, else from Redis; else the lease, else how long another has it."""
        found = self._near.get(key, at_least) or await self._asked(key, at_least)
        if isinstance(found, Hit):
            self._counters.hits += 1
        else:
            self._counters.misses += 1
        return found

    async def _asked(self, key: CacheKey, at_least: int) -> Lookup:
        self._require_open()
        mine, known = next(self._names), self._near.name(key)
        for _ in range(_TURNS):
            turn, asked = self._near.turn, self._clock()
            found, *rows = await self._send(key, mine, at_least, known)
            match found:
                case [b"same", _, name]:
                    if (hit := self._near.confirm(key, name, asked)) is not None:
                        return hit
                case [b"hit", position, name] if rows and rows[0][0] == name:
                    return self._taken(key, name, _entry(position, *rows[0][1:]), asked, turn)
                case [b"wait", holder, left, old]:
                    self._counters.stale_rejected += old
                    return Wait(holder.decode(), max(left, 1) / 1000)
                case [b"miss", old]:
                    self._counters.stale_rejected += old
                    return Miss(mine)
                case [b"moved", generation]:
                    self._begin(generation)
            known = b""  # what there is now is not what was known
        raise CacheUnavailable(f"Redis at {self._connections.address}: it is emptied again and again")

    async def _send(self, key: CacheKey, mine: str, at_least: int, known: bytes) -> list[Any]:
        question = self._questions.get(key) or self._questions.keep(key, self._question(key))
        asked = question.asked(mine, _digits(at_least), known)
        return await self._scripts.send(asked, 1 if known else 2, self._state)

    def _question(self, key: CacheKey) -> Question:
        lease_ms = max(1, round(self._policy.lease_s * 1000))
        tail: list[Word] = [self._generation, lease_ms, self._room, *_fields(key)]
        return Question.of(self._scripts.digest, self._keys(key), tail)

    def _taken(self, key: CacheKey, name: bytes, entry: CacheEntry, asked: float, turn: int) -> Hit:
        """What Redis gave; a hit is worth to be kept, unless something changed in this process meanwhile."""
        assert isinstance(entry.payload, bytes)  # noqa: S101  as Redis gave it
        if turn != self._near.turn or not self._near.has_room(len(entry.payload)):
            return Hit(entry)
        try:
            frame = decode(entry.payload, entry.checksum)
        except CodecError:
            return Hit(entry)  # who asked finds that out, and says so
        return self._near.keep(key, name, CacheEntry(frame, entry.position), len(entry.payload), asked)

    async def peek(self, key: CacheKey) -> CacheEntry | None:
        """What Redis has, however old its position."""
        self._require_open()
        for _ in range(_TURNS):
            match await self._scripts.run("peek", next(self._names), self._keys(key), self._generation):
                case [b"hit", position, _, checksum, rows]:
                    return _entry(position, checksum, rows)
                case [b"moved", generation]:
                    self._begin(generation)
                case _:
                    break
        return None

    async def put(self, key: CacheKey, entry: CacheEntry, lease: str) -> bool:
        """Store, unless the lease was lost or something newer is known."""
        self._require_open()
        assert isinstance(entry.payload, bytes)  # noqa: S101  this cache is not near
        lifetime = self._policy.lifetime(self._randomness) if self._policy.is_enabled else 0.0
        ttl = round(1000 * min(_LONGEST_LIFE if lifetime is None else lifetime, _LONGEST_LIFE))
        checksum = "" if entry.checksum is None else str(entry.checksum)
        words = (self._generation, _digits(entry.position), checksum, entry.payload, ttl, self._capacity)
        stored, evicted, ended = await self._scripts.run("put", lease, self._keys(key), *words, *_fields(key))
        self._counters.sets += stored
        self._counters.evictions += evicted
        self._counters.expirations += ended
        self._counters.stale_rejected += not stored and self._policy.is_enabled
        return bool(stored)

    async def release(self, key: CacheKey, lease: str) -> None:
        """Let others load."""
        self._require_open()
        await self._scripts.run("release", lease, self._keys(key))

    async def invalidate(self, dimension: Dimension, positions: Mapping[str, int]) -> None:
        """Have Redis remember the positions, all in one step, and forget what this process has of them.

        It forgets after that: a window that Redis gave while it did not know of the change yet goes as well.
        """
        self._require_open()
        if positions:
            pairs = [
                word
                for symbol, position in positions.items()
                for word in (_field(dimension, symbol), _digits(position))
            ]
            moved = await self._scripts.run("invalidate", next(self._names), self._state, dimension.value, *pairs)
            self._near.forget(dimension, positions)
            self._counters.invalidations += moved

    async def metrics(self, *, reset: bool = False) -> CacheMetrics:
        """The counters of this process, and the entries that all processes share."""
        self._require_open()
        told = self._counters.told(self._policy, await self._count(), "redis")
        if reset:
            self._counters = Counters()
        return told

    async def clear(self) -> None:
        """Begin a new generation, of the database that there is now; what is left of the former ends by itself."""
        self._require_open()
        self._near.clear()
        await self._forget()
        if (owner := await self._database()) != self._owner:
            self._belong_to(owner)
            await self._forget()

    async def _forget(self) -> None:
        generation = next(self._names)
        await self._scripts.run("clear", generation, self._state)
        self._begin(generation.encode())

    async def _count(self) -> int:
        """How many entries there are; on the way the generation is learnt, and what has ended is swept out."""
        generation, ended, entries = await self._scripts.run("count", next(self._names), self._state)
        self._begin(generation)
        self._counters.expirations += ended
        return int(entries)

    def _belong_to(self, owner: str) -> None:
        root = space(self._policy.namespace, owner, "")
        self._owner, self._state = owner, (f"{root}state", f"{root}used", f"{root}expiry")
        self._generation, self._space = "", root
        self._questions.clear()

    def _begin(self, generation: bytes) -> None:
        """Go by another generation, where it is another one."""
        name = generation.decode()
        if name != self._generation:
            self._near.clear()
            self._questions.clear()
            self._generation, self._space = name, space(self._policy.namespace, self._owner, name)

    def _keys(self, key: CacheKey) -> tuple[str, ...]:
        name = key.name(self._space)
        return (*self._state, name, f"{name}:lease")

    def _require_open(self) -> None:
        if not self._is_open:
            raise CacheUnavailable(self._why_not)


def _entry(position: bytes, checksum: bytes, rows: bytes) -> CacheEntry:
    return CacheEntry(rows, int(position), int(checksum) if checksum else None)


def _digits(position: int) -> str:
    """A position as text that sorts as the number does."""
    return f"{position:020d}"


def _field(dimension: Dimension, symbol: str) -> str:
    return f"{dimension.value}:{symbol}"


def _fields(key: CacheKey) -> list[str]:
    """Where the positions stand that an entry of this key has to include."""
    if not key.symbols:
        return [key.dimension.value]
    return [_field(key.dimension, symbol) for symbol in key.symbols]
