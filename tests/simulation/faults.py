"""What goes wrong, when: drawn from the seed, each kind counted where it has happened."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

from actors.testing import Await

__all__ = ["CRASHES", "KINDS", "PATHS", "Faults", "InjectedCrash"]

CRASHES = ("store", "cache", "stream/relay", "stream/consumer", "stream/last", "ingest", "retention")
"""Whose awaits fail."""

KINDS = ("crash", "store", "outage", "slow", "unknown", "lost", "stream", "cancel", "operator", "clock")
"""What a seed draws a part of, so that each kind is also seen without the others."""

PATHS = (
    *(f"crash of {part}" for part in CRASHES),
    "store refused: unavailable",
    "store refused: busy",
    "store down for a while",
    "store slow",
    "write: outcome unknown, not committed",
    "write: outcome unknown, committed",
    "write: committed, then the store's actor crashed",
    "ingest crashed while a write was under way",
    "relay crashed between publish and cursor",
    "stream refused, not published",
    "stream refused, published",
    "stream slow",
    "record cancelled",
    "fetch cancelled",
    "ingest cancelled",
    "subscribe cancelled",
    "subscriber slow",
    "subscriber departed",
    "subscriber back by its token",
    "subscriber back by its position",
    "subscriber from the earliest",
    "subscriber told PositionLost",
    "outbox pruned",
    "backbone closed and opened again",
    "open refused",
    "database restored",
    "actor restarted by hand",
    "actor killed by hand",
    "actor suspended for a while",
    "clock set ahead",
    "clock set back",
    "fetch served stale",
    "rows superseded",
    "rows quarantined",
)
"""All that a run over many seeds has to have seen."""

_AWAITS = {"ingest": (1, 12), "retention": (1, 6)}  # of one part, between two of its crashes
_MOST_AWAITS = (1, 25)  # of those that wait more often


class InjectedCrash(RuntimeError):
    """A bug, injected."""


class Faults:
    """Draws what goes wrong, from a stream of chance of its own.

    Args:
        seed: of the run.
        note: told of each fault.

    Attributes:
        kinds: what may go wrong with this seed.
        seen: how often what has.
        on: False: nothing goes wrong now.
        down_until: until when (loop time) the store is down.
        writing: chunks that the store is given now.
        published: position up to which the stream has everything.
        advanced: position up to which the store knows that.
    """

    def __init__(self, seed: int, note: Callable[[str], None]) -> None:
        self._random = random.Random(f"{seed}:faults")
        self._note = note
        self.kinds = frozenset(self._random.sample(KINDS, self._random.randint(2, len(KINDS))))
        self.seen: Counter[str] = Counter()
        self.on = False
        self.down_until = 0.0
        self.writing = self.published = self.advanced = 0
        self._parts = frozenset(self._random.sample(CRASHES, self._random.randint(1, len(CRASHES))))
        self._left = {part: self._awaits(part) for part in CRASHES}

    def saw(self, path: str) -> None:
        """Count what has happened."""
        assert path in PATHS, path
        self.seen[path] += 1
        self._note(path)

    def chance(self, kind: str, probability: float) -> bool:
        """Whether it goes wrong now."""
        return self.on and kind in self.kinds and self._random.random() < probability

    def _awaits(self, part: str) -> int:
        return self._random.randint(*_AWAITS.get(part, _MOST_AWAITS))

    def pause(self, most: float) -> float:
        """Seconds."""
        return self._random.random() * most

    def at_await(self, base: str, at: Await) -> BaseException | None:
        """A crash of one of the actors below `base`, where its count has run out."""
        part = at.actor.removeprefix(f"{base}/")
        if not self.on or "crash" not in self.kinds or part not in self._parts:
            return None
        self._left[part] -= 1
        if self._left[part] > 0:
            return None
        self._left[part] = self._awaits(part)
        self.saw(f"crash of {part}")
        if part == "ingest" and self.writing:
            self.saw("ingest crashed while a write was under way")
        if part == "stream/relay" and self.published > self.advanced:
            self.saw("relay crashed between publish and cursor")
        self._note(f"at {at.where}")
        return InjectedCrash(f"injected at {at.where}")
