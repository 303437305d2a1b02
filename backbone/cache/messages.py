"""What the cache's actor is asked and told."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from actors import Message, Request
from backbone.cache.port import CacheMetrics
from backbone.domain import arguments
from backbone.domain.dimension import Dimension
from backbone.domain.frame import Frame
from backbone.domain.probe import ProbeAnswer
from backbone.store.records import (
    Query,
)

__all__ = ["Fetch", "Fetched", "ForgetWindows", "Invalidate", "ProbeCache", "ReadCacheMetrics", "WarmWindows"]


class Invalidate(Request[None], frozen=True):
    """Rows of these symbols changed at these outbox positions; once answered, no window is served that lacks them."""

    positions: Mapping[Dimension, Mapping[str, int]]

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        _require_positions(self.positions)


class Fetched(msgspec.Struct, frozen=True):
    """A window, the outbox position that it includes, and whether the cache had it."""

    frame: Frame
    position: int
    hit: bool


class Fetch(Request[Fetched], frozen=True):
    """A window through the cache; not older than the outbox position `at_least`."""

    query: Query
    at_least: int = 0

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("query", self.query, Query)
        arguments.count("at_least", self.at_least)


class ForgetWindows(Request[None], frozen=True):
    """Rows were dropped: serve no window that was read before this, of any dimension."""


class WarmWindows(Message, frozen=True):
    """A run has changed rows up to these positions: read again, before anybody asks, what was asked for lately."""

    positions: Mapping[Dimension, Mapping[str, int]]

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        _require_positions(self.positions)


class ProbeCache(Request[ProbeAnswer], frozen=True):
    """A round trip through the cache."""


class ReadCacheMetrics(Request[CacheMetrics], frozen=True):
    """The cache's counters."""

    reset: bool = False

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.flag("reset", self.reset)


def _require_positions(given: object) -> None:
    for dimension, positions in arguments.instance("positions", given, dict).items():
        arguments.instance("positions", dimension, Dimension)
        arguments.instance("positions", positions, dict)
