"""Env-file templates, generated from the schema: every setting with what it is for and its value in a profile."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from backbone.settings.explain import show
from backbone.settings.leaves import leaves
from backbone.settings.loading import load_settings

__all__ = ["render_template"]


def render_template(profile: str) -> str:
    """The env-file template of a profile: every setting as a comment, ready to be uncommented and changed.

    Raises:
        SettingsError: there is no such profile.
    """
    settings = load_settings(profile=profile)
    lines = [
        f"# Environment of the {profile} profile. Generated from the settings schema; do not edit this copy.",
        "# Uncomment what you want to change. Secrets may also be read from a file: NAME_FILE=/path/to/file.",
        f"BACKBONE_PROFILE={profile}",
    ]
    section = ""
    for row in show(settings):
        if row.path == "profile":
            continue
        leaf = leaves()[row.path]
        group = row.path.rpartition(".")[0]
        if group != section:
            lines += ["", f"# {group}"]
            section = group
        lines += [f"# {leaf.description} ({leaf.allowed})", f"# {row.env}={_written(row.value)}"]
    return "\n".join(lines) + "\n"


def _written(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list) or (isinstance(value, Mapping) and any(isinstance(v, Mapping) for v in value.values())):
        return msgspec.json.encode(value).decode() if value else ""
    if isinstance(value, Mapping):
        return ",".join(f"{name}={item}" for name, item in value.items())
    return str(value)
