"""Quality: thresholds and trading calendars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta

from backbone.settings.sections.base import Section, Share

__all__ = ["QualitySettings", "Session"]

Session = Literal["fx", "24x7", "us_equities"]


class QualitySettings(Section, frozen=True, kw_only=True):
    """When rows are good enough."""

    warn_score: Annotated[Share, Meta(description="a score below is degraded")] = 0.85
    fail_score: Annotated[Share, Meta(description="a score below has failed")] = 0.60
    session: Annotated[Session, Meta(description="trading calendar of symbols that name no other")] = "fx"
    sessions: Annotated[Mapping[str, Session], Meta(description="trading calendar by symbol: AAPL=us_equities,…")] = {}

    def session_of(self, symbol: str) -> Session:
        """The trading calendar of a symbol."""
        return self.sessions.get(symbol, self.session)
