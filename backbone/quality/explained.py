"""What a symbol is taken for, and what says so: a setting, a rule, the symbol itself, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Generic, TypeVar

import msgspec

from backbone.quality.symbols import Shown, shown_by
from backbone.settings.sections.instruments import InstrumentRule, Kind
from backbone.settings.session_hours import NO_SESSIONS, canonical_name

__all__ = ["Explained", "Named", "Said", "explained"]

T = TypeVar("T")

Rules = Sequence[tuple[int, InstrumentRule]]
"""Those that match a symbol, with their place among all, counted from 1."""

_NONPOSITIVE: frozenset[Kind] = frozenset({"future", "option", "rate", "macro"})
"""Kinds whose prices may be zero or less: crude oil was, on 20 April 2020; an option without a bid is quoted at 0."""
_BY_KIND: dict[Kind, str] = {"fx": "fx", "crypto": "24x7"}
_SYMBOL = "the symbol shows it"
_NOTHING = "nothing says it"


class Said(msgspec.Struct, Generic[T], frozen=True):
    """A value, and what says it."""

    value: T
    by: str


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one symbol, and by what.

    Attributes:
        symbol: its name.
        kind: what it is; ``unknown`` where nothing says it.
        calendar: the name of its calendar; ``none`` where nothing says it.
        nonpositive: whether its prices may be zero or less.
        tick: its prices are multiples of it; None: of nothing that is known.
    """

    symbol: str
    kind: Said[Kind]
    calendar: Said[str]
    nonpositive: Said[bool]
    tick: Said[float | None]


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """What settings say whatever the rules say.

    Attributes:
        sessions: calendars of single symbols, which are in capitals.
        session: the calendar of all others.
        any_price: every price may be zero or less.
        own: the names of one's own calendars.
    """

    sessions: Mapping[str, str]
    session: str | None
    any_price: bool
    own: Container[str]


def explained(symbol: str, rules: Rules, named: Named) -> Explained:
    """What is known of a symbol: of each thing the first that says it.

    Args:
        symbol: its name.
        rules: those that match it, in their order.
        named: what settings say besides.
    """
    shown = shown_by(symbol)
    kind: Said[Kind] = Said(shown.kind, _NOTHING if shown.kind == "unknown" else _SYMBOL)
    kind = _by_rule(rules, lambda rule: rule.kind) or kind
    return Explained(
        symbol=symbol,
        kind=kind,
        calendar=_calendar(symbol, rules, named) or _calendar_of(kind.value, shown),
        nonpositive=_nonpositive(kind, rules, named),
        tick=_by_rule(rules, lambda rule: rule.tick) or Said(None, _NOTHING),
    )


def _by_rule(rules: Rules, of: Callable[[InstrumentRule], T | None]) -> Said[T] | None:
    for number, rule in rules:
        value = of(rule)
        if value is not None:
            return Said(value, f"instruments.rules, number {number}: {rule.symbols}")
    return None


def _calendar(symbol: str, rules: Rules, named: Named) -> Said[str] | None:
    """The calendar that settings name for a symbol."""
    given = _session(symbol, named) or _by_rule(rules, lambda rule: rule.calendar)
    name = None if given is None else canonical_name(given.value, named.own)
    return None if given is None or name is None else Said(name, given.by)


def _session(symbol: str, named: Named) -> Said[str] | None:
    of_one = named.sessions.get(symbol.upper())
    if of_one is not None:
        return Said(of_one, f"quality.sessions: {symbol}")
    return None if named.session is None else Said(named.session, "quality.session")


def _calendar_of(kind: Kind, shown: Shown) -> Said[str]:
    if shown.kind == kind and shown.calendar:
        return Said(shown.calendar, _SYMBOL)
    name = None if shown.kind == kind else _BY_KIND.get(kind)
    return Said(name, f"kind {kind}") if name else Said(NO_SESSIONS, _NOTHING)


def _nonpositive(kind: Said[Kind], rules: Rules, named: Named) -> Said[bool]:
    if named.any_price:
        return Said(True, "quality.nonpositive_prices")
    by_kind = Said(kind.value in _NONPOSITIVE, f"kind {kind.value}")
    return _by_rule(rules, lambda rule: rule.nonpositive) or by_kind
