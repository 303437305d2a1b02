"""Which symbol is what: its kind, its calendar, what its prices may be. Everything that asks for a calendar asks here.

For example with the rule ``{symbols: "*.T", calendar: XTKS, kind: equity}`` the symbol ``7203.T`` trades by the
sessions of Tokyo, with its break at noon. What counts, the first of these that says something:

1. ``quality.sessions`` (the calendar of one symbol) and ``quality.session`` (that of all).
2. The rules of ``instruments.rules`` that match, in their order; for each thing the first that says it.
3. What the symbol shows beyond doubt (`backbone.quality.symbols`), or the kind that a rule gives.

Where nothing says it, there is no calendar: such a symbol is never judged by that of another market.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cached_property, lru_cache
from threading import Event

import msgspec

from backbone.domain.threads import in_thread
from backbone.quality.exchanges import CalendarUnavailable, exchange, is_loaded, why_missing
from backbone.quality.explained import Explained, Named, explained
from backbone.quality.screening import Screening
from backbone.quality.sessions import CALENDARS, NO_CALENDAR, Calendar
from backbone.settings import Settings
from backbone.settings.exchanges import EXCHANGES
from backbone.settings.sections.instruments import Kind
from backbone.settings.session_hours import NO_SESSIONS, canonical_name, hours_of, pattern_of

__all__ = ["Instrument", "Instruments"]

_KEPT = 65_536


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one symbol.

    Attributes:
        symbol: its name.
        kind: what it is; ``unknown`` where nothing says it.
        calendar: the name of its calendar; ``none`` where nothing says it.
        nonpositive: whether its prices may be zero or less.
        tick: its prices are multiples of it; None: of nothing that is known.
    """

    symbol: str
    kind: Kind
    calendar: str
    nonpositive: bool
    tick: float | None


class Instruments:
    """The registry of the settings.

    Args:
        settings: the sections `quality` and `instruments`.

    Attributes:
        of: what is known of a symbol.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._folder = settings.instruments.calendar_folder
        self._rules = [(pattern_of(rule.symbols), rule) for rule in settings.instruments.rules]
        self._own = {name: _own_calendar(name, settings) for name in settings.instruments.sessions}
        self._named = Named(
            sessions={symbol.upper(): name for symbol, name in settings.quality.sessions.items()},
            session=settings.quality.session,
            any_price=settings.quality.nonpositive_prices == "allow",
            own=self._own,
        )
        self.of = lru_cache(maxsize=_KEPT)(self._look_up)

    def calendar_of(self, symbol: str) -> Calendar:
        """The calendar of a symbol; one that is not `known` where nothing names one.

        That of an exchange is computed when it is asked for the first time, which takes seconds (`is_ready`).

        Raises:
            CalendarUnavailable: that of an exchange can't be computed.
        """
        name = self.of(symbol).calendar
        if name == NO_SESSIONS:
            return NO_CALENDAR
        return self._own.get(name) or CALENDARS.get(name) or exchange(name, self._folder)

    def judging_calendar_of(self, symbol: str) -> Calendar:
        """The same for judgements, which a calendar that can't be had does not stop: they do without, and say why."""
        try:
            return self.calendar_of(symbol)
        except CalendarUnavailable as error:
            return _none_because(str(error))

    def calendar_at_hand(self, symbol: str) -> Calendar:
        """The same at once: that of an exchange has to be loaded before, or judgements do without."""
        missing = self._missing((symbol,))
        return _none_because(why_missing(missing[0], self._folder)) if missing else self.calendar_of(symbol)

    def is_ready(self, symbols: Iterable[str]) -> bool:
        """Whether the calendars of these symbols are at hand; if not, they are better asked for in a thread."""
        return not self._missing(symbols)

    async def load(self, symbols: Iterable[str], *, judging: bool = False) -> None:
        """Have the calendars of these symbols at hand; those of exchanges are files, or computed for seconds.

        Who is cancelled meanwhile does not wait for what is being computed.

        Args:
            symbols: that the calendars are of.
            judging: do without those that can't be had.

        Raises:
            CalendarUnavailable: one can't be had.
        """
        missing = self._missing(symbols)
        if missing:
            given_up = Event()
            await in_thread(lambda: self._load(missing, judging, given_up.is_set), interrupt=given_up.set)

    def _load(self, names: Iterable[str], judging: bool, stopped: Callable[[], bool]) -> None:
        for name in names:
            try:
                exchange(name, self._folder, stopped)
            except CalendarUnavailable:
                if not judging or stopped():
                    raise

    def _missing(self, symbols: Iterable[str]) -> list[str]:
        """The exchanges whose calendars are yet to be loaded."""
        if not self._names_exchanges:
            return []
        names = {self.of(symbol).calendar for symbol in symbols} & EXCHANGES
        return sorted(name for name in names if not is_loaded(name, self._folder))

    def may_be_nonpositive(self, symbol: str) -> bool:
        """Whether the prices of a symbol may be zero or less."""
        return self.of(symbol).nonpositive

    @property
    def screening(self) -> Screening:
        """What may be stored although it looks impossible."""
        return Screening(self.may_be_nonpositive, self.settings.quality.inconsistent_bars == "allow")

    def tick_of(self, symbol: str) -> float | None:
        """What the prices of a symbol are multiples of."""
        return self.of(symbol).tick

    @cached_property
    def _names_exchanges(self) -> bool:
        quality = self.settings.quality
        named = [quality.session, *quality.sessions.values(), *(rule.calendar for _, rule in self._rules)]
        return any(canonical_name(name, self._own) in EXCHANGES for name in named if name)

    def explain(self, symbol: str) -> Explained:
        """What is known of a symbol, and what says so."""
        rules = [(n, rule) for n, (pattern, rule) in enumerate(self._rules, 1) if pattern.match(symbol)]
        return explained(symbol, rules, self._named)

    def _look_up(self, symbol: str) -> Instrument:
        found = self.explain(symbol)
        return Instrument(
            symbol=symbol,
            kind=found.kind.value,
            calendar=found.calendar.value,
            nonpositive=found.nonpositive.value,
            tick=found.tick.value,
        )


@lru_cache(maxsize=256)
def _none_because(text: str) -> Calendar:
    return replace(NO_CALENDAR, why_unknown=text)


def _own_calendar(name: str, settings: Settings) -> Calendar:
    hours = hours_of(settings.instruments.sessions[name])
    return Calendar(
        name,
        hours.zone,
        hours.opens,
        hours.closes,
        weekdays=hours.weekdays,
        holidays=lambda year: frozenset(day for day in hours.holidays if day.year == year),
        early=lambda year: {day: time for day, time in hours.early.items() if day.year == year},
        breaks=hours.breaks,
    )
