"""Where a connection leads: hosts and ports as the clients are told them, and whether the way there is safe."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from backbone.settings.loopback import is_loopback

__all__ = ["Server", "elsewhere", "kafka_servers", "options", "postgres_servers", "redis_servers", "verified"]

_HOST = re.compile(r"(?:\[(?P<six>[^\[\]]+)\]|(?P<name>[^:\[\]]+))(?::(?P<port>\d{1,5}))?")
_SHOWN = re.compile(r"[\w.:%-]+|/[^@]*")
_NO_HOST = ("/run/postgresql", "/var/run/postgresql", "localhost")
"""Of a PostgreSQL URL without a host. Not /tmp, where anybody may put a socket and ask for the password."""


class Server(NamedTuple):
    """A host, or the folder of a Unix socket, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        if not _SHOWN.fullmatch(self.host):
            return f"***:{self.port}"  # it may be a password that came to stand where the host belongs
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def options(url: str) -> dict[str, str]:
    """The options of a URL; of one that is given twice, what its client takes: Redis the first, PostgreSQL the last."""
    parts = urlsplit(url)
    taken = 0 if parts.scheme in {"redis", "rediss"} else -1
    return {name: values[taken] for name, values in parse_qs(parts.query).items()}


def postgres_servers(url: str) -> tuple[Server, ...]:
    """All that a PostgreSQL URL may lead to. No variable and no file of the client's adds to it.

    Raises:
        ValueError: a host, a port or an option can't be read, or user and password end at more than one place.
    """
    given, parts = options(url), urlsplit(url)
    if parts.query:
        parse_qs(parts.query, strict_parsing=True)  # as the client does
    userinfo, _, place = parts.netloc.rpartition("@")
    if "@" in userinfo:
        raise ValueError("a second @ given, at which the client would end the password")
    hosts = place.split(",") if place else given["host"].split(",") if "host" in given else list(_NO_HOST)
    ports = [_port(each) for each in given.get("port", "5432").split(",")]
    if len(ports) not in {1, len(hosts)}:
        raise ValueError(f"{len(ports)} ports given for {len(hosts)} hosts")
    defaults = ports if len(ports) == len(hosts) else ports * len(hosts)
    servers = [_server(each, port) for each, port in zip(hosts, defaults, strict=True)]
    return tuple(Server(unquote(each.host), each.port) for each in servers) if place else tuple(servers)


def redis_servers(url: str) -> tuple[Server, ...]:
    """All that a Redis URL may lead to; its client takes the host from the options where there is none before them.

    Raises:
        ValueError: a host or a port can't be read.
    """
    place, given = urlsplit(url).netloc.rpartition("@")[2], options(url)
    hosts = [unquote(place)] if place else []
    hosts += [given[name] for name in ("host", "path") if name in given]
    return tuple(_server(each, 6379) for each in hosts or ["localhost"])


def kafka_servers(bootstrap: str) -> tuple[Server, ...]:
    """The brokers that are asked first.

    Raises:
        ValueError: a host or a port can't be read.
    """
    return tuple(_server(each.strip().rpartition("://")[2], 9092) for each in bootstrap.split(",") if each.strip())


def elsewhere(servers: tuple[Server, ...]) -> str:
    """Those on other machines, for messages; "" where there is none."""
    return ", ".join(str(each) for each in servers if not is_loopback(each.host))


def verified(url: str) -> bool:
    """Whether a URL of PostgreSQL or Redis asks for TLS with a server that proves to be the one that was named.

    Of PostgreSQL's modes `require` takes anybody's certificate, and `verify-ca` that of any server of the same
    authority. A Redis client verifies unless its options say otherwise.
    """
    given = options(url)
    if urlsplit(url).scheme == "rediss":
        checks = given.get("ssl_check_hostname", "true").lower() in {"true", "1", "yes", "on"}
        return checks and given.get("ssl_cert_reqs", "required").lower() == "required"
    return urlsplit(url).scheme != "redis" and given.get("sslmode") == "verify-full"


def _server(text: str, port: int) -> Server:
    if text.startswith("/"):
        return Server(text, port)
    match = _HOST.fullmatch(text)
    if match is None:
        raise ValueError("a host that can't be read given")
    return Server(match["six"] or match["name"], port if match["port"] is None else _port(match["port"]))


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 65_536:
        raise ValueError("a port that can't be read given")
    return int(text)
