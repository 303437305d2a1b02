"""How long the cache keeps what, and how much of it: one table of strategies, each figure of which can be replaced."""

from __future__ import annotations

import random
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

__all__ = ["DEFAULT", "STRATEGIES", "Limit", "Policy"]

DEFAULT: Final = "default"
"""Stands for "what the strategy says"."""

Limit = float | str | None
"""A number; None, "none" or "off" for no limit; `DEFAULT` for the strategy's own figure."""


class _Strategy(NamedTuple):
    ttl_s: float
    capacity: int


STRATEGIES: Final = MappingProxyType(
    {
        "standard": _Strategy(900.0, 1024),
        "aggressive": _Strategy(120.0, 512),
        "extended": _Strategy(43_200.0, 4096),
        "bootstrap": _Strategy(1800.0, 256),
        "disabled": _Strategy(0.0, 0),
    }
)
"""Time to live in seconds and capacity in entries, by name."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What an adapter has to keep to.

    Attributes:
        ttl_s: time to live in seconds, an upper bound; None is for ever.
        ttl_jitter: fraction (0 to below 1) of the time to live by which an entry may live shorter, so that entries
            stored together do not all expire together.
        capacity: entries held; None is no bound.
        lease_s: seconds that one who loads a window is waited for before another one may; longer than most reads take.
        namespace: prefix of all keys.
        strategy: name of the row of `STRATEGIES` that the figures come from.
    """

    ttl_s: float | None = 900.0
    ttl_jitter: float = 0.1
    capacity: int | None = 1024
    lease_s: float = 35.0
    namespace: str = "backbone:cache"
    strategy: str = "standard"

    @classmethod
    def of(
        cls,
        strategy: str = "standard",
        *,
        ttl: Limit = DEFAULT,
        ttl_jitter: float = 0.1,
        capacity: Limit = DEFAULT,
        namespace: str = "backbone:cache",
    ) -> Policy:
        """A policy from settings; figures given replace those of the strategy.

        Raises:
            ValueError: an unknown strategy, a figure that is none, an empty namespace.
        """
        if strategy not in STRATEGIES:
            raise ValueError(f"cache strategy {strategy!r} given; allowed: {', '.join(STRATEGIES)}")
        if not 0.0 <= ttl_jitter < 1.0:
            raise ValueError(f"ttl_jitter={ttl_jitter} given; allowed: 0 up to, not including, 1")
        if not namespace or any(char.isspace() for char in namespace):
            raise ValueError(f"namespace={namespace!r} given; a name without spaces is needed")
        own = STRATEGIES[strategy]
        slots = _limit("capacity", capacity, own.capacity)
        if strategy == "disabled":
            ttl, slots = 0.0, 0.0
        return cls(
            ttl_s=_limit("ttl", ttl, own.ttl_s),
            ttl_jitter=ttl_jitter,
            capacity=None if slots is None else int(slots),
            namespace=namespace,
            strategy=strategy,
        )

    @property
    def is_enabled(self) -> bool:
        """Whether anything is cached at all."""
        return self.strategy != "disabled" and self.capacity != 0 and self.ttl_s != 0

    def lifetime(self, randomness: random.Random) -> float | None:
        """Seconds that one new entry lives: the time to live less its jitter; None is for ever."""
        if self.ttl_s is None:
            return None
        return self.ttl_s * (1.0 - self.ttl_jitter * randomness.random())


def _limit(name: str, given: Limit, own: float) -> float | None:
    if isinstance(given, str):
        word = given.strip().lower()
        if word == DEFAULT:
            return own
        if word in {"none", "off"}:
            return None
    elif given is None:
        return None
    elif not isinstance(given, bool) and given >= 0:
        return given
    raise ValueError(f"{name}={given!r} given; allowed: a number of 0 or more, 'none' or 'off' for no limit")
