"""The control socket."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from backbone.settings.sections.base import Section, Text

__all__ = ["ControlSettings"]


class ControlSettings(Section, frozen=True, kw_only=True):
    """The socket by which another process asks a running backbone."""

    enabled: Annotated[bool, Meta(description="open the control socket")] = True
    path: Annotated[Text, Meta(description="the socket file; only this user may open it")] = "data/backbone.sock"
