"""Instruments: what a symbol is, when it trades, what its prices may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct

from backbone.settings.sections.base import Section, Text

__all__ = ["BUILT_IN", "InstrumentRule", "InstrumentsSettings", "Kind", "SessionHours"]

Kind = Literal["fx", "crypto", "equity", "etf", "index", "future", "option", "rate", "macro", "unknown"]

BUILT_IN = ("fx", "24x7", "us_equities", "cme", "nymex", "cme_fx")
"""The calendars that need no package and no settings."""

_Name = Annotated[str, Meta(min_length=1, max_length=64)]
_Time = Annotated[str, Meta(pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)\Z")]
_Pause = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d *- *([01]\d|2[0-3]):[0-5]\d\Z")]
_Date = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\d\Z")]


class InstrumentRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What holds for the symbols that match; what a rule leaves open is said by the next one that matches.

    Attributes:
        symbols: a pattern in any case: ``*`` any letters, ``?`` one, ``[abc]`` one of these.
        calendar: the name of a calendar; ``none`` says that there is none.
        kind: what they are.
        nonpositive: whether their prices may be zero or less.
        tick: their prices are multiples of it.
    """

    symbols: Annotated[str, Meta(min_length=1, max_length=256)]
    calendar: _Name | None = None
    kind: Kind | None = None
    nonpositive: bool | None = None
    tick: Annotated[float, Meta(gt=0, le=1e12)] | None = None


class SessionHours(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A calendar of one's own.

    Attributes:
        zone: IANA name of the zone of the times.
        open: such as ``09:00``; not before the close means on the eve.
        close: of the session date; a session holds its open, but not its close.
        days: weekdays of the session dates: ``mon-fri``, ``sun,mon-thu``.
        breaks: pauses within a session: ``11:30-12:30``.
        holidays: session dates that are left out.
        early: session dates that end early, each with its close.
    """

    zone: Text
    open: _Time
    close: _Time
    days: Text = "mon-fri"
    breaks: tuple[_Pause, ...] = ()
    holidays: tuple[_Date, ...] = ()
    early: Mapping[_Date, _Time] = {}


class InstrumentsSettings(Section, frozen=True, kw_only=True):
    """What a symbol is, when it trades, what its prices may be."""

    rules: Annotated[
        tuple[InstrumentRule, ...],
        Meta(description="what holds for which symbols, the first that matches first: symbols, calendar, kind, …"),
    ] = ()
    sessions: Annotated[
        Mapping[str, SessionHours], Meta(description="calendars of your own by name: zone, open, close, days, …")
    ] = {}
    calendar_folder: Annotated[
        Text, Meta(description="a folder: the sessions of exchanges are kept there once they are computed")
    ] = "data/calendars"
