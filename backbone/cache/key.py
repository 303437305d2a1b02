"""What a cached window is filed under."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from hashlib import blake2b

import msgspec

from backbone.domain.clock import to_us
from backbone.domain.dimension import Dimension

__all__ = ["CacheKey"]


class CacheKey(msgspec.Struct, frozen=True):
    """One window of one dimension; equal questions have equal keys.

    Attributes:
        dimension: dimension asked for.
        symbols: sorted symbols (or calendars), without repetition; empty means all.
        interval: bar interval, None where the dimension has none.
        start_us: first moment, microseconds since 1970 UTC, inclusive; None is open.
        end_us: last moment, likewise.
        limit: newest rows asked for, None is all.
    """

    dimension: Dimension
    symbols: tuple[str, ...] = ()
    interval: str | None = None
    start_us: int | None = None
    end_us: int | None = None
    limit: int | None = None

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
        )

    @property
    def text(self) -> str:
        """The dimension and 32 hex digits, the same in every process."""
        parts = msgspec.json.encode((self.symbols, self.interval, self.start_us, self.end_us, self.limit))
        return f"{self.dimension}:{blake2b(parts, digest_size=16).hexdigest()}"

    def name(self, namespace: str) -> str:
        """The key as a shared server knows it."""
        return f"{namespace}:{self.text}"
