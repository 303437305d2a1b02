"""Owner, writer and reader, made as the documentation says; and tables that somebody else owns."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import anyio
import asyncpg
import pytest

from backbone import Backbone, IngestPlan, StoreError, Unsupported, load_settings, samples
from backbone.domain.status import Status
from backbone.services import native
from backbone.store.errors import CursorSetBack, SchemaMismatch
from backbone.store.timescale import TimescaleStore
from tests.services.stores import (
    BARS,
    KINDS,
    SMALL,
    bare,
    bars,
    chunk,
    drop_database,
    dsn_of,
    make_database,
    opened,
)

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "own-server.md"
AS_ADMIN, AS_OWNER, AFTERWARDS = re.findall(r"^```sql\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
ROLES = ("owner", "writer", "reader")
SCRIPT = str(Path(sys.executable).with_name("backbone"))
PASSWORD = "documented"  # noqa: S105


@pytest.fixture(scope="module", params=KINDS)
def documented(services: native.Services, request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The URL of each role of a database that was made as the page says."""
    name = f"market_{secrets.token_hex(4)}"
    yield anyio.run(make_as_documented, services, request.param, name)
    anyio.run(drop_database, services, dsn_of(services, name))
    for role in ROLES:
        anyio.run(services.sql, f"DROP ROLE {name}_{role}")


def renamed(statements: str, name: str) -> str:
    """What the page says, of a database and roles of the test's own: roles are those of the whole server."""
    return statements.replace("market;", f"{name};").replace("market ", f"{name} ").replace("backbone_", f"{name}_")


async def make_as_documented(services: native.Services, kind: str, name: str) -> dict[str, str]:
    await services.sql("ALTER SYSTEM SET autovacuum = off")  # its transactions would hold the outbox's horizon back
    await services.sql("SELECT pg_reload_conf()")
    for statement in renamed(AS_ADMIN, name).split(";"):
        await services.sql(statement)
    for role in ROLES:
        await services.sql(f"ALTER ROLE {name}_{role} PASSWORD '{PASSWORD}'")
    if kind == "timescale":
        await services.sql("CREATE EXTENSION timescaledb", database=name)
    made = {role: as_role(dsn_of(services, name), f"{name}_{role}") for role in ROLES}
    async with bare(made["owner"]) as owner:
        await owner.execute(renamed(AS_OWNER, name))
    async with opened(made["owner"]):
        pass
    async with bare(made["owner"]) as owner:
        await owner.execute(renamed(AFTERWARDS, name))
    return made


def as_role(dsn: str, role: str) -> str:
    parts = urlsplit(dsn)
    return urlunsplit(parts._replace(netloc=f"{role}:{PASSWORD}@{parts.netloc.rpartition('@')[2]}"))


def settings(dsn: str, **more: Any) -> Any:
    chosen = {"store.backend": "timescale", "store.pool_size": 2, "control.enabled": False, "stream.poll_interval": 0.1}
    return load_settings(profile="embedded", env={"BACKBONE_STORE_URL": dsn}, overrides={**chosen, **more})


async def refusal(dsn: str, *, dry_run: bool = False) -> str:
    """Why the store is not brought up to date."""
    store = TimescaleStore(dsn, bounds=SMALL)
    await store.open()
    try:
        with pytest.raises(SchemaMismatch) as refused:
            await store.migrate(dry_run=dry_run)
    finally:
        await store.close()
    return str(refused.value)


PLAN = IngestPlan(dimensions=[BARS], symbols=["EURUSD"], interval="1h", source="csv", path=samples.eurusd_1h())


async def test_the_writer_writes_and_the_reader_reads_what_it_wrote(documented: dict[str, str]) -> None:
    async with Backbone.open(settings(documented["writer"])) as writer:
        run = await writer.ingest(PLAN)
        assert run.inserted > 0
        result = await writer.record(bars({0: 1.0}, "GBPUSD"))
        assert result.inserted == 1
        async with (
            Backbone.open(settings(documented["reader"])) as reader,
            reader.subscribe(BARS, symbols=["GBPUSD"], start="latest") as updates,
        ):
            assert await reader.symbols(BARS) == ("EURUSD", "GBPUSD")
            frame = await reader.fetch(BARS, symbols=["EURUSD"], interval="1h")
            assert frame.num_rows == run.inserted
            assert (await reader.fetch(BARS, symbols=["GBPUSD"], interval="1h")).num_rows == 1
            await writer.record(bars({1: 2.0}, "GBPUSD"))
            with anyio.fail_after(20):
                while (await anext(updates)).frame != bars({1: 2.0}, "GBPUSD"):
                    pass  # what was recorded before may come first
            assert (await reader.fetch(BARS, symbols=["GBPUSD"], interval="1h")).num_rows == 2
            relay = next(each for each in reader.roster().entries if each.path.endswith("/relay"))
            assert relay.health.why.startswith("in-process log"), relay.health.why


