"""Redis, as a user without rights, from the root file system."""

from __future__ import annotations

import hashlib
import signal
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import anyio

from backbone.services import rootfs
from backbone.services.machine import Say
from backbone.services.service import NotReady, Site

_USER = "redis"
# Only keys with a time to live may be evicted: positions have none.
_CONFIGURATION = """\
bind 127.0.0.1
port {port}
dir {home}
aclfile {home}/users.acl
maxmemory 256mb
maxmemory-policy volatile-lru
save ""
appendonly {append}
appendfsync everysec
always-show-logo no
"""


class Redis:
    """Redis with one user, `backbone`; the default user is off."""

    name: ClassVar[str] = "redis"
    port_names: ClassVar[tuple[str, ...]] = ("redis",)
    setting: ClassVar[str] = "BACKBONE_CACHE_URL"
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    async def install(self, cache: Path, say: Say) -> Path:
        """Return the root file system that holds Redis."""
        return await rootfs.install(cache, say)

    async def prepare(self, site: Site) -> None:
        """Write the configuration and the user, whose password is kept as a hash."""
        append = "yes" if site.fsync else "no"
        configuration = _CONFIGURATION.format(port=site.port, home=rootfs.HOME, append=append)
        digest = hashlib.sha256(site.password.encode()).hexdigest()
        (site.home / "redis.conf").write_text(configuration, encoding="utf-8")
        users = f"user default off\nuser backbone on #{digest} ~* &* +@all\n"
        (site.home / "users.acl").write_text(users, encoding="utf-8")
        rootfs.own(site.install, site.home, _USER)

    def command(self, site: Site, *, die_with_parent: bool) -> list[str]:
        """Return the command that becomes the server."""
        server = ["redis-server", str(rootfs.HOME / "redis.conf")]
        death = self.stop_signal if die_with_parent else None
        return rootfs.inside(site.install, site.home, _USER, server, parent_death=death)

    async def admit(self, site: Site) -> None:
        """Nothing to do: the users are in the configuration."""

    async def probe(self, site: Site, *, timeout: float) -> str:
        """Log in, PING and ask for the version."""
        words = (["AUTH", "backbone", site.password], ["PING"], ["INFO", "server"])
        try:
            with anyio.fail_after(timeout):
                async with await anyio.connect_tcp("127.0.0.1", site.port) as stream:
                    await stream.send(b"".join(_encode(command) for command in words))
                    received = bytearray()
                    while b"redis_version:" not in received or not received.endswith(b"\r\n"):
                        received += await stream.receive()
                        if b"-" in (received[:1], received[5:6]):
                            raise NotReady(received.decode(errors="replace").strip())
        except (OSError, TimeoutError, anyio.EndOfStream, anyio.BrokenResourceError) as error:
            raise NotReady(f"no answer to PING on port {site.port}: {type(error).__name__}") from None
        lines = received.decode(errors="replace").splitlines()
        return "Redis " + next(line for line in lines if line.startswith("redis_version:")).partition(":")[2]

    def address(self, site: Site) -> str:
        """Return the URL, with the password."""
        return f"redis://backbone:{quote(site.password, safe='')}@127.0.0.1:{site.port}/0"


def _encode(words: list[str]) -> bytes:
    """Return a command in the Redis protocol (RESP)."""
    parts = [f"*{len(words)}\r\n", *(f"${len(word.encode())}\r\n{word}\r\n" for word in words)]
    return "".join(parts).encode()
