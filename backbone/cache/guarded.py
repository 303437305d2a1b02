"""The cache while it may be down: who reads and who commits never notices."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeVar

from backbone.cache.errors import CacheUnavailable
from backbone.cache.key import CacheKey
from backbone.cache.port import Cache, CacheEntry, Lookup
from backbone.domain.dimension import Dimension

__all__ = ["GuardedCache"]

T = TypeVar("T")


class GuardedCache:
    """A cache that answers None where it is down, and is then left alone until `recover`.

    What would have been invalidated meanwhile is not known when it is back. So it then begins a new generation: it
    serves nothing of before.

    Args:
        cache: the adapter.
        went_down: told once for each outage, why.
        missed: whether invalidations may have been missed before now.
    """

    def __init__(self, cache: Cache, went_down: Callable[[CacheUnavailable], None], missed: bool = False) -> None:
        self.adapter = cache
        self._went_down = went_down
        self._missed = missed
        self.is_down = True

    async def recover(self) -> None:
        """Open it, and prove that it works; other calls may come meanwhile, and pass it by.

        Raises:
            CacheUnavailable: it does not yet.
        """
        await self.adapter.open()
        info = await self.adapter.probe()
        if not info.healthy:
            raise CacheUnavailable(info.degraded_reason or "the cache does not work")
        while self._missed:
            self._missed = False  # what is missed from now on is made up for by another turn
            try:
                await self.adapter.clear()
            except CacheUnavailable:
                self._missed = True
                raise
        self.is_down = False

    def glance(self, key: CacheKey, at_least: int) -> CacheEntry | None:
        """See the port."""
        return None if self.is_down else self.adapter.glance(key, at_least)

    async def get(self, key: CacheKey, at_least: int) -> Lookup | None:
        """See the port."""
        if self.is_down:
            return None
        try:
            return await self.adapter.get(key, at_least=at_least)
        except CacheUnavailable as error:  # as in `_tried`, without the price of one more call in each hit
            self._note(error)
            return None

    async def peek(self, key: CacheKey) -> CacheEntry | None:
        """See the port."""
        return None if self.is_down else await self._tried(self.adapter.peek(key))

    async def put(self, key: CacheKey, entry: CacheEntry, lease: str) -> None:
        """See the port."""
        if not self.is_down:
            await self._tried(self.adapter.put(key, entry, lease))

    async def release(self, key: CacheKey, lease: str) -> None:
        """See the port."""
        if not self.is_down:
            await self._tried(self.adapter.release(key, lease))

    async def invalidate(self, positions: Mapping[Dimension, Mapping[str, int]]) -> bool:
        """See the port; False: missed, and made up for when the cache is back."""
        for dimension, symbols in positions.items():
            if not await self._heard(partial(self.adapter.invalidate, dimension, symbols)):
                return False
        return True

    async def clear(self) -> bool:
        """See the port; False: missed, and made up for when the cache is back."""
        return await self._heard(self.adapter.clear)

    async def _heard(self, call: Callable[[], Awaitable[None]]) -> bool:
        if not self.is_down:
            await self._tried(call())
        self._missed = self._missed or self.is_down
        return not self.is_down

    async def _tried(self, call: Awaitable[T]) -> T | None:
        try:
            return await call
        except CacheUnavailable as error:
            self._note(error)
            return None

    def _note(self, error: CacheUnavailable) -> None:
        if not self.is_down:
            self.is_down = True
            self._went_down(error)
