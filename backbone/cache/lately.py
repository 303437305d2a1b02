"""Which windows were asked for lately: those that are worth to be read again when their rows have changed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping

from backbone.cache.key import CacheKey
from backbone.domain.dimension import Dimension
from backbone.store.records import Query

__all__ = ["LastAsked"]

_KEPT = 16


class LastAsked:
    """The last few windows, each once."""

    def __init__(self) -> None:
        self._queries: OrderedDict[CacheKey, Query] = OrderedDict()

    def asked(self, key: CacheKey, query: Query) -> None:
        """Somebody asks for it now."""
        self._queries[key] = query
        self._queries.move_to_end(key)
        if len(self._queries) > _KEPT:
            self._queries.popitem(last=False)

    def concerned(self, changed: Mapping[Dimension, Mapping[str, int]]) -> Iterator[tuple[CacheKey, Query, int]]:
        """Those of which rows have changed, the last first, and up to which position."""
        for key, query in reversed(tuple(self._queries.items())):
            if key.concerns(changed):
                positions = changed[key.dimension]
                yield key, query, max(at for symbol, at in positions.items() if symbol in (key.symbols or positions))
