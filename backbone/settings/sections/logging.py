"""Logging."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from backbone.settings.sections.base import Section

__all__ = ["LoggingSettings"]


class LoggingSettings(Section, frozen=True, kw_only=True):
    """What is logged, and how."""

    level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="the least level logged")] = "info"
    format: Annotated[Literal["console", "json"], Meta(description="for people or for machines")] = "console"
