"""Settings: one schema, loaded from YAML, the environment and overrides, each value with its origin.

A value comes in by `documents` (YAML), `environment` (with its aliases) or an override; `loading` merges them in this
order and notes the origin; `leaves` is the schema as a flat list, one entry for each setting, by which each text is
parsed and refused; `schema` and `sections` say what there is. So "why was my value refused?" is answered by `leaves`,
"where does it come from?" by `explain`.

Nothing heavy is loaded by importing this package; YAML is, when a file is read.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backbone.settings.documents import read_env_file
    from backbone.settings.errors import SettingsError
    from backbone.settings.explain import Finding, SettingRow, check, show
    from backbone.settings.loading import load_settings, parse_overrides
    from backbone.settings.redaction import RedactingFilter, redact, redact_mapping
    from backbone.settings.resources import profiles, resource
    from backbone.settings.schema import Settings
    from backbone.settings.secrets import Secret
    from backbone.settings.templates import render_template

__all__ = [
    "Finding",
    "RedactingFilter",
    "Secret",
    "SettingRow",
    "Settings",
    "SettingsError",
    "check",
    "load_settings",
    "parse_overrides",
    "profiles",
    "read_env_file",
    "redact",
    "redact_mapping",
    "render_template",
    "resource",
    "show",
]

_HOME = {
    "Finding": "explain",
    "RedactingFilter": "redaction",
    "Secret": "secrets",
    "SettingRow": "explain",
    "Settings": "schema",
    "SettingsError": "errors",
    "check": "explain",
    "load_settings": "loading",
    "parse_overrides": "loading",
    "profiles": "resources",
    "read_env_file": "documents",
    "redact": "redaction",
    "redact_mapping": "redaction",
    "render_template": "templates",
    "resource": "resources",
    "show": "explain",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
