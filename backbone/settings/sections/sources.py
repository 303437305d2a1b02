"""Sources: what files may say."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from backbone.settings.sections.base import Section

__all__ = ["SourcesSettings"]

Year = Annotated[int, Meta(ge=1, le=9999)]


class SourcesSettings(Section, frozen=True, kw_only=True):
    """What is believed of a file."""

    earliest: Annotated[Year, Meta(description="the first year of times in files; rows before it are bad")] = 1800
    latest: Annotated[Year, Meta(description="the last year of times in files; rows after it are bad")] = 2100
