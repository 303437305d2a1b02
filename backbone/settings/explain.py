"""Explaining settings: every value with its origin, and what is questionable about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from backbone.domain.status import Status
from backbone.settings.backends import SERVERS
from backbone.settings.fingerprint import shown
from backbone.settings.leaves import leaves
from backbone.settings.starting import obstacles
from backbone.settings.transport import exposures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backbone.settings.schema import Settings

__all__ = ["Finding", "SettingRow", "check", "origin_of", "show"]


class SettingRow(msgspec.Struct, frozen=True):
    """One setting as it is shown."""

    path: str
    value: Any
    origin: str
    env: str
    description: str


class Finding(msgspec.Struct, frozen=True):
    """Something questionable about a setting, and what to do."""

    path: str
    status: Status
    message: str


def show(settings: Settings) -> list[SettingRow]:
    """Every setting with its value (secrets masked) and its origin, in the order of the schema."""
    rows = []
    for path, leaf in leaves().items():
        value: Any = settings
        for name in path.split("."):
            value = getattr(value, name)
        shown_value = shown(path.rpartition(".")[2], value)
        rows.append(SettingRow(path, shown_value, origin_of(settings, path), leaf.env, leaf.description))
    return rows


def origin_of(settings: Settings, path: str) -> str:
    """Where a value came from; of settings that code constructed, whether it is the default."""
    value: Any = settings
    for name in path.split("."):
        value = getattr(value, name)
    return settings.origins.get(path, "default" if value == leaves()[path].default else "code")


def check(settings: Settings) -> list[Finding]:
    """What is questionable: failed where a start would be refused, degraded where it would only be unwise."""
    refused = obstacles(settings)
    findings = [Finding(path, Status.FAILED, text) for path, text in refused]
    findings += [Finding(_path_of(line), Status.DEGRADED, f"not used: {line}") for line in settings.ignored]
    findings += _about_insecure(settings, {each.path for each in refused})
    for name in ("daily_bars", "intraday_bars", "trades", "quotes", "order_book", "macro_events"):
        days = getattr(settings.retention, name)
        path = f"retention.{name}"
        if days.minimum_days > days.target_days:
            message = f"{path}.minimum_days {days.minimum_days} is above the target; {days.target_days} is used"
            findings.append(Finding(f"{path}.minimum_days", Status.DEGRADED, message))
        if days.cap_days is not None and days.cap_days < days.target_days:
            message = f"{path}.cap_days {days.cap_days} is below the target; {days.target_days} is used"
            findings.append(Finding(f"{path}.cap_days", Status.DEGRADED, message))
    return findings


def _about_insecure(settings: Settings, refused: set[str]) -> Iterator[Finding]:
    """Where it has an effect, and where it has none and would hide one to come."""
    exposed = {each.section: each for each in exposures(settings)}
    for section in SERVERS:
        path, each = f"{section}.insecure", exposed.get(section)
        if not getattr(settings, section).insecure or path in refused:
            continue
        text = "nothing needs it; leave it out" if each is None else f"{each.text}; {each.remedy}"
        yield Finding(path, Status.DEGRADED, f"{path} is true: {text}")


def _path_of(line: str) -> str:
    """The setting that a note is about, "env" for a variable that no setting is read from."""
    name = line.partition(" (")[0]
    return name if name in leaves() else "env"
