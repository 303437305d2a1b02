"""A Redis in memory, as far as the cache's script goes; held to the same contract as the script on the real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.exceptions import NoScriptError

from backbone.cache.errors import CacheUnavailable
from backbone.cache.redis import RedisCache
from backbone.cache.redis.wire import Word, packed

ZERO = b"0" * 20


@dataclass(frozen=True)
class Entry:
    position: bytes
    lease: bytes
    checksum: bytes
    rows: bytes
    ends: float


@dataclass
class Keys:
    """What a server holds, and would hold again after a restart."""

    state: dict[str, dict[bytes, bytes]] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    leases: dict[str, tuple[bytes, bytes, float]] = field(default_factory=dict)
    used: dict[str, dict[str, int]] = field(default_factory=dict)
    plain: dict[bytes, bytes] = field(default_factory=dict)

    def copied(self) -> Keys:
        state = {name: dict(held) for name, held in self.state.items()}
        used = {name: dict(held) for name, held in self.used.items()}
        return Keys(state, dict(self.entries), dict(self.leases), used, dict(self.plain))


class RedisDouble:
    """Answers as Redis does, at once.

    Attributes:
        down: why it does not answer; None: it does.
        asked: verbs that the script was asked, in order.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.keys = Keys()
        self.down: str | None = None
        self.asked: list[str] = []
        self._knows_script = False
        self._uses = 0

    def flush(self) -> None:
        """FLUSHALL: the keys go, the script stays."""
        self.keys = Keys()

    def saved(self) -> Keys:
        """What is on its disk now."""
        return self.keys.copied()

    def restart(self, found: Keys) -> None:
        """Begin again with what was on the disk some time ago; scripts are never on it."""
        self.keys, self._knows_script = found.copied(), False

    def call(self, given: Sequence[bytes]) -> Any:
        if self.down is not None:
            raise CacheUnavailable(self.down)
        match given[0]:
            case b"SET":
                self.keys.plain[given[1]] = given[2]
                return b"OK"
            case b"GET":
                return self.keys.plain.get(given[1])
            case b"HMGET":
                entry = self._entry(given[1].decode())
                return [None] * 3 if entry is None else [entry.lease, entry.checksum, entry.rows]
            case b"EVAL":
                self._knows_script = True
            case _ if not self._knows_script:
                raise NoScriptError("no such script")
        many = int(given[2])
        keys = [name.decode() for name in given[3 : 3 + many]]
        verb, mine, *rest = given[3 + many :]
        self.asked.append(verb.decode())
        self._end_what_is_over()
        return getattr(self, f"_{verb.decode()}")(keys, mine, rest)

    def _end_what_is_over(self) -> None:
        now = self._clock()
        self.keys.leases = {name: held for name, held in self.keys.leases.items() if held[2] > now}

    def _current(self, keys: list[str], mine: bytes) -> bytes:
        state = self.keys.state.get(keys[0])
        return self._begin(keys, mine) if state is None else state[b"!generation"]

    def _begin(self, keys: list[str], mine: bytes) -> bytes:
        self.keys.used.pop(keys[1], None)
        self.keys.state[keys[0]] = {b"!generation": mine}
        return mine

    def _required(self, keys: list[str], fields: list[bytes]) -> bytes:
        state = self.keys.state.get(keys[0], {})
        return max([ZERO, *(state[each] for each in fields if each in state)])

    def _entry(self, name: str) -> Entry | None:
        entry = self.keys.entries.get(name)
        return None if entry is None or entry.ends <= self._clock() else entry

    def _use(self, keys: list[str]) -> None:
        self._uses += 1
        self.keys.used.setdefault(keys[1], {})[keys[3]] = self._uses

    def _sweep(self, keys: list[str]) -> int:
        used = self.keys.used.setdefault(keys[1], {})
        over = [name for name in used if self._entry(name) is None]
        for name in over:
            del used[name]
        return len(over)

    def _get(self, keys: list[str], mine: bytes, given: list[bytes]) -> list[Any]:
        least, known, generation, seconds, _ = given[:5]
        if (there := self._current(keys, mine)) != generation:
            return [b"moved", there]
        newest, entry = self._required(keys, given[5:]), self._entry(keys[3])
        if entry is not None and entry.position >= max(least, newest):
            self._use(keys)
            return [b"same" if entry.lease == known else b"hit", entry.position, entry.lease]
        held = self.keys.leases.get(keys[4])
        if held is not None and held[0] >= newest and held[1] != mine:
            return [b"wait", held[1], round((held[2] - self._clock()) * 1000), int(entry is not None)]
        self.keys.leases[keys[4]] = (newest, mine, self._clock() + int(seconds) / 1000)
        return [b"miss", int(entry is not None)]

    def _put(self, keys: list[str], mine: bytes, given: list[bytes]) -> list[int]:
        generation, position, checksum, rows, ttl, capacity = given[:6]
        held, entry = self.keys.leases.get(keys[4]), self._entry(keys[3])
        if held is None or held[1] != mine:
            return [int(entry is not None and (entry.position, entry.lease) == (position, mine)), 0, 0]
        del self.keys.leases[keys[4]]
        if self.keys.state.get(keys[0], {}).get(b"!generation") != generation or ttl == b"0":
            return [0, 0, 0]
        if position < max(self._required(keys, given[6:]), ZERO if entry is None else entry.position):
            return [0, 0, 0]
        self.keys.entries[keys[3]] = Entry(position, mine, checksum, rows, self._clock() + int(ttl) / 1000)
        self._use(keys)
        ended, evicted, used = self._sweep(keys), 0, self.keys.used[keys[1]]
        while capacity and len(used) > int(capacity):
            least_used = min(used, key=lambda name: used[name])
            del used[least_used], self.keys.entries[least_used]
            evicted += 1
        return [1, evicted, ended]

    def _release(self, keys: list[str], mine: bytes, given: list[bytes]) -> int:
        held = self.keys.leases.get(keys[4])
        if held is not None and held[1] == mine:
            del self.keys.leases[keys[4]]
        return 1

    def _peek(self, keys: list[str], mine: bytes, given: list[bytes]) -> list[Any]:
        if (there := self._current(keys, mine)) != given[0]:
            return [b"moved", there]
        entry = self._entry(keys[3])
        if entry is None:
            return [b"miss", 0]
        return [b"hit", entry.position, entry.lease, entry.checksum, entry.rows]

    def _invalidate(self, keys: list[str], mine: bytes, given: list[bytes]) -> int:
        self._current(keys, mine)
        state, moved = self.keys.state[keys[0]], 0
        dimension, *pairs = given
        for name, position in zip(pairs[::2], pairs[1::2], strict=True):
            if state.get(name, b"") < position:
                state[name] = position
                state[dimension] = max(position, state.get(dimension, ZERO))
                moved += 1
        return moved

    def _clear(self, keys: list[str], mine: bytes, given: list[bytes]) -> int:
        if self.keys.state.get(keys[0], {}).get(b"!generation") != mine:
            self._begin(keys, mine)
        return 1

    def _count(self, keys: list[str], mine: bytes, given: list[bytes]) -> list[Any]:
        generation, ended = self._current(keys, mine), self._sweep(keys)
        return [generation, ended, len(self.keys.used[keys[1]])]


