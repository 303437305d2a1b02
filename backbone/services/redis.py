"""Redis, as a user without rights, from the root file system."""

from __future__ import annotations

import hashlib
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote, unquote, urlsplit

import anyio

from backbone.services import owned, rootfs
from backbone.services.machine import Say
from backbone.services.service import NotReady, Site

# Only keys with a time to live may be evicted: positions have none.
_CONFIGURATION = """\
bind 127.0.0.1
port {port}
dir {home}/keys
aclfile {home}/users.acl
maxmemory 256mb
maxmemory-policy volatile-lru
save ""
appendonly {append}
appendfsync everysec
always-show-logo no
"""
# The keys and channels of backbone alone; what an operator does (CONFIG, FLUSHALL, KEYS, MONITOR, ACL, …) nobody may.
RIGHTS: Mapping[str, str] = {
    "backbone": "~backbone:* &backbone:* +@read +@write +@connection +@scripting +@transaction +@pubsub"
    " +time +wait -@dangerous -@admin -function -script|flush -script|kill -script|debug",
    "backbone_reader": "~backbone:* &backbone:* +@read +@connection -@dangerous -@admin +info +client|list",
}


class Redis:
    """Redis with two users, one of whom only looks; the default user is off."""

    name: ClassVar[str] = "redis"
    port_names: ClassVar[tuple[str, ...]] = ("redis",)
    names: ClassVar[tuple[str, ...]] = ("BACKBONE_CACHE_URL",)
    accounts: ClassVar[Mapping[str, str]] = {"owner": "backbone", "writer": "backbone", "reader": "backbone_reader"}
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    async def install(self, cache: Path, say: Say) -> Path:
        """Return the root file system that holds Redis."""
        return await rootfs.install(cache, say)

    async def prepare(self, site: Site) -> None:
        """Write the configuration and the users, whose passwords are kept as hashes."""
        keys = owned.give(site.home, "keys", site.account)
        if owned.is_there(site.home / "appendonlydir"):  # where an earlier version had them
            owned.give(site.home, "appendonlydir", site.account).rename(keys / "appendonlydir")
        append = "yes" if site.fsync else "no"
        configuration = _CONFIGURATION.format(port=site.port, home=rootfs.HOME, append=append)
        owned.write(site.home / "redis.conf", configuration, site.account)
        owned.write(site.home / "users.acl", acl(site.passwords), site.account)
        rootfs.name(site.home, site.account, "redis")

    def command(self, site: Site, *, die_with_parent: bool) -> list[str]:
        """Return the command that becomes the server."""
        server = ["redis-server", str(rootfs.HOME / "redis.conf")]
        death = self.stop_signal if die_with_parent else None
        return rootfs.inside(site.install, site.home, site.account, server, parent_death=death)

    async def admit(self, site: Site) -> None:
        """Nothing to do: the users are in the ACL file."""

    async def probe(self, site: Site, *, timeout: float) -> str:
        """Log in, PING and learn the version."""
        words = (["HELLO", "2", "AUTH", "backbone", site.password], ["PING"])
        try:
            with anyio.fail_after(timeout):
                async with await anyio.connect_tcp("127.0.0.1", site.port) as stream:
                    await stream.send(b"".join(_encode(command) for command in words))
                    received = bytearray()
                    while not received.endswith(b"+PONG\r\n"):
                        received += await stream.receive()
                        if received.startswith(b"-"):
                            raise NotReady(received.decode(errors="replace").strip())
        except (OSError, TimeoutError, anyio.EndOfStream, anyio.BrokenResourceError) as error:
            raise NotReady(f"no answer to PING on port {site.port}: {type(error).__name__}") from None
        lines = received.decode(errors="replace").splitlines()
        return f"Redis {lines[lines.index('version') + 2]}"

    def settings(self, site: Site, account: str) -> dict[str, str]:
        """Return the URL, with the password."""
        password = quote(site.passwords[account], safe="")
        return {"BACKBONE_CACHE_URL": f"redis://{account}:{password}@127.0.0.1:{site.port}/0"}

    def password(self, settings: Mapping[str, str]) -> str:
        """Return the password of the URL."""
        return unquote(urlsplit(settings.get("BACKBONE_CACHE_URL", "")).password or "")


def acl(passwords: Mapping[str, str]) -> str:
    """Return the lines of an ACL file: each user's rights, his password as a hash, and nobody else let in."""
    rows = [
        f"user {user} on #{hashlib.sha256(passwords[user].encode()).hexdigest()} resetchannels -@all {rights}"
        for user, rights in RIGHTS.items()
    ]
    return "".join(f"{row}\n" for row in ("user default off", *rows))


def _encode(words: list[str]) -> bytes:
    """Return a command in the Redis protocol (RESP)."""
    parts = [f"*{len(words)}\r\n", *(f"${len(word.encode())}\r\n{word}\r\n" for word in words)]
    return "".join(parts).encode()
