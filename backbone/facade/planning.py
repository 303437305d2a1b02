"""Of which stored intervals bars are made: for each symbol the widest that fit, and those that fill its gaps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np

from backbone.domain import Frame
from backbone.domain.clock import MAX_US, MIN_US, to_us
from backbone.domain.text import written_out
from backbone.facade.holdings import Intervals, Span
from backbone.quality.calendars import HOW_TO_NAME
from backbone.quality.sessions import Calendar
from backbone.store.records import Query

__all__ = ["Complete", "Plan", "plan", "reach", "refusal"]

Plan = dict[tuple[str, ...], tuple[str, ...]]
"""Intervals, widest first, and the symbols whose bars are made of them."""

_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)
_REMEMBERED = 64
_MOST_ROWS = 5_000


class Complete:
    """Answers that left nothing open: who asks again and gets the same rows is not judged again."""

    def __init__(self) -> None:
        self._answers: dict[Query, tuple[Frame, list[dict[str, Span]]]] = {}

    def holds(self, query: Query, direct: Frame, spans: Sequence[Mapping[str, Span]]) -> bool:
        """Whether these are the rows that were judged, and what is stored besides reaches no further."""
        frame, reached = self._answers.get(query, (None, []))
        return frame is direct and reached == spans

    def note(self, query: Query, direct: Frame, spans: Sequence[Mapping[str, Span]]) -> None:
        """The rows of this query leave nothing open; many rows are not kept for that, and judged each time."""
        self._answers.pop(query, None)
        if direct.num_rows > _MOST_ROWS:
            return
        while len(self._answers) >= _REMEMBERED:
            del self._answers[next(iter(self._answers))]
        self._answers[query] = direct, [dict(each) for each in spans]


def plan(
    query: Query,
    direct: Frame,
    stored: Intervals,
    calendar_of: Callable[[str], Calendar],
    say: Callable[[str, str], None] = lambda _symbol, _text: None,
) -> tuple[Plan, str]:
    """What to make of what, and why a symbol that was named can't be served.

    A symbol that has the interval itself is in it where finer ones fill gaps of what was found. Finer ones that are of
    no use without a calendar stand in the way of none that need none.

    Args:
        query: for bars.
        direct: the bars of the interval that are stored.
        stored: what there is.
        calendar_of: the trading calendar of a symbol, as far as it is at hand.
        say: told of a symbol of which finer bars are left out, and why.
    """
    from backbone.quality.resample import TRADES, made_of, span_of

    interval = query.interval or ""
    bounded = query.start is not None or query.limit is not None
    of_trades = bounded and query.dimension.has_interval and span_of(interval) < _DAY
    sources: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for symbol in query.symbols or sorted(stored):
        there = stored.get(symbol, {})
        finer = tuple(each for each in made_of(interval) if each in there)
        usable = _usable(interval, finer, calendar_of(symbol)) if len(there) > 1 else finer
        if usable != finer and (usable or interval in there):
            _tell(symbol, interval, there, finer, usable, calendar_of(symbol), say)
        if interval in there:
            if usable and _has_gaps(query, direct, symbol, there, usable, calendar_of(symbol)):
                sources[interval, *usable].append(symbol)
        elif finer:
            sources[usable or finer].append(symbol)
        elif there and query.symbols:
            return {}, refusal(interval, f" of {written_out(symbol)}", set(there))
        elif of_trades and query.symbols:
            sources[(TRADES,)].append(symbol)
    if stored and not query.symbols and not sources and not any(interval in there for there in stored.values()):
        return {}, refusal(interval, "", set().union(*stored.values()))
    return {finer: tuple(symbols) for finer, symbols in sources.items()}, ""


def _usable(interval: str, finer: tuple[str, ...], calendar: Calendar) -> tuple[str, ...]:
    """The intervals of which bars can be made by this calendar; without one, days are not made of hours."""
    from backbone.quality.resample import span_of

    by_clock = span_of(interval) < _DAY and not calendar.why_unknown
    return finer if calendar.known or by_clock else tuple(each for each in finer if span_of(each) >= _DAY)


def _tell(
    symbol: str,
    interval: str,
    stored: Mapping[str, Span],
    finer: Sequence[str],
    usable: Sequence[str],
    calendar: Calendar,
    say: Callable[[str, str], None],
) -> None:
    """Say that finer bars are left out, where they reach further than those that are taken."""
    taken = [stored[each] for each in (interval, *usable) if each in stored]
    until = max(last for _, last in taken) + _microseconds(interval if interval in stored else usable[0])
    left = [each for each in finer if each not in usable]
    if any(stored[each][0] < min(first for first, _ in taken) or stored[each][1] >= until for each in left):
        why = calendar.why_unknown or f"no calendar is known of it; {HOW_TO_NAME}"
        say(symbol, f"{interval} bars do without the {', '.join(left)} bars that reach further, for {why}")


def refusal(interval: str, of: str, stored: set[str]) -> str:
    """Why bars can't be given, and which could be."""
    from backbone.domain.clock import INTERVALS
    from backbone.quality.resample import made_of

    there = [each for each in INTERVALS if each in stored]
    allowed = [each for each in INTERVALS if each in stored or stored.intersection(made_of(each))]
    return (
        f"interval={interval} given, but {interval} bars{of} are not stored and can't be made of those that "
        f"are ({', '.join(there)}); allowed: {', '.join(allowed)}; or ingest bars of {interval} or finer"
    )


def _microseconds(interval: str) -> int:
    """How many microseconds a bar lasts at most."""
    from backbone.quality.resample import span_of

    return span_of(interval) // _MICROSECOND


def reach(
    spans: Mapping[str, Span], interval: str, start: datetime | None, end: datetime | None
) -> dict[str, tuple[np.datetime64, np.datetime64]]:
    """By symbol, from the first row of an interval to the end of the last, as far as that lies in a window.

    Args:
        spans: how far the interval reaches, by symbol.
        interval: of the rows.
        start: first moment of the window, None: open.
        end: last moment of the window, None: open.
    """
    least, most = MIN_US if start is None else to_us(start), MAX_US if end is None else to_us(end)
    width = _microseconds(interval)
    found: dict[str, tuple[np.datetime64, np.datetime64]] = {}
    for symbol, (first, last) in spans.items():
        begin, until = max(first, least), min(last + width, most + 1)
        if begin < until:
            found[symbol] = np.datetime64(begin, "us"), np.datetime64(until, "us")
    return found


def _has_gaps(
    query: Query, direct: Frame, symbol: str, stored: Mapping[str, Span], finer: tuple[str, ...], calendar: Calendar
) -> bool:
    """Whether finer bars tell of moments of the window of which none of the bars that were found does."""
    from backbone.quality.layers import has_gap

    full = query.limit is not None and direct.num_rows >= query.limit
    windows = [reach({symbol: stored[each]}, each, direct.start if full else query.start, query.end) for each in finer]
    spans = [window[symbol] for window in windows if window]
    if not spans:
        return False
    own = direct if direct.symbols == (symbol,) else direct.select(symbols=[symbol])
    first, last = min(a for a, _ in spans), max(b for _, b in spans)
    return has_gap(own.column("ts"), query.interval or "", first, last, calendar)
