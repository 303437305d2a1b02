"""Explaining settings: every value with its origin, and what is questionable about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from backbone.domain.status import Status
from backbone.settings.connections import why_no_postgres
from backbone.settings.fingerprint import shown
from backbone.settings.leaves import leaves

if TYPE_CHECKING:
    from backbone.settings.schema import Settings

__all__ = ["Finding", "SettingRow", "check", "missing", "show"]


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
        origin = settings.origins.get(path, "default" if value == leaf.default else "code")
        rows.append(SettingRow(path, shown(path.rpartition(".")[2], value), origin, leaf.env, leaf.description))
    return rows


def missing(settings: Settings) -> tuple[str, ...]:
    """What refuses a start: services asked for without saying, legibly, where they are, or required and not chosen."""
    store, cache, stream = settings.store, settings.cache, settings.stream
    wanted = (
        ("store", "timescale", store.backend, store.required, store.dsn() is not None, "URL"),
        ("cache", "redis", cache.backend, cache.required, cache.dsn() is not None, "URL"),
        ("stream", "kafka", stream.backend, stream.required, stream.bootstrap is not None, "BOOTSTRAP"),
    )
    lines = []
    for section, service, backend, required, has_address, name in wanted:
        prefix = f"BACKBONE_{section.upper()}"
        if backend == service and not has_address:
            lines.append(f"{section}.backend is {service}, but its address is missing; set {prefix}_{name}")
        elif required and backend != service:
            choice = f"set {prefix}_BACKEND={service}, or {prefix}_REQUIRED=false"
            lines.append(f"{service} is required, but {section}.backend is {backend}; {choice}")
    address = store.dsn()
    why = why_no_postgres(address.reveal()) if address is not None and store.backend == "timescale" else ""
    return (*lines, f"store.url given, but {why}") if why else tuple(lines)


def check(settings: Settings) -> list[Finding]:
    """What is questionable: failed where a start would be refused, degraded where it would only be unwise."""
    findings = [Finding(line.partition(" ")[0], Status.FAILED, line) for line in missing(settings)]
    findings += [Finding("env", Status.DEGRADED, f"not used: {line}") for line in settings.ignored]
    for section, secret, encrypted in (
        ("store", settings.store.dsn(), settings.store.ssl_mode == "verify-full"),
        ("cache", settings.cache.dsn(), settings.cache.uses_tls),
    ):
        if secret is not None and not (encrypted or "verify-full" in secret.reveal() or _is_local(secret.reveal())):
            message = f"{section}.url leads to another machine without verified TLS; encrypt it"
            findings.append(Finding(f"{section}.url", Status.DEGRADED, message))
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


def _is_local(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return host in {"", "localhost", "::1"} or host.startswith("127.")