async def test_the_reader_is_told_that_it_only_reads_and_what_it_wants_to_write_is_refused(
    documented: dict[str, str],
) -> None:
    async with Backbone.open(settings(documented["reader"])) as reader:
        probe = next(each for each in (await reader.connectivity()).probes if each.name == "store")
        assert (probe.status, probe.healthy) == (Status.DEGRADED, True)
        assert "_reader may not write; ingest and record are refused" in probe.why
        with pytest.raises(Unsupported, match="this role only reads: give one that may write"):
            await reader.record(bars({5: 1.0}, "USDJPY"))
        with pytest.raises(StoreError, match="this role only reads: give one that may write"):
            await reader.ingest(PLAN)
        store = next(each for each in reader.roster().entries if each.path.endswith("/store"))
        assert (store.state, store.restarts, store.health.level) == ("running", 0, "degraded")
        assert "_reader may not write" in store.health.why
        relay = next(each for each in reader.roster().entries if each.path.endswith("/relay"))
        assert relay.health.why.startswith("in-process log"), relay.health.why
        assert (await reader.fetch(BARS, symbols=["USDJPY"], interval="1h")).num_rows == 0
        report = await reader.retention()
        assert not report.applied


async def test_the_commands_that_read_work_for_the_reader_and_those_that_write_end_with_a_word(
    documented: dict[str, str], tmp_path: Path
) -> None:
    environment = {"BACKBONE_STORE_URL": documented["reader"], "BACKBONE_PROFILE": "timescale"}

    async def command(*words: str) -> tuple[int, str, str]:
        done = await anyio.run_process(
            [SCRIPT, *words], check=False, cwd=tmp_path, env={**os.environ, **environment}, stdin=subprocess.DEVNULL
        )
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    async with opened(documented["writer"]) as store:
        await store.write(chunk(bars({9: 1.25}, "CHFJPY"), "run of the command"))
    code, out, _ = await command("fetch", "intraday_bars", "--symbols", "CHFJPY", "--format", "csv")
    assert (code, "CHFJPY" in out and "1.25" in out) == (0, True), out
    code, _, err = await command("ingest", samples.eurusd_1h().as_posix(), "--symbols", "EURUSD", "--interval", "1h")
    assert (code, "this role only reads: give one that may write" in err) == (2, True), err
    code, out, _ = await command("migrate")
    assert (code, "nothing to do" in out) == (0, True)
    code, out, _ = await command("retention")
    assert code in {0, 1}, out
    running = {"control.enabled": True, "control.path": str(tmp_path / "data" / "backbone.sock")}
    (tmp_path / "data").mkdir(mode=0o700, exist_ok=True)
    async with Backbone.open(settings(documented["reader"], **running)):
        for asked in ("status", "roster"):
            code, out, err = await command(asked)
            assert "_reader may not write" in " ".join(out.split()).replace("│ ", ""), (out, err)
            assert code == (3 if asked == "status" else 0)


async def test_the_reader_publishes_to_its_own_subscribers_and_moves_no_cursor(documented: dict[str, str]) -> None:
    query = "SELECT sink, shard, position FROM telemetry.cursors"
    async with bare(documented["owner"]) as owner, Backbone.open(settings(documented["reader"])) as reader:
        async with opened(documented["writer"]) as store, reader.subscribe(BARS, start="latest") as updates:
            before = await owner.fetch(query)
            for hour in (7, 8):
                await store.write(chunk(bars({hour: 1.0}, "AUDUSD"), f"run {hour}"))
                with anyio.fail_after(20):
                    assert (await anext(updates)).symbol == "AUDUSD"
        assert await owner.fetch(query) == before


