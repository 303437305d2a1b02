"""What the launcher asks of a service, and what it tells it."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

from backbone.services.accounts import Account
from backbone.services.machine import Say


class NotReady(Exception):
    """The service did not answer its round trip yet; the message says how."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where one service lives.

    Attributes:
        home: its folder, the launcher's, which holds its configuration, its log, and folders of the server's own, in
            which its processes work.
        install: its programs, in the cache.
        ports: port name to port on 127.0.0.1; the first one is the one clients use.
        account: whom its processes run as.
        passwords: by account; never in arguments, nor in files but the .env of the account's role.
        fsync: whether commits of TimescaleDB survive a loss of power (a kill -9 they survive in any case), and
            whether Redis keeps its keys over a restart.
    """

    home: Path
    install: Path
    ports: Mapping[str, int]
    account: Account
    passwords: Mapping[str, str] = field(repr=False)
    fsync: bool = True

    @property
    def port(self) -> int:
        """The port that clients use."""
        return next(iter(self.ports.values()))

    @property
    def password(self) -> str:
        """The password of the owner's account, `backbone`."""
        return self.passwords["backbone"]

    @property
    def log(self) -> Path:
        """The output of its processes."""
        return self.home / "service.log"


class Service(Protocol):
    """One server that can be installed, started and asked whether it serves.

    `names` are the settings that say where it is; `accounts` says as whom each role logs in.
    """

    name: ClassVar[str]
    port_names: ClassVar[tuple[str, ...]]
    names: ClassVar[tuple[str, ...]]
    accounts: ClassVar[Mapping[str, str]]
    stop_signal: ClassVar[signal.Signals]

    async def install(self, cache: Path, say: Say) -> Path:
        """Return the folder of its programs, installing them if needed; raise Unavailable where that can't be."""

    async def prepare(self, site: Site) -> None:
        """Write its configuration and, the first time, its data folder."""

    def command(self, site: Site, *, die_with_parent: bool) -> list[str]:
        """Return the command that becomes the server without a fork, so that its process is the one started."""

    async def admit(self, site: Site) -> None:
        """Let the accounts in, on a server that just started; raise NotReady if it is too early."""

    async def probe(self, site: Site, *, timeout: float) -> str:
        """Make a round trip as a client does and return the version; raise NotReady if it fails."""

    def settings(self, site: Site, account: str) -> dict[str, str]:
        """Return the values of its settings (`names`) for an account, the password among them."""

    def password(self, settings: Mapping[str, str]) -> str:
        """Return the password that such values hold; empty if none."""
