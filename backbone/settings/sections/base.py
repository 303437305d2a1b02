"""What all sections share: the base class, and the types with their bounds."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from backbone.settings.fingerprint import shown
from backbone.settings.secrets import Secret

__all__ = ["Count", "Days", "Identifier", "Port", "Seconds", "Section", "Share", "Text"]

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Port = Annotated[int, Meta(ge=1, le=65_535)]
Share = Annotated[float, Meta(ge=0, le=1)]
Days = Annotated[int, Meta(ge=1, le=36_500)]
Count = Annotated[int, Meta(ge=1, le=1_000_000_000)]
Text = Annotated[str, Meta(min_length=1, max_length=1024)]
Identifier = Annotated[str, Meta(pattern=r"^[a-z_][a-z0-9_]{0,62}\Z")]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group of settings; the description of each field is what templates and ``config show`` print."""

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={_shown(name, getattr(self, name))!r}" for name in self.__struct_fields__)
        return f"{type(self).__name__}({fields})"


def _shown(name: str, value: object) -> object:
    """A password may have gone into a setting that is no secret."""
    return shown(name, value) if isinstance(value, str) and not isinstance(value, Secret) else value
