"""Settings that were given and change nothing: told, never swallowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backbone.settings.connections import fill_in, uses_tls, with_tls
from backbone.settings.leaves import Leaf, leaves
from backbone.settings.sections.stream import security_protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["advice", "rank", "without_effect"]


def without_effect(values: Mapping[str, Any], origins: Mapping[str, str]) -> Iterator[str]:
    """What to say of each setting that differs from its default and has no effect beside the others."""
    for path, leaf in leaves().items():
        if values[path] != leaf.default:
            reason = _another_backend(leaf, values) or _beside_others(path, values, origins)
            if reason:
                yield f"{path} ({origins[path]}): {reason}"


def _another_backend(leaf: Leaf, values: Mapping[str, Any]) -> str:
    switch = f"{leaf.section}.backend"
    if leaf.backend is None or leaf.backend == values[switch]:
        return ""
    return f"{switch} is {values[switch]}; {advice(switch, leaf.backend)}"


def advice(switch: str, backend: str) -> str:
    """How to use what only one backend reads."""
    return f"set {leaves()[switch].env}={backend} to use it"


def _beside_others(path: str, values: Mapping[str, Any], origins: Mapping[str, str]) -> str:
    if path in _IDLE:
        idle, reason = _IDLE[path]
        return reason if idle(values) else ""
    section, _, name = path.partition(".")
    url = f"{section}.url"
    if section not in {"store", "cache"} or values[url] is None or not _said_by_url(name, values, section):
        return ""
    # a file describes its own host: a URL that was given above it replaces all of that, as it should
    replaced = rank(origins[path]) == _FILE < rank(origins[url])
    return "" if replaced else f"{url} says it already; change the URL"


_IDLE: Mapping[str, tuple[Callable[[Mapping[str, Any]], bool], str]] = {
    "confirm_live": (lambda values: values["run_mode"] != "live", "run_mode is not live; set BACKBONE_RUN_MODE=live"),
    "retention.enabled": (
        lambda values: values["store.backend"] == "duckdb" or not values["retention.interval"],
        "rows are dropped by schedule only from a server store and with a retention.interval above 0",
    ),
    "schedule.enabled": (
        lambda values: not values["market.symbols"] and not values["market.macro"],
        "nothing is planned; set BACKBONE_MARKET_SYMBOLS",
    ),
    "cache.strategy": (lambda values: values["cache.backend"] == "off", "cache.backend is off"),
    **dict.fromkeys(
        ("stream.ssl_root_cert", "stream.ssl_cert", "stream.ssl_key", "stream.ssl_key_password"),
        (
            lambda values: "SSL" not in _protocol(values).split("_"),
            "no TLS is spoken with Kafka; set BACKBONE_STREAM_SECURITY_PROTOCOL to SASL_SSL or SSL",
        ),
    ),
    **dict.fromkeys(
        ("stream.user", "stream.password", "stream.sasl_mechanism"),
        (
            lambda values: not _protocol(values).startswith("SASL"),
            "nobody is authenticated; set BACKBONE_STREAM_SECURITY_PROTOCOL to SASL_SSL, and user and password",
        ),
    ),
    "cache.ssl_root_cert": (
        lambda values: not _cache_uses_tls(values),
        "redis is not spoken to by TLS; set BACKBONE_CACHE_SSL=true",
    ),
    "control.path": (lambda values: not values["control.enabled"], "control.enabled is false"),
}


def _protocol(values: Mapping[str, Any]) -> str:
    return security_protocol(values["stream.security_protocol"], values["stream.user"], values["stream.password"])


def _cache_uses_tls(values: Mapping[str, Any]) -> bool:
    url = values["cache.url"]
    return bool(values["cache.ssl"]) or (url is not None and uses_tls(url.reveal()))


def _said_by_url(name: str, values: Mapping[str, Any], section: str) -> bool:
    """Whether a piece of an address changes nothing of the URL that is given."""
    url = values[f"{section}.url"].reveal()
    given = values[f"{section}.{name}"]
    if name in {"port", "database", "db", "user"}:
        return True
    if name == "ssl":
        return bool(with_tls(url) == url)
    if name == "password":
        return bool(fill_in(url, given, {}).reveal() == url)
    options = {"ssl_mode": "sslmode", "ssl_root_cert": "sslrootcert", "ssl_cert": "sslcert", "ssl_key": "sslkey"}
    if section == "cache":
        options = {"ssl_root_cert": "ssl_ca_certs"}
    return name in options and fill_in(url, None, {options[name]: given}).reveal() == url


_FILE = 1


def rank(origin: str) -> int:
    """How strongly an origin speaks: an alias least, then files, our own variables, overrides."""
    if origin.endswith("(alias)"):
        return 0
    return 3 if origin == "code" or origin.startswith("--set ") else 2 if origin.startswith("env ") else _FILE
