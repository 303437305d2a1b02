"""Macro events that the settings or a file name, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from backbone.domain import Frame
from backbone.domain.clock import parse_time
from backbone.domain.dimension import Dimension
from backbone.ingest.market import Planned
from backbone.settings.documents import read_text
from backbone.settings.errors import SettingsError
from backbone.settings.sections.market import GivenEvent
from backbone.sources.errors import InputInvalid

__all__ = ["frame_of_events", "given_events"]

_MOST_BYTES = 16 * 2**20
_VALUES = ("calendar", "event", "currency", "actual", "forecast", "previous", "importance", "category")


def given_events(planned: Planned) -> Sequence[GivenEvent]:
    """The events of the settings, or of the file that they name; reading it blocks.

    Raises:
        InputInvalid: the file can't be used; says what is wrong with it.
    """
    if planned.file is None:
        return planned.events or ()
    try:
        text = read_text(Path(planned.file), planned.file, _MOST_BYTES)
        return msgspec.json.decode(text, type=tuple[GivenEvent, ...])
    except SettingsError as error:
        raise InputInvalid(str(error)) from None
    except msgspec.MsgspecError as error:
        allowed = (
            'allowed is a JSON list of objects such as {"ts": "2026-03-01T13:30:00Z", "calendar": "US", "event": "CPI"}'
        )
        raise InputInvalid(f"{planned.file}: {error}; {allowed}") from error


def frame_of_events(given: Sequence[GivenEvent], calendars: Sequence[str], limit: int | None) -> Frame:
    """The events as rows.

    Args:
        given: the events.
        calendars: only those of these, whatever their case; empty: all.
        limit: the newest so many.

    Raises:
        InputInvalid: a time is none.
    """
    wanted = {calendar.casefold() for calendar in calendars}
    rows = []
    for each in given:
        if wanted and each.calendar.casefold() not in wanted:
            continue
        try:
            at = parse_time(each.ts or each.timestamp or "")
        except ValueError as error:
            raise InputInvalid(f"event {each.event!r}: {error}") from error
        rows.append({"ts": at, **{name: getattr(each, name) for name in _VALUES}})
    rows.sort(key=lambda row: row["ts"])
    rows = rows if limit is None else rows[-limit:]
    return Frame.from_records(Dimension.MACRO_EVENTS, rows) if rows else Frame.empty(Dimension.MACRO_EVENTS)
