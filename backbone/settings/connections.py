"""Connection URLs: composed of their pieces, and taken apart as little as possible."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_plus, urlencode, urlsplit

from backbone.settings.secrets import Secret
from backbone.settings.servers import options, postgres_servers, redis_servers

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["compose_url", "fill_in", "has_password", "strip_driver", "url_problem", "uses_tls", "with_tls"]

_URLS = {
    "store.url": (("postgresql", "postgres"), "postgresql://user@host:port/database"),
    "cache.url": (("redis", "rediss"), "redis://host:port/db, or rediss:// for TLS"),
}
_NOT_TAKEN = ("hostaddr", "service", "servicefile")
"""Options by which other clients go somewhere else than the URL says."""
_REDIS_OPTIONS = (
    "db", "host", "port", "username", "password",
    "ssl_ca_certs", "ssl_cert_reqs", "ssl_certfile", "ssl_check_hostname", "ssl_keyfile", "ssl_password",
)  # fmt: skip
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,30}", re.IGNORECASE)


def compose_url(
    scheme: str,
    user: str | None,
    password: Secret | None,
    host: str,
    port: int,
    path: str,
    options: Mapping[str, str | None],
) -> Secret:
    """A URL of its pieces; user, password and path are percent-encoded, options without a value left out."""
    secret = "" if password is None else f":{quote(password.reveal(), safe='')}"
    userinfo = f"{quote(user or '', safe='')}{secret}"
    name = f"[{host}]" if ":" in host and not host.startswith("[") else host
    given = {key: value for key, value in options.items() if value is not None}
    query = f"?{urlencode(given, safe='/')}" if given else ""
    return Secret(f"{scheme}://{userinfo}{'@' if userinfo else ''}{name}:{port}/{quote(path, safe='')}{query}")


def strip_driver(url: str) -> str:
    """The URL without the driver that some tools put into its scheme: ``postgresql+psycopg2://`` → ``postgresql://``."""
    return re.sub(r"^(postgres(?:ql)?)\+[a-z0-9]+://", r"\1://", url)


def with_tls(url: str) -> str:
    """The URL of a Redis that is spoken to by TLS."""
    return re.sub(r"^redis://", "rediss://", url, flags=re.IGNORECASE)


def uses_tls(url: str) -> bool:
    """Whether the URL is one of a Redis that is spoken to by TLS."""
    return url.lower().startswith("rediss://")


def has_password(url: str) -> bool:
    """Whether a URL carries a password, before the host or among its options."""
    rest = url.partition("://")[2]
    options = (unquote_plus(item.partition("=")[0]).lower() for item in rest.partition("?")[2].split("&"))
    return ":" in rest[: max(rest.rfind("@"), 0)] or not {"pass", "password"}.isdisjoint(options)


def fill_in(url: str, password: Secret | None, options: Mapping[str, str | None]) -> Secret:
    """The URL, and what it leaves open: a password for its user, options. What it says itself wins."""
    scheme, separator, rest = url.partition("://")
    userinfo, at, place = rest.rpartition("@")
    if at and userinfo and password is not None and not has_password(f"{scheme}://{userinfo}{at}{place}"):
        userinfo = f"{userinfo}:{quote(password.reveal(), safe='')}"
    missing = {
        key: value
        for key, value in options.items()
        if value is not None and not re.search(rf"[?&]{re.escape(key)}=", place, re.IGNORECASE)
    }
    if missing:
        place, mark, fragment = place.partition("#")
        joint = "?" if "?" not in place else "" if place.endswith(("?", "&")) else "&"
        place = f"{place}{joint}{urlencode(missing, safe='/')}{mark}{fragment}"
    return Secret(f"{scheme}{separator}{userinfo}{at}{place}")


def url_problem(path: str, url: str) -> str | None:
    """What is wrong with the URL of a setting, None if nothing is; of the URL only its scheme is ever told."""
    schemes, example = _URLS[path]
    scheme, separator, _ = strip_driver(url).partition("://")
    if not separator or not _SCHEME.fullmatch(scheme):
        return f"text that is no URL given; allowed is {example}"
    if scheme.lower() not in schemes:
        return f"a URL of {scheme}:// given; allowed is {example}"
    try:
        parts = urlsplit(url)
        _ = postgres_servers(url) if path == "store.url" else redis_servers(url)
    except ValueError:
        parts = None
    if parts is None or "@" in parts.path + parts.query + parts.fragment:
        return (
            "a URL that can't be read given; write @ : / ? # [ ] in user and password percent-encoded and options as "
            "?name=value&name=value, or give parts"
        )
    return _option_problem(path, options(url))


def _option_problem(path: str, given: Mapping[str, str]) -> str | None:
    """What is wrong with the options of a URL."""
    if path == "store.url":
        stray = [name for name in _NOT_TAKEN if name in given]
        return f"a URL with the option {stray[0]} given; write the host before the database instead" if stray else None
    numbers = [name for name in ("db", "port") if name in given and not re.fullmatch("[0-9]{1,5}", given[name])]
    if numbers:
        return f"a URL with an option {numbers[0]} that is no number given; give one, or leave it out"
    if given.get("ssl_cert_reqs", "none") not in {"none", "optional", "required"}:
        return "a URL with another ssl_cert_reqs than none, optional or required given; leave it out: required"
    if given.keys() - set(_REDIS_OPTIONS):
        return f"a URL with other options than {', '.join(_REDIS_OPTIONS)} given; set the rest as settings of cache"
    return None
