"""Where the gate's answers stand: written by its actor, read by the trading process without a message.

What nobody has looked at for a while is not ok: an answer holds until the next looks are overdue, and no longer than
data is known to be fresh. A while is told by both clocks, for the monotonic one stands still while a machine sleeps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from backbone.domain import arguments
from backbone.domain.dimension import Dimension
from backbone.operations.gate.verdict import Gate, GateLevel, Reason, verdict
from backbone.operations.gate.watching import GateWatch

__all__ = ["Board", "Entry"]

_UNSEEN = "unobserved: nobody has looked at it yet"
_NEVER, _ALWAYS = float("-inf"), float("inf")


class _Clock(Protocol):
    def time(self) -> float: ...

    def now(self) -> datetime: ...


class Entry:
    """One symbol that somebody asked about.

    Attributes:
        gate: the answer as it was made last.
        until: monotonic seconds until which the answer may stand.
        kinds: of its reasons; None: it was not looked at yet.
    """

    __slots__ = ("gate", "kinds", "until")

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.until = _NEVER
        self.kinds: tuple[str, ...] | None = None


class Board:
    """All answers.

    Args:
        clock: of the system.
        room: symbols at most.
        patience: seconds for which a look holds.

    Attributes:
        as_of: moment of the last look.
    """

    def __init__(self, clock: _Clock, room: int, patience: float) -> None:
        self._clock = clock
        self._room = room
        self.patience = patience
        self._time, self._now = clock.time, clock.now
        self._holds_until = _NEVER
        self._lapsed = False
        self._entries: dict[tuple[Dimension, str], Entry] = {}
        self._asked: dict[tuple[str, str], Entry] = {}
        self._watches: dict[GateWatch, None] = {}
        self._wake: Callable[[], None] | None = None
        self._closed = False
        self.as_of = clock.now()
        self._holds_from = self._holds_to = self.as_of

    # for the trading process

    def gate(self, dimension: Dimension | str, symbol: str) -> Gate:
        """The answer for a symbol; the first question has it judged from then on."""
        try:
            entry = self._asked.get((dimension, symbol))
        except TypeError:  # which says nothing of what is allowed
            entry = None
        if entry is not None:
            now = self._time()
            if now < entry.until and now < self._holds_until and self._holds_from <= self._now() < self._holds_to:
                gate = entry.gate
                return gate if gate.as_of is self.as_of else self._confirmed(entry)
        return self._doubtful(Dimension.parse(dimension), arguments.text("symbol", symbol), dimension)

    def watch(self, dimension: Dimension | None, symbols: Sequence[str]) -> GateWatch:
        """Changes of some symbols, beginning with how each stands; of all that are asked about, where none is named."""
        watch = GateWatch(self._left, self._lapse, dimension, symbols)
        if self._closed:
            watch.close()
            return watch
        if dimension is not None:
            for symbol in symbols:
                self.gate(dimension, symbol)
        for key, entry in self._entries.items():
            if watch.wants(key):
                watch.put(self._checked(entry))
        self._watches[watch] = None
        return watch

    def _confirmed(self, entry: Entry) -> Gate:
        """The same answer as of the last look."""
        found = entry.gate
        gate = entry.gate = Gate(
            dimension=found.dimension,
            symbol=found.symbol,
            level=found.level,
            reasons=found.reasons,
            as_of=self.as_of,
        )
        return gate

    def _doubtful(self, dimension: Dimension, symbol: str, given: Dimension | str) -> Gate:
        """The answer where none holds: it was never looked at, or too long ago, or data has become old since."""
        key = (dimension, symbol)
        entry = self._entries.get(key)
        if entry is None:
            if len(self._entries) >= self._room:
                text = f"unobserved: {self._room:,} symbols are judged already; gate.symbols allows more"
                return self._blocked(dimension, symbol, text)
            entry = self._entries[key] = Entry(self._blocked(dimension, symbol, _UNSEEN))
            self.wake()
        if given == dimension or len(self._asked) < 2 * self._room:
            self._asked[given, symbol] = entry
        return self._checked(entry)

    def _checked(self, entry: Entry) -> Gate:
        found, now = entry.gate, self._time()
        if self._holds_until == _NEVER or entry.until == _NEVER:
            return found
        if now >= self._holds_until or not self._holds_from <= self._now() < self._holds_to:
            text = f"unobserved: nobody has looked since {self.as_of:%Y-%m-%dT%H:%M:%S.%fZ}"
            return self._blocked(found.dimension, found.symbol, text)
        if now >= entry.until:
            return self._blocked(found.dimension, found.symbol, "stale: its data has become old since the last look")
        return self._confirmed(entry)

    def _blocked(self, dimension: Dimension, symbol: str, text: str) -> Gate:
        return Gate(dimension=dimension, symbol=symbol, level=GateLevel.BLOCKED, reasons=(text,), as_of=self.as_of)

    def _left(self, watch: GateWatch) -> None:
        self._watches.pop(watch, None)

    def _lapse(self) -> float:
        """Have watches learn, once, that no answer holds any more; gives the seconds until that may be so."""
        left = self._holds_until - self._time()
        if self._lapsed or self._holds_until == _NEVER:
            return self.patience
        if left > 0:
            return left
        self._lapsed = True
        self._tell_all()
        return self.patience

    def _tell_all(self) -> None:
        """How each symbol stands, to those who watch; what was not judged yet does not stand."""
        for key, entry in self._entries.items():
            if entry.kinds is not None:
                self._put(key, self._checked(entry))

    def _put(self, key: tuple[Dimension, str], gate: Gate) -> None:
        for watch in self._watches:
            if watch.wants(key):
                watch.put(gate)

    def wake(self) -> None:
        """Have the actor look; where there is none just now, it looks when it begins."""
        if self._wake is not None:
            self._wake()

    def close(self) -> None:
        """The backbone is left: watches end after what they have."""
        self._closed = True
        for watch in list(self._watches):
            watch.close()

    # for the actor

    def serve(self, wake: Callable[[], None]) -> None:
        """The actor is there, and wants to know of new symbols."""
        self._wake = wake

    def entries(self) -> Iterator[tuple[tuple[Dimension, str], Entry]]:
        """Those asked about, each with its dimension and symbol."""
        return iter(self._entries.items())

    def __len__(self) -> int:
        return len(self._entries)

    def looked(self, as_of: datetime, began: float) -> None:
        """A look is done: answers hold from when it was begun.

        Args:
            as_of: that moment, by the wall clock.
            began: the same in monotonic seconds.
        """
        patience = timedelta(seconds=self.patience)
        self.as_of, self._holds_from, self._holds_to = as_of, as_of - patience, as_of + patience
        self._holds_until = began + self.patience
        if self._lapsed and self._time() < self._holds_until:
            self._lapsed = False
            self._tell_all()

    def answer(self, entry: Entry, reasons: Sequence[Reason], as_of: datetime, fresh_for: float | None) -> bool:
        """Put an answer, and tell those who watch where it is another one.

        Args:
            entry: of the symbol.
            reasons: what speaks against trading on it; none: nothing does.
            as_of: when the look began that found it.
            fresh_for: for how many seconds from now its data is known to be fresh; None: that does not matter.

        Returns:
            Whether level or kinds of reasons have changed.
        """
        before, kinds = entry.gate, entry.kinds
        level, texts = verdict(reasons)
        entry.kinds = tuple(sorted({each.kind for each in reasons}))
        entry.until = _ALWAYS
        if fresh_for is not None:
            entry.until = self._time() + fresh_for
        if before.level is level and before.reasons == texts and kinds is not None:
            return False
        entry.gate = Gate(dimension=before.dimension, symbol=before.symbol, level=level, reasons=texts, as_of=as_of)
        if before.level is level and kinds == entry.kinds:
            return False
        self._put((before.dimension, before.symbol), entry.gate)
        return True