@pytest.fixture
async def untold(
    services: native.Services, documented: dict[str, str]
) -> AsyncIterator[Callable[[], Awaitable[object]]]:
    """Makes the server one that does not tell which it is, as hosted ones are."""
    told = partial(services.sql, database=urlsplit(documented["owner"]).path[1:])
    yield partial(told, "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    await told("GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC")


async def until_published(dsn: str, position: int) -> None:
    async with bare(dsn) as connection:
        with anyio.fail_after(20):
            while await connection.fetchval("SELECT max(position) FROM telemetry.cursors") != position:
                await anyio.lowlevel.checkpoint()


async def test_a_server_that_tells_no_more_which_it_is_goes_on_to_be_published_from(
    documented: dict[str, str], untold: Callable[[], Awaitable[object]]
) -> None:
    async with Backbone.open(settings(documented["writer"])) as writer:
        for hour in range(3):
            result = await writer.record(bars({hour: 1.0 + hour}, "EURCHF"))
            await until_published(documented["owner"], result.position)
            await untold()


async def test_of_a_server_that_does_not_tell_which_it_is_the_reader_moves_no_cursor_either(
    documented: dict[str, str], untold: Callable[[], Awaitable[object]]
) -> None:
    await untold()
    async with opened(documented["writer"]) as store:
        assert (await store.outbox_status()).server == ""
        written = await store.write(chunk(bars({1: 1.0}, "EURNOK"), "untold"))
        await store.advance("stream", 0, written.position, 0, server="")
        with pytest.raises(CursorSetBack, match="was published from server elsewhere/1, and another answers"):
            await store.advance("stream", 0, written.position, 0, server="elsewhere/1")
    async with opened(documented["reader"]) as store:
        for server in ("", "elsewhere/1"):
            with pytest.raises((Unsupported, CursorSetBack)):
                await store.advance("stream", 0, written.position + 1, 0, server=server)
        assert await store.cursor("stream", 0) == written.position


async def test_neither_writer_nor_reader_changes_what_is_the_owners(documented: dict[str, str]) -> None:
    for role, statements in {
        "writer": (
            "UPDATE telemetry.schema_migrations SET checksum = ''",
            "CREATE TABLE telemetry.x (y integer)",
            "CREATE SCHEMA x",
            "DROP TABLE market_data.daily_bars",
            "ALTER TABLE telemetry.ledger DISABLE TRIGGER ALL",
            "CREATE TABLE public.x (y integer)",
        ),
        "reader": (
            "INSERT INTO market_data.daily_bars DEFAULT VALUES",
            "DELETE FROM telemetry.ledger",
            "UPDATE telemetry.xid_shift SET shift = 9",
            "SELECT setval('telemetry.ledger_id_seq', 1)",
            "CREATE TEMPORARY TABLE x (y integer)",
            "CREATE TABLE public.x (y integer)",
        ),
    }.items():
        async with bare(documented[role]) as connection:
            for statement in statements:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement)


async def test_chunks_are_dropped_by_the_owner_alone_which_is_no_outage_to_the_writer(
    documented: dict[str, str],
) -> None:
    before = datetime(1990, 1, 1, tzinfo=UTC)
    async with bare(documented["owner"]) as owner:
        chunked = await owner.fetchval("SELECT count(*) FROM pg_extension WHERE extname = 'timescaledb'")
    async with opened(documented["writer"]) as store:
        if chunked:
            with pytest.raises(Unsupported, match="backbone retention --apply` as that role"):
                await store.drop(BARS, before=before, dry_run=False)
        else:
            assert await store.drop(BARS, before=before, dry_run=False) == 0
        assert (await store.write(chunk(bars({9: 1.0}, "NZDUSD"), "after the drop"))).inserted == 1
    async with opened(documented["owner"]) as store:
        assert await store.drop(BARS, before=before, dry_run=False) == 0


async def test_a_reader_of_tables_that_are_not_up_to_date_is_sent_to_the_owner(documented: dict[str, str]) -> None:
    async with bare(documented["owner"]) as owner, owner.transaction():
        newest = await owner.fetchval("SELECT max(name) FROM telemetry.schema_migrations")
        last = await owner.fetchrow("DELETE FROM telemetry.schema_migrations WHERE name = $1 RETURNING *", newest)
    try:
        text = await refusal(documented["reader"])
        assert "this role only reads: run `backbone migrate` as the owner" in text
    finally:
        async with bare(documented["owner"]) as owner:
            await owner.execute("INSERT INTO telemetry.schema_migrations VALUES ($1, $2, $3)", *last)


# what somebody else made


@pytest.fixture
async def shared(services: native.Services) -> AsyncIterator[str]:
    """A database in which a role that is nobody's may make schemas; the URL is that of its owner."""
    dsn = await make_database(services, "postgres")
    await services.sql(f"CREATE ROLE mallory LOGIN PASSWORD '{PASSWORD}'")
    await services.sql(f"GRANT CREATE ON DATABASE {urlsplit(dsn).path[1:]} TO mallory")
    yield dsn
    await drop_database(services, dsn)
    await services.sql("DROP ROLE mallory")


