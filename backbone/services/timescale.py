"""PostgreSQL 17 with TimescaleDB, as a user without rights, from the root file system."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote, unquote, urlsplit

from backbone.services import owned, rootfs
from backbone.services.machine import Say, Unavailable, run
from backbone.services.scram import postgresql_verifier
from backbone.services.service import NotReady, Site

_BIN = "/usr/lib/postgresql/17/bin"
_SOCKETS = rootfs.HOME / "sockets"
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
SELECT format('CREATE ROLE %I', name) FROM unnest(ARRAY['backbone', 'backbone_writer', 'backbone_reader']) AS name
WHERE name NOT IN (SELECT rolname FROM pg_roles) \\gexec
ALTER ROLE backbone LOGIN NOCREATEDB NOCREATEROLE PASSWORD '{backbone}';
ALTER ROLE backbone_writer LOGIN NOCREATEDB NOCREATEROLE PASSWORD '{backbone_writer}';
ALTER ROLE backbone_reader LOGIN NOCREATEDB NOCREATEROLE PASSWORD '{backbone_reader}';
ALTER ROLE backbone_reader SET statement_timeout = '60s';
ALTER ROLE backbone_reader SET idle_in_transaction_session_timeout = '60s';
REVOKE pg_monitor, pg_signal_backend FROM backbone;
GRANT pg_read_all_stats TO backbone, backbone_writer, backbone_reader;
SELECT 'CREATE DATABASE backbone OWNER backbone'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'backbone') \\gexec
REVOKE ALL ON DATABASE backbone FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE backbone TO backbone_writer;
GRANT CONNECT ON DATABASE backbone TO backbone_reader;
\\connect backbone
CREATE EXTENSION IF NOT EXISTS timescaledb;
ALTER DEFAULT PRIVILEGES FOR ROLE backbone GRANT USAGE ON SCHEMAS TO backbone_writer, backbone_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE backbone GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO backbone_writer;
ALTER DEFAULT PRIVILEGES FOR ROLE backbone GRANT SELECT, USAGE, UPDATE ON SEQUENCES TO backbone_writer;
ALTER DEFAULT PRIVILEGES FOR ROLE backbone GRANT SELECT ON TABLES TO backbone_reader;
SELECT format(line, nspname) FROM pg_namespace, unnest(ARRAY[
    'GRANT USAGE ON SCHEMA %I TO backbone_writer, backbone_reader',
    'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO backbone_writer',
    'GRANT SELECT, USAGE, UPDATE ON ALL SEQUENCES IN SCHEMA %I TO backbone_writer',
    'GRANT SELECT ON ALL TABLES IN SCHEMA %I TO backbone_reader'
]) WITH ORDINALITY AS lines (line, number)
WHERE nspowner = 'backbone'::regrole ORDER BY nspname, number \\gexec
SELECT format('REVOKE INSERT, UPDATE, DELETE ON %s FROM backbone_writer', migrations)
FROM to_regclass('telemetry.schema_migrations') AS migrations WHERE migrations IS NOT NULL \\gexec
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
    names: ClassVar[tuple[str, ...]] = ("BACKBONE_STORE_URL",)
    accounts: ClassVar[Mapping[str, str]] = {
        "owner": "backbone",
        "writer": "backbone_writer",
        "reader": "backbone_reader",
    }
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # "fast": clients are disconnected, data is flushed

    async def install(self, cache: Path, say: Say) -> Path:
        """Return the root file system that holds PostgreSQL."""
        return await rootfs.install(cache, say)

    async def prepare(self, site: Site) -> None:
        """Make the database cluster the first time; write the configuration each time."""
        rootfs.name(site.home, site.account, "postgres")
        owned.give(site.home, "sockets", site.account)
        owned.write(site.home / "pg_hba.conf", _ACCESS, site.account)
        configuration = _CONFIGURATION.format(
            port=site.port, sockets=_SOCKETS, home=rootfs.HOME, fsync="on" if site.fsync else "off"
        )
        owned.write(site.home / "postgresql.conf", configuration, site.account)
        cluster = site.home / "cluster"
        if not owned.is_there(cluster):
            await self._initialise(site, cluster)
        owned.give(site.home, "cluster", site.account)
        # a killed server leaves its number, which another program of its user may have by now: PostgreSQL would not
        # start beside that; whoever lived in this folder was ended before
        (cluster / "postmaster.pid").unlink(missing_ok=True)

    async def _initialise(self, site: Site, cluster: Path) -> None:
        fresh = "cluster.new"
        await run(["rm", "-rf", str(site.home / fresh)], what="rm", timeout=_INITDB_SECONDS)
        owned.give(site.home, fresh, site.account)
        options = ["--auth-local=peer", "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"]
        initdb = [f"{_BIN}/initdb", f"--pgdata={rootfs.HOME / fresh}", *options]
        if not site.fsync:
            initdb.append("--no-sync")
        command = rootfs.inside(site.install, site.home, site.account, initdb)
        await run(command, what="initdb", timeout=_INITDB_SECONDS, env=rootfs.ENVIRONMENT)
        (site.home / fresh).rename(cluster)

    def command(self, site: Site, *, die_with_parent: bool) -> list[str]:
        """Return the command that becomes the postmaster."""
        home = rootfs.HOME
        server = [f"{_BIN}/postgres", "-D", str(home / "cluster"), f"--config-file={home / 'postgresql.conf'}"]
        death = self.stop_signal if die_with_parent else None
        return rootfs.inside(site.install, site.home, site.account, server, parent_death=death)

    async def admit(self, site: Site) -> None:
        """Make the roles, their passwords, the database and the extension in it."""
        verifiers = {account: postgresql_verifier(site.passwords[account]) for account in self.accounts.values()}
        await self.sql(site, _ADMIT.format(**verifiers), database="postgres")

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

    def settings(self, site: Site, account: str) -> dict[str, str]:
        """Return the URL, with the password."""
        password = quote(site.passwords[account], safe="")
        return {"BACKBONE_STORE_URL": f"postgresql://{account}:{password}@127.0.0.1:{site.port}/backbone"}

    def password(self, settings: Mapping[str, str]) -> str:
        """Return the password of the URL."""
        return unquote(urlsplit(settings.get("BACKBONE_STORE_URL", "")).password or "")


async def _psql(site: Site, psql: list[str], statements: str, env: dict[str, str], timeout: float) -> str:
    command = rootfs.inside(site.install, site.home, site.account, psql)
    try:
        return await run(command, what="psql", timeout=timeout, stdin=statements, env=env)
    except Unavailable as error:
        raise NotReady(str(error)) from None
