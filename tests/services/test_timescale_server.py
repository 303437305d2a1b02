"""A server whose disk is full, that wants TLS, that goes away in the middle of a migration, or ends a deadlock."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import anyio
import pytest

from backbone import Backbone, Frame, IngestPlan, StoreUnavailable, load_settings
from backbone.ingest.plan import IngestRun
from backbone.services import native
from backbone.settings import Settings
from backbone.store.errors import RowRefused, StoreError
from backbone.store.migrations import shipped
from backbone.store.records import Query
from backbone.store.timescale import TimescaleStore
from tests.services.stores import (
    BARS,
    DAY,
    HASTY,
    SMALL,
    bare,
    bars,
    chunk,
    drop_database,
    dsn_of,
    make_database,
    opened,
    until_somebody_waits,
)

MEGABYTE = 2**20


@pytest.fixture
async def dsn(alone: native.Services) -> AsyncIterator[str]:
    address = await make_database(alone, "timescale")
    yield address
    await drop_database(alone, address)


def settings(dsn: str, **more: object) -> Settings:
    store = {"store.backend": "timescale", "store.pool_size": 2, "control.enabled": False}
    return load_settings(profile="embedded", env={"BACKBONE_STORE_URL": dsn}, overrides={**store, **more})


def owner_of(services: native.Services) -> tuple[int, int]:
    facts = (services.data / "timescale" / "cluster").stat()
    return facts.st_uid, facts.st_gid


@pytest.mark.parametrize("option", ["connect_timeout=5", "geqo=maybe"])
async def test_an_option_of_the_url_that_the_server_does_not_take_is_named_with_where_it_stands(
    dsn: str, option: str
) -> None:
    with pytest.raises(StoreUnavailable, match=f"{option.partition('=')[0]}.*options behind the \\? of store.url"):
        async with opened(f"{dsn}?{option}"):
            pass


class Disk:
    """A small file system of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill(self) -> None:
        free = os.statvfs(self.path).f_bavail * os.statvfs(self.path).f_frsize
        with self._ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free)

    def make_room(self) -> None:
        self._ballast.unlink()


@pytest.fixture
def disk(alone: native.Services) -> Iterator[Disk]:
    """What the server sees of /dev/shm is what is mounted there when it starts."""
    path = Path("/dev/shm") / f"backbone-{secrets.token_hex(4)}"  # noqa: S108
    path.mkdir()
    user, group = owner_of(alone)
    options = f"size=48m,mode=0700,uid={user},gid={group}"
    subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", options, "tmpfs", path], check=True)
    try:
        anyio.run(alone.restart, "timescale")
        yield Disk(path)
    finally:
        subprocess.run(["/bin/umount", "--lazy", path], check=True)
        path.rmdir()


@asynccontextmanager
async def database_on(services: native.Services, disk: Disk) -> AsyncIterator[str]:
    name = f"small_{secrets.token_hex(4)}"
    await services.sql(f"CREATE TABLESPACE {name} LOCATION '{disk.path}'")
    await services.sql(f"CREATE DATABASE {name} OWNER backbone TABLESPACE {name}")
    try:
        yield dsn_of(services, name)
    finally:
        await services.sql(f"DROP DATABASE {name} WITH (FORCE)")
        await services.sql(f"DROP TABLESPACE {name}")


def many(count: int) -> Frame:
    """Whole bars, so that they pass the checks of a file, too."""
    moments = [DAY + timedelta(hours=hour) for hour in range(count)]
    prices = {"open": 1.0, "high": 2.0, "low": 1.0, "close": 1.5, "volume": 7.0}
    return Frame.from_records(BARS, [{"symbol": "EURUSD", "interval": "1h", "ts": ts, **prices} for ts in moments])


