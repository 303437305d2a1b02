"""Which trading calendar a symbol has, by the settings."""

from __future__ import annotations

from collections.abc import Sequence

from backbone.quality.sessions import Calendar, calendar
from backbone.settings.sections.quality import QualitySettings

__all__ = ["calendar_of"]


def calendar_of(quality: QualitySettings, symbols: Sequence[str]) -> Calendar:
    """The calendar of these symbols: their common one, or the default."""
    names = {quality.session_of(symbol) for symbol in symbols}
    return calendar(names.pop() if len(names) == 1 else quality.session)
