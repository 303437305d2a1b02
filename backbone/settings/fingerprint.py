"""Settings as plain values without secrets, and their hash."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec

from backbone.settings.addresses import shown_place, shown_url
from backbone.settings.redaction import redact
from backbone.settings.secrets import MASK, Secret

if TYPE_CHECKING:
    from backbone.settings.schema import Settings

__all__ = ["fingerprint", "redacted_sections", "shown"]

_PLACES = frozenset({"host", "bootstrap"})
_NOT_SETTINGS = frozenset({"origins", "ignored"})


def shown(name: str, value: object) -> Any:
    """A value that can be shown: a secret masked, of a URL what is secret in it, a section as a mapping."""
    if isinstance(value, Secret):
        return shown_url(value.reveal()) if name == "url" else MASK
    if isinstance(value, msgspec.Struct):
        return {
            name: shown(name, getattr(value, name)) for name in value.__struct_fields__ if name not in _NOT_SETTINGS
        }
    if isinstance(value, str):
        return shown_place(value) if name in _PLACES else redact(value)
    if isinstance(value, Mapping):
        return {key: shown(key, item) for key, item in value.items()}
    return [shown(name, item) for item in value] if isinstance(value, tuple) else value


def redacted_sections(settings: Settings) -> dict[str, Any]:
    """All sections as plain nested values."""
    sections: dict[str, Any] = shown("settings", settings)
    return sections


def fingerprint(settings: Settings) -> str:
    """16 hex digits over the redacted values as canonical JSON."""
    return blake2b(msgspec.json.encode(redacted_sections(settings), order="sorted"), digest_size=8).hexdigest()
