"""Recovery: what is tried again at once where a run of section market missed something."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from backbone.settings.sections.base import Section

__all__ = ["RecoverySettings"]


class RecoverySettings(Section, frozen=True, kw_only=True):
    """What is tried again."""

    enabled: Annotated[bool, Meta(description="try again at once what a run missed, over a longer window")] = False
    max_attempts: Annotated[int, Meta(ge=1, le=10, description="so many times")] = 1
    lookback_multiplier: Annotated[
        float, Meta(ge=1, le=10, description="the window is so many times longer at each attempt")
    ] = 2.0
    target_missing_symbols: Annotated[bool, Meta(description="only the symbols that are missing")] = True