async def test_a_full_disk_is_refused_with_the_remedy_and_with_room_again_it_goes_on_by_itself(
    alone: native.Services, disk: Disk, tmp_path: Path
) -> None:
    """A caller of `record` is told at once; a run waits, and is none the worse for it."""
    path = tmp_path / "EURUSD.csv"
    many(20_000).to_pandas().to_csv(path, index=False)
    runs: list[IngestRun] = []
    async with database_on(alone, disk) as dsn, Backbone.open(settings(dsn)) as backbone:
        await backbone.record(bars({0: 5.0}, "GBPUSD"))

        async def run() -> None:
            runs.append(await backbone.ingest(IngestPlan(dimensions=[BARS], interval="1h", path=path)))

        disk.fill()
        with pytest.raises(StoreUnavailable, match="its disk is full: make room"):
            await backbone.record(many(20_000))
        async with bare(dsn) as connection:
            assert await connection.fetchval("SELECT count(*) FROM market_data.intraday_bars") == 1
        async with anyio.create_task_group() as group:
            group.start_soon(run)
            with anyio.fail_after(20):
                while not any("disk is full" in each.health.why for each in backbone.roster().entries):  # noqa: ASYNC110
                    await anyio.sleep(0.05)
            disk.make_room()
        assert (runs[0].inserted, runs[0].rows_read) == (20_000, 20_000), runs[0]
        assert len(await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h", limit=30_000)) == 20_000
        assert (await backbone.record(bars({1: 5.0}, "GBPUSD"))).inserted == 1


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Of a server called localhost, and of somebody else; each its own authority."""
    made = {}
    for name in ("localhost", "elsewhere"):
        made[name] = tmp_path_factory.mktemp("tls") / f"{name}.crt"
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        names = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
        files = ["-keyout", str(made[name].with_suffix(".key")), "-out", str(made[name])]
        subprocess.run(["/usr/bin/openssl", "req", "-x509", *key, *names, *files], check=True, capture_output=True)
    return made


@asynccontextmanager
async def speaking_tls(services: native.Services, certificate: Path) -> AsyncIterator[None]:
    """Reachable by TLS only."""
    cluster, (user, group) = services.data / "timescale" / "cluster", owner_of(services)
    for name, source in (("server.crt", certificate), ("server.key", certificate.with_suffix(".key"))):
        (cluster / name).write_bytes(source.read_bytes())
        (cluster / name).chmod(0o600)
        os.chown(cluster / name, user, group)
    rules = services.data / "timescale" / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text(before.replace("host all", "hostssl all"))
    await reloaded(services, "on")
    try:
        yield
    finally:
        rules.write_text(before)
        await reloaded(services, "off")


async def reloaded(services: native.Services, ssl: str) -> None:
    await services.sql(f"ALTER SYSTEM SET ssl = {ssl}")
    await services.sql("SELECT pg_reload_conf()")
    with anyio.fail_after(10):
        while (await services.sql("SHOW ssl")).strip() != ssl:  # noqa: ASYNC110  the server tells nobody
            await anyio.sleep(0.05)


def address(dsn: str, host: str, **options: object) -> str:
    parts = urlsplit(dsn)
    place = f"{parts.netloc.rpartition('@')[0]}@{host}:{parts.port}"
    return urlunsplit(
        parts._replace(netloc=place, query="&".join(f"{name}={given}" for name, given in options.items()))
    )


async def test_a_server_is_known_by_its_certificate_and_name_or_refused_in_words(
    alone: native.Services, dsn: str, certificates: dict[str, Path]
) -> None:
    own, foreign = certificates["localhost"], certificates["elsewhere"]
    async with speaking_tls(alone, own):
        good = address(dsn, "localhost", sslmode="verify-full", sslrootcert=own)
        async with opened(good, bounds=HASTY) as store:
            assert (await store.write(chunk(bars({0: 1.0}), "run"))).inserted == 1
            assert await store._database.run(
                lambda s: s.value("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            )
        wrong = {
            "not valid for '127.0.0.1'": address(dsn, "127.0.0.1", sslmode="verify-full", sslrootcert=own),
            "certificate": address(dsn, "localhost", sslmode="verify-full", sslrootcert=foreign),
            "28000": address(dsn, "127.0.0.1", sslmode="disable"),
            "store.ssl_root_cert": address(dsn, "localhost", sslmode="verify-full", sslrootcert="/no/such/file"),
        }
        for why, given in wrong.items():
            with pytest.raises(StoreUnavailable, match=why) as refused:
                await TimescaleStore(given, bounds=HASTY).open()
            assert not refused.value.passing, why
    with pytest.raises(StoreUnavailable, match="TLS") as refused:
        await TimescaleStore(address(dsn, "localhost", sslmode="require"), bounds=HASTY).open()
    assert not refused.value.passing


async def test_a_migration_that_the_server_left_in_the_middle_is_completed_by_the_next_open(
    alone: native.Services, dsn: str
) -> None:
    everything = shipped("timescale")
    first = TimescaleStore(dsn, bounds=SMALL, migrations=everything[:3])
    await first.open()
    await first.migrate()
    await first.close()
    store = TimescaleStore(dsn, bounds=HASTY)
    await store.open()

    async def migrating() -> None:
        with pytest.raises(StoreError):
            await store.migrate()

    async with bare(dsn) as other:
        await other.execute("BEGIN; LOCK TABLE telemetry.outbox, telemetry.positions, telemetry.ledger")
        async with anyio.create_task_group() as group:
            group.start_soon(migrating)
            await until_somebody_waits(dsn)
            alone.kill("timescale")
    await store.close()
    await alone.restart("timescale")
    async with Backbone.open(settings(dsn)) as backbone:
        await backbone.record(bars({0: 1.0}))
        assert await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h") == bars({0: 1.0})
    async with opened(dsn) as again:
        report = await again.migrate(dry_run=True)
        assert (report.pending, report.current) == ((), everything[-1].name)


async def test_a_ring_of_two_transactions_that_the_server_breaks_costs_another_attempt(
    alone: native.Services, dsn: str
) -> None:
    """Whoever looks first for a ring is ended: that is the store, for the other one looks much later."""
    await alone.sql("GRANT SET ON PARAMETER deadlock_timeout TO backbone")
    await alone.sql(f"ALTER DATABASE {urlsplit(dsn).path[1:]} SET deadlock_timeout = '3s'")
    async with opened(dsn) as store, bare(dsn) as other:
        await store.write(chunk(bars({0: 1.0}), "run 0"))
        await other.execute("SET deadlock_timeout = '60s'; BEGIN; LOCK TABLE telemetry.ingest_runs IN EXCLUSIVE MODE")

        async def close_the_ring() -> None:
            await until_somebody_waits(dsn)
            await other.execute("LOCK TABLE market_data.intraday_bars IN ACCESS EXCLUSIVE MODE")
            await other.execute("COMMIT")

        async with anyio.create_task_group() as group:
            group.start_soon(close_the_ring)
            result = await store.write(chunk(bars({0: 2.0}), "run 1"))
        assert result.changed == 1
        deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        with anyio.fail_after(20):
            while not await other.fetchval(deadlocks):  # noqa: ASYNC110  the server counts later
                await anyio.sleep(0.1)
        assert (await store.read(Query(BARS))).frame == bars({0: 2.0})
        assert len(await store.journal()) == 2


@pytest.mark.parametrize("prepared", [False, True])
async def test_whoever_holds_publishing_back_shows_in_the_roster_and_in_the_report(
    alone: native.Services, dsn: str, prepared: bool
) -> None:
    """A transaction in another database, by a session or prepared: degraded with its number, then well again."""
    elsewhere = await make_database(alone, "postgres")
    async with (
        bare(elsewhere) as foreign,
        Backbone.open(settings(dsn, **{"stream.poll_interval": 0.1})) as backbone,
        backbone.subscribe(BARS, start="latest") as updates,
    ):
        number = await foreign.fetchval("SELECT pg_backend_pid()")
        await foreign.execute("BEGIN; CREATE TABLE public.held (x integer)")
        if prepared:
            await foreign.execute("PREPARE TRANSACTION 'left alone'")
        await backbone.record(bars({0: 1.0}))
        await relay_says(backbone, "'left alone'" if prepared else f"pg_terminate_backend({number})")
        await foreign.execute("ROLLBACK PREPARED 'left alone'" if prepared else "ROLLBACK")
        with anyio.fail_after(20):
            assert (await anext(updates)).frame == bars({0: 1.0})
        await relay_says(backbone, "in-process log")
    await drop_database(alone, elsewhere)


async def relay_says(backbone: Backbone, what: str) -> None:
    with anyio.fail_after(20):
        while True:
            health = next(each.health for each in backbone.roster().entries if each.path.endswith("/relay"))
            if what in health.why:
                assert health.level == "degraded"
                return
            await anyio.sleep(0.05)


async def test_positions_near_the_end_of_their_range_ascend_and_beyond_it_nothing_is_written(dsn: str) -> None:
    """A position is a transaction's number, 46 bits of it: tables that came from elsewhere may begin that high."""
    async with opened(dsn) as store, bare(dsn) as other:
        await other.execute("UPDATE telemetry.xid_shift SET shift = $1", 2**46 - 20_000)
        first = await store.write(chunk(bars({0: 1.0}), "run 0"))
        second = await store.write(chunk(bars({1: 1.0}), "run 1"))
        assert 2**62 < first.position < second.position < 2**63
        assert [row.position for row in await store.read_outbox(0)] == [first.position, second.position]
        await store.advance("stream", 0, second.position, 0, known=0)
        assert (await store.outbox_status()).pending == 0
        await other.execute("UPDATE telemetry.xid_shift SET shift = $1", 2**46)
        with pytest.raises(StoreError, match=r"positions end at 2\^46") as refused:
            await store.write(chunk(bars({2: 1.0}), "run 2"))
        assert not isinstance(refused.value, RowRefused)
        assert len((await store.read(Query(BARS))).frame) == 2
