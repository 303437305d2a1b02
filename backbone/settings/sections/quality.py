"""Quality: thresholds, what is kept aside, and trading calendars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta

from backbone.settings.sections.base import Section, Share, Text
from backbone.settings.sections.contracts import ContractSettings
from backbone.settings.sections.freshness import FeedSettings, FreshnessSettings
from backbone.settings.sections.repair import RepairSettings

__all__ = ["Doubtful", "QualitySettings"]

Doubtful = Literal["quarantine", "allow"]


class QualitySettings(Section, frozen=True, kw_only=True):
    """When rows are good enough."""

    warn_score: Annotated[Share, Meta(description="a score below is degraded")] = 0.85
    fail_score: Annotated[Share, Meta(description="a score below has failed")] = 0.60
    nonpositive_prices: Annotated[
        Doubtful, Meta(description="rows with a price of zero or less, of symbols whose prices can't be")
    ] = "quarantine"
    inconsistent_bars: Annotated[
        Doubtful, Meta(description="bars that open or close above their high or below their low")
    ] = "quarantine"
    session: Annotated[
        Text | None, Meta(description="trading calendar of all symbols, whatever instruments.rules and the symbols say")
    ] = None
    sessions: Annotated[
        Mapping[str, str], Meta(description="trading calendar by symbol, before all else: AAPL=us_equities,…")
    ] = {}
    freshness: FreshnessSettings = FreshnessSettings()
    feeds: FeedSettings = FeedSettings()
    repair: RepairSettings = RepairSettings()
    contracts: ContractSettings = ContractSettings()