SQUAT = """
CREATE SCHEMA telemetry;
GRANT ALL ON SCHEMA telemetry TO PUBLIC;
CREATE TABLE telemetry.schema_migrations (name text PRIMARY KEY, checksum text, applied_at timestamptz);
GRANT ALL ON telemetry.schema_migrations TO PUBLIC;
CREATE TABLE telemetry.pwned (who text);
GRANT ALL ON telemetry.pwned TO PUBLIC;
CREATE FUNCTION telemetry.squat() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO telemetry.pwned VALUES (current_user); RETURN NEW; END $$;
CREATE TRIGGER squat BEFORE INSERT ON telemetry.schema_migrations FOR EACH ROW EXECUTE FUNCTION telemetry.squat();
"""


async def test_a_schema_that_somebody_else_made_is_refused_and_his_code_does_not_run(shared: str) -> None:
    async with bare(as_role(shared, "mallory")) as mallory:
        await mallory.execute(SQUAT)
        with pytest.raises(SchemaMismatch, match="schema telemetry belongs to mallory, who could run code as backbone"):
            async with Backbone.open(settings(shared)):
                pass
        assert await mallory.fetch("SELECT who FROM telemetry.pwned") == []


async def test_also_a_superuser_runs_nobodys_code(services: native.Services, shared: str) -> None:
    async with bare(as_role(shared, "mallory")) as mallory:
        await mallory.execute(SQUAT)
        await services.sql(f"CREATE ROLE great SUPERUSER LOGIN PASSWORD '{PASSWORD}'")
        try:
            assert "schema telemetry belongs to mallory" in await refusal(as_role(shared, "great"))
        finally:
            await services.sql("DROP ROLE great")
        assert await mallory.fetch("SELECT who FROM telemetry.pwned") == []


@pytest.mark.parametrize(
    ("made", "what"),
    [
        ("CREATE SCHEMA market_data", "schema market_data"),
        ("CREATE TABLE telemetry.schema_migrations (name text)", "telemetry.schema_migrations"),
        ("CREATE VIEW telemetry.ledger AS SELECT 1", "telemetry.ledger"),
        ("CREATE TABLE market_data.trades (price integer)", "market_data.trades"),
        (
            "CREATE FUNCTION telemetry.revision_of(text) RETURNS bigint LANGUAGE sql RETURN 1",
            "function telemetry.revision_of",
        ),
    ],
)
async def test_each_thing_of_somebody_elses_among_ours_is_named(shared: str, made: str, what: str) -> None:
    schema = what.removeprefix("function ").partition(".")[0]
    async with bare(shared) as owner, bare(as_role(shared, "mallory")) as mallory:
        if not what.startswith("schema "):
            await owner.execute(f"CREATE SCHEMA {schema}; GRANT CREATE, USAGE ON SCHEMA {schema} TO mallory")
        await mallory.execute(made)
        for dry_run in (True, False):
            assert f"{what} belongs to mallory" in await refusal(shared, dry_run=dry_run)


async def test_what_is_a_groups_or_beside_ours_is_none_of_it(services: native.Services, shared: str) -> None:
    await services.sql("GRANT mallory TO backbone")
    try:
        async with bare(as_role(shared, "mallory")) as mallory:
            await mallory.execute("CREATE SCHEMA telemetry; GRANT ALL ON SCHEMA telemetry TO backbone")
        async with opened(shared) as store:
            assert (await store.write(chunk(bars({0: 1.0}), "run"))).inserted == 1
    finally:
        await services.sql("REVOKE mallory FROM backbone")


async def test_another_machine_that_is_asked_insecurely_is_said_to_be_in_every_line(shared: str) -> None:
    """0.0.0.0 is no address of this machine to the product, and leads to it all the same."""
    parts = urlsplit(shared)
    away = urlunsplit(parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@0.0.0.0:{parts.port}"))
    async with Backbone.open(settings(away, **{"store.insecure": True})) as backbone:
        assert (await backbone.record(bars({0: 1.0}))).inserted == 1
        report = await backbone.connectivity()
        probe = next(each for each in report.probes if each.name == "store")
        store = next(each for each in backbone.roster().entries if each.path.endswith("/store"))
        told = f"insecure: store.url leads to 0.0.0.0:{parts.port}, another machine, without verified TLS"
        assert (probe.status, probe.why.startswith(told)) == (Status.DEGRADED, True)
        assert (store.health.level, store.health.why.startswith(told)) == ("degraded", True)
        assert told in report.to_markdown()
