"""Addresses taken apart, so that all of them can be shown but what is secret: what can't be taken apart is ``***``.

For example ``postgresql://u:pw@h:5432/d?sslmode=require&p%61ssword=x`` is shown as
``postgresql://u:***@h:5432/d?sslmode=require&p%61ssword=***``. The grammar is that of RFC 3986, less than what clients
take: a URL with a blank, a second ``@`` or a port that is no number is read by each of them in its own way.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote, unquote_plus

from backbone.settings.secrets import MASK, Secret

__all__ = ["Address", "is_place", "passwords_in", "reveals", "shown_place", "shown_url", "taken_apart"]

_URL = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]{0,30})://(?:([^@/?#:]*)(:[^@/?#]*)?@)?([^@/?#]*)(/[^@?#]*)?(?:\?([^@#]*))?", re.DOTALL
)
_NAME = re.compile(r"[A-Za-z0-9._~%!$&'()*+,;=-]*")
_HOST = re.compile(r"(?:\[[A-Za-z0-9_:.%]{2,100}\]|[A-Za-z0-9._%-]*)(?::[0-9]{0,5})?")
_PATH = re.compile(r"[A-Za-z0-9._~%!$&'()*+,;=:/-]*")
_VALUE = re.compile(r"[A-Za-z0-9._~%+/:,-]*")
_PLACE = re.compile(r"\s*(?:\[[A-Za-z0-9_:.%]{2,100}\](?::[0-9]{1,5})?|[\w.-]+(?::[0-9]{1,5})?)\s*")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]{2,45}(?:%[\w.-]{1,30})?")

_OPEN_OPTIONS = frozenset(
    {
        *("application_name", "channel_binding", "client_encoding", "client_name", "connect_timeout", "database", "db"),
        *("dbname", "direct_tls", "fallback_application_name", "gssencmode", "gsslib", "health_check_interval", "host"),
        *("hostaddr", "keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval", "krbsrvname"),
        *("load_balance_hosts", "max_connections", "port", "protocol", "require_auth", "retry_on_timeout"),
        *("search_path", "service", "socket_connect_timeout", "socket_keepalive", "socket_timeout", "ssl"),
        *("ssl_ca_certs", "ssl_cert_reqs", "ssl_certfile", "ssl_check_hostname", "ssl_keyfile", "sslcert"),
        *("ssl_max_protocol_version", "ssl_min_protocol_version", "sslcompression", "sslcrl", "sslkey", "sslmode"),
        *("sslnegotiation", "sslrootcert", "sslsni", "statement_timeout", "target_session_attrs", "tcp_user_timeout"),
        *("timezone", "user", "username", "virtualhost"),
    }
)
"""Options of the clients that hold no secret; of any other the value is hidden."""


class Address(NamedTuple):
    """The pieces of a connection URL, as they are written in it."""

    scheme: str
    user: str
    password: Secret | None
    hosts: str
    path: str
    options: tuple[tuple[str, str | Secret], ...]

    def __str__(self) -> str:
        """The URL, with ``***`` for what is secret."""
        userinfo = self.user if self.password is None else f"{self.user}:{MASK}"
        query = "&".join(name if value == "" else f"{name}={value}" for name, value in self.options)
        at, mark = "@" if userinfo else "", "?" if query else ""
        return f"{self.scheme}://{userinfo}{at}{self.hosts}{self.path}{mark}{query}"


def taken_apart(url: str) -> Address | None:
    """The pieces of a connection URL, None if it can't be said for certain which is which."""
    match = _URL.fullmatch(url)
    if match is None or not url.isprintable() or " " in url:
        return None
    scheme, user, password, hosts, path, query = (piece or "" for piece in match.groups())
    if not (_NAME.fullmatch(user) and all(map(_HOST.fullmatch, hosts.split(","))) and _PATH.fullmatch(path)):
        return None
    bare = re.sub(r"\[[^\]]*\]|:[0-9]*", "", hosts)
    if set(_decoded(bare)) & set("@:") or "@" in _decoded(path):
        return None
    # a pair that was percent-encoded as a whole; and web services take a lone token where databases take a user
    if set(_decoded(user)) & set("@:/") or (scheme.lower() in {"http", "https"} and user and not password):
        user = MASK
    options = tuple(_option(item) for item in query.split("&") if item)
    return Address(scheme, user, Secret(password[1:]) if password else None, hosts, path, options)


def _option(item: str) -> tuple[str, str | Secret]:
    name, separator, value = item.partition("=")
    if unquote_plus(name).lower() in _OPEN_OPTIONS and _VALUE.fullmatch(value) and "@" not in _decoded(value):
        return name, value
    return (name, Secret(value)) if separator and _VALUE.fullmatch(name) else (MASK, "")


def _decoded(text: str) -> str:
    """Without percent-encoding, also where it was encoded twice."""
    return unquote(unquote(unquote(text))) if "%" in text else text


def shown_url(url: str) -> str:
    """A connection URL without what is secret in it, ``***`` where that can't be told apart."""
    address = taken_apart(url)
    return MASK if address is None else str(address)


def reveals(url: str) -> bool:
    """Whether a URL holds, or may hold, what must not be shown."""
    address = taken_apart(url)
    return address is None or MASK in str(address)


def passwords_in(url: str) -> list[str]:
    """What any client may take for a password in a URL, and what else is hidden in it."""
    address = taken_apart(url)
    if address is not None:
        secrets = [address.password, *(value for _, value in address.options)]
        return [each.reveal() for each in secrets if isinstance(each, Secret)]
    rest = url.partition("://")[2]
    found = [rest.partition(":")[2].partition("@")[0], rest[: max(rest.rfind("@"), 0)].partition(":")[2]]
    found += [item.partition("=")[2] for item in rest.partition("?")[2].split("&")]
    return [url, rest, *filter(None, found)]


def is_place(text: str) -> bool:
    """Whether a text is host names or addresses, with ports or without, comma-separated; or the folder of a socket."""
    return text.startswith("/") or all(_PLACE.fullmatch(each) or _IPV6.fullmatch(each) for each in text.split(","))


def shown_place(text: str) -> str:
    """Hosts as they are, ``***`` where the text is something else: it may hold a password."""
    return text if is_place(text) and "@" not in text else MASK
