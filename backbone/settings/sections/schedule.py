"""Schedule: when what the section market says is fetched."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from backbone.settings.sections.base import Section

__all__ = ["ScheduleSettings"]


class ScheduleSettings(Section, frozen=True, kw_only=True):
    """When it is fetched by itself."""

    enabled: Annotated[bool, Meta(description="fetch by schedule what section market says")] = False
    interval: Annotated[float, Meta(ge=60, le=604_800, description="seconds from the end of a run to the next")] = (
        3600.0
    )
    jitter: Annotated[float, Meta(ge=0, le=86_400, description="by so many seconds it varies, earlier or later")] = (
        120.0
    )
    max_failures: Annotated[
        int, Meta(ge=0, le=1000, description="it stops after so many failed runs in a row, and says so; 0: never")
    ] = 3
    sessions: Annotated[
        bool, Meta(description="no run while every market was shut since the last one, for nothing new can have come")
    ] = True
    seed: Annotated[int | None, Meta(description="of the jitter, so that it is the same again; none: by chance")] = None
    after_close: Annotated[
        float, Meta(ge=0, le=86_400, description="seconds for which a market counts as open after its close")
    ] = 3600.0
