"""The reply to a COMMIT is lost: the server has carried it out, and nobody was told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import pytest

from backbone import Backbone
from backbone.domain import Dimension
from backbone.ingest.plan import IngestRun
from backbone.services import native
from backbone.store.errors import StoreUnavailable, UnknownOutcome
from backbone.store.timescale import Bounds
from tests.backbone.facade.kit import BARS, plan
from tests.faults.drills.kit import QUOTES, chunk, hash_of, inspect, say, settings_of, store_of
from tests.faults.proxy import LostReply, Proxy
from tests.services.stores import drop_database, make_database

COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
"""A simple query of PostgreSQL's protocol (message formats: Query)."""

COMMITS = 11  # of a run: one for the epoch, one for each chunk
SOME = (0, 1, 5, 10)
HASTY = Bounds(pool_size=1, max_overflow=2, pool_timeout=1.0, connect_timeout=1.0, statement_timeout=1.0)


@asynccontextmanager
async def proxied(services: native.Services, dsn: str) -> AsyncIterator[tuple[Proxy, str]]:
    """A proxy to the server, and the database's address by way of it."""
    async with Proxy.to(services.port("timescale")) as proxy:
        parts = urlsplit(dsn)
        account = parts.netloc.rpartition("@")[0]
        yield proxy, urlunsplit(parts._replace(netloc=f"{account}@127.0.0.1:{proxy.port}"))


async def ingested(backbone: Backbone, *, retry: bool) -> IngestRun:
    """Carry the plan out; where the server was silent for longer than it may be, the operator does it again."""
    try:
        return await backbone.ingest(plan())
    except StoreUnavailable:
        assert retry
        return await backbone.ingest(plan())


@pytest.mark.parametrize("silent", [False, True], ids=["reset", "silence"])
async def test_a_run_whose_commit_replies_are_lost_ends_right(services: native.Services, silent: bool) -> None:
    spared = SOME if silent else range(COMMITS)
    say(f"{len(spared)} runs, each loses the reply to one COMMIT, by {'silence' if silent else 'RST'}")
    hashes = set()
    for skip in spared:
        dsn = await make_database(services, "timescale")
        async with proxied(services, dsn) as (proxy, address):
            settings = settings_of(address, **{"store.statement_timeout": 1.0})
            async with Backbone.open(settings) as backbone:
                proxy.add(LostReply(COMMIT, silent=silent, skip=skip))
                run = await ingested(backbone, retry=silent)
                proxy.clear()
                assert (run.inserted + run.unchanged, run.changed) == (5000, 0)
                assert silent or run.unchanged == 0
                table = await backbone.fetch(BARS)
            assert proxy.fired["LostReply"], "no reply was lost"
        store = store_of(dsn, "inspector")
        await store.open()
        found = await inspect(store, Dimension.INTRADAY_BARS)
        await store.close()
        await drop_database(services, dsn)
        assert found.rows == 5000
        assert found.table == hash_of(table)
        hashes.add(found.table)
    assert len(hashes) == 1


async def test_where_the_answer_can_not_be_had_it_is_unknown_and_a_retry_doubles_nothing(
    services: native.Services, dsn: str
) -> None:
    async with proxied(services, dsn) as (proxy, address):
        store = store_of(address, "unknown", HASTY)
        await store.open()
        await store.migrate()
        epoch = await store.claim_epoch("drill", QUOTES)
        # the lookup that follows commits too, and is not answered either
        proxy.add(LostReply(COMMIT, times=1_000))
        with pytest.raises(UnknownOutcome):
            await store.write(chunk(0, epoch))
        proxy.clear()
        known = await store.lookup("run 0", chunk(0, epoch).ingest_id)
        assert known is not None
        again = await store.write(chunk(0, epoch))
        say(f"unknown, then known: {known.inserted} rows inserted; the retry inserted nothing, known={again.known}")
        assert (known.inserted, again.known) == (400, True)
        assert (await inspect(store, QUOTES))[::3] == (400, 1)
        await store.close()
