"""Who may load which window, and until when."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from backbone.cache.key import CacheKey
from backbone.cache.port import Wait

__all__ = ["Leases"]


class _Held(NamedTuple):
    lease: str
    required: int
    until: float


class Leases:
    """One lease a key at most.

    All leases last equally long, so the one granted first ends first: those that were never given back are found at the
    front and forgotten, and the table holds no more than what can be under way.

    Args:
        seconds: how long a lease lasts.
        clock: monotonic seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._held: OrderedDict[CacheKey, _Held] = OrderedDict()
        self._granted = 0

    def __len__(self) -> int:
        self._forget_ended()
        return len(self._held)

    def held(self, key: CacheKey, required: int) -> Wait | None:
        """The lease of a key, and how long it lasts; None: nobody holds one that was granted at this position."""
        self._forget_ended()
        held = self._held.get(key)
        return None if held is None or held.required < required else Wait(held.lease, held.until - self._clock())

    def grant(self, key: CacheKey, required: int) -> str:
        """A new lease; a former one of this key is lost. The number in it is never used again, whatever is cleared.

        Args:
            key: the window that may be loaded.
            required: position that an entry of it has to include now.
        """
        self._granted += 1
        lease = str(self._granted)
        self._held.pop(key, None)
        self._held[key] = _Held(lease, required, self._clock() + self._seconds)
        return lease

    def end(self, key: CacheKey, lease: str) -> bool:
        """Give a lease back; False: it was lost before, to time, to another holder or to `clear`."""
        self._forget_ended()
        held = self._held.get(key)
        if held is None or held.lease != lease:
            return False
        del self._held[key]
        return True

    def clear(self) -> None:
        """All who hold a lease lose it."""
        self._held.clear()

    def _forget_ended(self) -> None:
        now = self._clock()
        while self._held and next(iter(self._held.values())).until <= now:
            self._held.popitem(last=False)
