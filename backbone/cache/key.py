"""What a cached window is filed under, in this process and on a server that others share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import blake2b

import msgspec

from backbone.domain.clock import to_us
from backbone.domain.codec import VERSION
from backbone.domain.dimension import Dimension

__all__ = ["CacheKey", "space"]


class CacheKey(msgspec.Struct, frozen=True):
    """One window of one dimension; equal questions have equal keys.

    Attributes:
        dimension: dimension asked for.
        symbols: sorted symbols (or calendars), without repetition; empty means all.
        interval: bar interval, None where the dimension has none.
        start_us: first moment, microseconds since 1970 UTC, inclusive; None is open.
        end_us: last moment, likewise.
        limit: newest rows asked for, None is all.
        made: the bars that are made of the rows: interval, width and offset; empty: the rows themselves.
    """

    dimension: Dimension
    symbols: tuple[str, ...] = ()
    interval: str | None = None
    start_us: int | None = None
    end_us: int | None = None
    limit: int | None = None
    made: tuple[str, int, int] | tuple[()] = ()

    @classmethod
    def of(
        cls,
        dimension: Dimension,
        symbols: Iterable[str] = (),
        *,
        interval: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int | None = None,
        made: tuple[str, int, int] | tuple[()] = (),
    ) -> CacheKey:
        """The key of a question; order and repetition of symbols do not matter.

        Raises:
            ValueError: a moment without time zone.
        """
        return cls(
            dimension=dimension,
            symbols=tuple(sorted(set(symbols))),
            interval=interval,
            start_us=None if start is None else to_us(start),
            end_us=None if end is None else to_us(end),
            limit=limit,
            made=made,
        )

    @property
    def text(self) -> str:
        """The dimension and 32 hex digits, the same in every process."""
        parts = msgspec.json.encode((self.symbols, self.interval, self.start_us, self.end_us, self.limit, *self.made))
        return f"{self.dimension}:{blake2b(parts, digest_size=16).hexdigest()}"

    def name(self, space: str) -> str:
        """The key as a shared server knows it; see `space`."""
        return f"{space}:{self.text}"

    def concerns(self, positions: Mapping[Dimension, Mapping[str, int]]) -> bool:
        """Whether rows of this window may be among those that changed."""
        changed = positions.get(self.dimension, {})
        return bool(changed) and (not self.symbols or not changed.keys().isdisjoint(self.symbols))


def space(namespace: str, database: str, generation: str) -> str:
    """The part of a shared server's key that separates what must never meet.

    Args:
        namespace: of the policy.
        database: whose rows they are. Another one has other positions: its entries would refuse all of ours, or be
            served in their place.
        generation: names a life of the cache; each `clear` begins another one.

    Returns:
        These and the version of the codec: an older or newer release does not meet bytes that it can't read. What
        stands in braces puts all keys of a database into one slot of a cluster, where one script reaches them.
    """
    owner = blake2b(database.encode(), digest_size=8).hexdigest()
    return f"{namespace}:{{c{VERSION}:{owner}}}:{generation}"
