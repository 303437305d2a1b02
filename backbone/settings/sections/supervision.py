"""Supervision: restarts and time limits."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from actors import Backoff, Intensity
from backbone.settings.sections.base import Seconds, Section

__all__ = ["SupervisionSettings"]

_WELL = 5.0  # seconds after which a part that fell has proved itself: its next fall is a first one


class SupervisionSettings(Section, frozen=True, kw_only=True):
    """When actors are restarted, and how long things may take."""

    backoff: Annotated[Seconds, Meta(description="a part that fell is restarted after so long, then ever later")] = 0.1
    backoff_most: Annotated[Seconds, Meta(description="at the latest after so long, for as long as we are open")] = 30.0
    # above what the backoff lets all parts together come to, so that it never ends the tree by itself
    restarts: Annotated[int, Meta(ge=0, le=1000, description="restarts within the window; one more ends the tree")] = (
        100
    )
    within: Annotated[Seconds, Meta(description="the window")] = 5.0
    ask_timeout: Annotated[Seconds, Meta(description="a part that answers no probe within this is busy")] = 5.0
    shutdown: Annotated[Seconds, Meta(description="an actor has so long to stop")] = 5.0

    def delays(self) -> Backoff:
        """Between the restarts of each part."""
        return Backoff(initial=self.backoff, maximum=self.backoff_most, reset_after=_WELL)

    def budget(self) -> Intensity:
        """Of each supervisor."""
        return Intensity(restarts=self.restarts, within=self.within)