class ToDouble:
    """The connections of one process to it.

    Args:
        double: the server.
        pause: awaited before and after each call.
    """

    def __init__(self, double: RedisDouble, pause: Callable[[], Any] | None = None) -> None:
        self.address = DoubleAddress()
        self._double = double
        self._pause = pause

    async def call(self, words: Sequence[Word]) -> Any:
        return (await self.exchange(packed(words), 1))[0]

    async def exchange(self, commands: bytes, answers: int) -> list[Any]:
        """As a server does, who may be asked something else between two commands."""
        given = list(read(commands))
        assert len(given) == answers
        found = []
        for command in given:
            await self._wait()
            found.append(self._double.call(command))
        await self._wait()
        return found

    async def _wait(self) -> None:
        if self._pause is not None:
            await self._pause()

    def open(self) -> None:
        """Nothing has to be opened."""

    async def close(self) -> None:
        """Nothing is open."""


class DoubleAddress:
    is_encrypted = False

    def __str__(self) -> str:
        return "memory"


async def one_database() -> str:
    return "a database"


def cache_on(
    double: RedisDouble,
    clock: Callable[[], float],
    *,
    pause: Callable[[], Any] | None = None,
    **more: Any,
) -> RedisCache:
    """A cache of one process on it."""
    more.setdefault("database", one_database)
    return RedisCache(ToDouble(double, pause), clock=clock, **more)  # type: ignore[arg-type]


def read(commands: bytes) -> Iterator[list[bytes]]:
    """The words of each command."""
    rest = commands
    while rest:
        many, _, rest = rest.removeprefix(b"*").partition(b"\r\n")
        words = []
        for _ in range(int(many)):
            size, _, rest = rest.removeprefix(b"$").partition(b"\r\n")
            words.append(rest[: int(size)])
            rest = rest[int(size) + 2 :]
        yield words
