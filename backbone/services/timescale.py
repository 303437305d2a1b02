"""PostgreSQL 17 with TimescaleDB, as a user without rights, from the root file system."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import signal
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from backbone.services import rootfs
from backbone.services.machine import Say, Unavailable, run
from backbone.services.service import NotReady, Site

_BIN = "/usr/lib/postgresql/17/bin"
_USER = "postgres"
_SOCKETS = rootfs.HOME / "sockets"
_SCRAM_ROUNDS = 4096
_INITDB_SECONDS = 60.0
_SQL_SECONDS = 10.0

_CONFIGURATION = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
hba_file = '{home}/pg_hba.conf'
password_encryption = 'scram-sha-256'
shared_preload_libraries = 'timescaledb'
timescaledb.telemetry_level = off
shared_buffers = 64MB
max_connections = 100
max_prepared_transactions = 8
max_wal_size = 1GB
fsync = {fsync}
full_page_writes = {fsync}
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
"""
# The superuser comes by the socket in the service's own folder and is known by his uid: he has no password.
_ACCESS = """\
local all postgres peer
host all all 127.0.0.1/32 scram-sha-256
"""
_ADMIT = """\
SELECT 'CREATE ROLE backbone' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'backbone') \\gexec
ALTER ROLE backbone LOGIN CREATEDB CREATEROLE PASSWORD '{verifier}';
GRANT pg_monitor, pg_signal_backend TO backbone;
SELECT 'CREATE DATABASE backbone OWNER backbone'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'backbone') \\gexec
\\connect backbone
CREATE EXTENSION IF NOT EXISTS timescaledb;
"""
_PROBE = """\
SELECT 'PostgreSQL ' || split_part(current_setting('server_version'), ' ', 1) || ', TimescaleDB ' || extversion
    || ' (licence ' || current_setting('timescaledb.license') || ')'
FROM pg_extension WHERE extname = 'timescaledb';
"""


class Timescale:
    """TimescaleDB; the database and its owner are called `backbone`."""

    name: ClassVar[str] = "timescale"
    port_names: ClassVar[tuple[str, ...]] = ("timescale",)
    setting: ClassVar[str] = "BACKBONE_STORE_URL"
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # "fast": clients are disconnected, data is flushed

    async def install(self, cache: Path, say: Say) -> Path:
        """Return the root file system that holds PostgreSQL."""
        return await rootfs.install(cache, say)

    async def prepare(self, site: Site) -> None:
        """Make the database cluster the first time; write the configuration each time."""
        (site.home / "sockets").mkdir(exist_ok=True)
        (site.home / "pg_hba.conf").write_text(_ACCESS, encoding="utf-8")
        rootfs.own(site.install, site.home, _USER)
        cluster = site.home / "cluster"
        if not cluster.is_dir():
            await self._initialise(site, cluster)
        # a killed server leaves its number, which another program of its user may have by now: PostgreSQL would not
        # start beside that; whoever lived in this folder was ended before
        (cluster / "postmaster.pid").unlink(missing_ok=True)
        configuration = _CONFIGURATION.format(
            port=site.port, sockets=_SOCKETS, home=rootfs.HOME, fsync="on" if site.fsync else "off"
        )
        (cluster / "postgresql.conf").write_text(configuration, encoding="utf-8")

    async def _initialise(self, site: Site, cluster: Path) -> None:
        fresh = "cluster.new"
        await run(["rm", "-rf", str(site.home / fresh)], what="rm", timeout=_INITDB_SECONDS)
        options = ["--auth-local=peer", "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"]
        initdb = [f"{_BIN}/initdb", f"--pgdata={rootfs.HOME / fresh}", *options]
        if not site.fsync:
            initdb.append("--no-sync")
        command = rootfs.inside(site.install, site.home, _USER, initdb)
        await run(command, what="initdb", timeout=_INITDB_SECONDS, env=rootfs.ENVIRONMENT)
        (site.home / fresh).rename(cluster)

    def command(self, site: Site, *, die_with_parent: bool) -> list[str]:
        """Return the command that becomes the postmaster."""
        server = [f"{_BIN}/postgres", "-D", str(rootfs.HOME / "cluster")]
        death = self.stop_signal if die_with_parent else None
        return rootfs.inside(site.install, site.home, _USER, server, parent_death=death)

    async def admit(self, site: Site) -> None:
        """Make the role, its password, its database and the extension in it."""
        await self.sql(site, _ADMIT.format(verifier=scram_verifier(site.password)), database="postgres")

    async def probe(self, site: Site, *, timeout: float) -> str:
        """Log in by TCP with the password and ask for the versions."""
        psql = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(site.port), "-U", "backbone"]
        environment = rootfs.ENVIRONMENT | {"PGPASSWORD": site.password, "PGSSLMODE": "disable"}
        answer = await _psql(site, psql, _PROBE, environment, timeout)
        if not answer.strip():
            raise NotReady("the extension timescaledb is not in the database backbone: create it")
        return answer.strip()

    async def sql(self, site: Site, statements: str, *, database: str = "backbone") -> str:
        """Run statements as the superuser and return the rows, columns separated by `|`.

        Raises:
            NotReady: the server does not answer, or a statement failed; the message has the server's.
        """
        psql = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", str(_SOCKETS), "-p", str(site.port)]
        return await _psql(site, [*psql, "-d", database], statements, rootfs.ENVIRONMENT, _SQL_SECONDS)

    def address(self, site: Site) -> str:
        """Return the URL, with the password."""
        return f"postgresql://backbone:{quote(site.password, safe='')}@127.0.0.1:{site.port}/backbone"


async def _psql(site: Site, psql: list[str], statements: str, env: dict[str, str], timeout: float) -> str:
    command = rootfs.inside(site.install, site.home, _USER, psql)
    try:
        return await run(command, what="psql", timeout=timeout, stdin=statements, env=env)
    except Unavailable as error:
        raise NotReady(str(error)) from None


def scram_verifier(password: str) -> str:
    """Return what PostgreSQL stores of a password (RFC 5803), so that the server and its log never see the password."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _SCRAM_ROUNDS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    coded = [base64.b64encode(part).decode("ascii") for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${_SCRAM_ROUNDS}:{coded[0]}${coded[1]}:{coded[2]}"
