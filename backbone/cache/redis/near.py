"""The hottest windows, decoded, in this process: each served for a moment after Redis has said that it is current.

What another process invalidates is not told to this one. It is found out: a window that Redis has not confirmed within
the last `trusted` seconds is asked for again, and Redis says in a few bytes that it is the same, or sends the new one.
No message can be lost on the way, and no connection can go deaf: where Redis does not answer, nothing is served from
here. What this process invalidates itself is gone from here before that is acknowledged, and who asks for a position
gets no window that is older.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable

from backbone.cache.key import CacheKey
from backbone.cache.port import CacheEntry, Hit
from backbone.domain.dimension import Dimension

__all__ = ["Near"]

_SHARE = 8  # one window may take an eighth of the room at most


class _Window:
    """A window, how Redis names it, its bytes, and until when it is trusted."""

    __slots__ = ("bytes", "hit", "name", "until")

    def __init__(self, name: bytes, hit: Hit, size: int, until: float) -> None:
        self.name = name
        self.hit = hit
        self.bytes = size
        self.until = until


class Near:
    """A bounded dictionary of windows; least recently used goes first.

    Args:
        room: bytes at most; 0 keeps nothing.
        trusted: seconds for which a window is served after Redis was asked about it.
        clock: monotonic seconds.

    Attributes:
        bytes: held now.
        turn: counts what was forgotten: what Redis was asked before that is not kept.
    """

    def __init__(self, room: int, trusted: float, clock: Callable[[], float]) -> None:
        self._room = room
        self._trusted = trusted
        self._clock = clock
        self._windows: OrderedDict[CacheKey, _Window] = OrderedDict()
        self._by_symbol: dict[tuple[Dimension, str], set[CacheKey]] = {}
        self.bytes = 0
        self.turn = 0

    def __len__(self) -> int:
        return len(self._windows)

    def get(self, key: CacheKey, at_least: int) -> Hit | None:
        """The window, if it is trusted and new enough."""
        window = self._windows.get(key)
        if window is None or window.until <= self._clock() or window.hit.entry.position < at_least:
            return None
        self._windows.move_to_end(key)
        return window.hit

    def name(self, key: CacheKey) -> bytes:
        """How Redis names what is held of a window, trusted or not; empty: nothing is."""
        window = self._windows.get(key)
        return b"" if window is None else window.name

    def confirm(self, key: CacheKey, name: bytes, asked: float) -> Hit | None:
        """Trust a window again, which Redis has said to be the same; None: it went meanwhile.

        Args:
            key: the window.
            name: how Redis names it.
            asked: when Redis was asked, by the clock.
        """
        window = self._windows.get(key)
        if window is None or window.name != name:
            return None
        window.until = asked + self._trusted
        self._windows.move_to_end(key)
        return window.hit

    def has_room(self, size: int) -> bool:
        """Whether a window of so many bytes may be held; for it others may have to go."""
        return size * _SHARE <= self._room

    def keep(self, key: CacheKey, name: bytes, entry: CacheEntry, size: int, asked: float) -> Hit:
        """Hold a window that Redis has just given, and that there is room for.

        Args:
            key: the window.
            name: how Redis names it.
            entry: its rows, decoded.
            size: their bytes.
            asked: when Redis was asked, by the clock.
        """
        hit = Hit(entry)
        self._drop(key)
        self._windows[key] = _Window(name, hit, size, asked + self._trusted)
        self.bytes += size
        for symbol in key.symbols or ("",):
            self._by_symbol.setdefault((key.dimension, symbol), set()).add(key)
        while self.bytes > self._room:
            self._drop(next(iter(self._windows)))
        return hit

    def forget(self, dimension: Dimension, symbols: Iterable[str]) -> None:
        """Let go of all windows of these symbols."""
        self.turn += 1
        for symbol in (*symbols, ""):
            for key in tuple(self._by_symbol.get((dimension, symbol), ())):
                self._drop(key)

    def clear(self) -> None:
        """Let go of all."""
        self.turn += 1
        self._windows.clear()
        self._by_symbol.clear()
        self.bytes = 0

    def _drop(self, key: CacheKey) -> None:
        window = self._windows.pop(key, None)
        if window is None:
            return
        self.bytes -= window.bytes
        for symbol in key.symbols or ("",):
            keys = self._by_symbol[key.dimension, symbol]
            keys.discard(key)
            if not keys:
                del self._by_symbol[key.dimension, symbol]
