"""Statements of SQL on the real server: by which role, and what is left behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

import anyio
import pytest

from backbone.services import native
from backbone.store.errors import StatementRefused, StoreBusy, TooMuch, Unsupported
from backbone.store.timescale import TimescaleStore
from tests.contracts.test_store_statements import ENDLESS, HOSTILE, asked, traded
from tests.services.stores import bare, opened

AT_WORK = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND query LIKE 'WITH daily_bars AS%' AND state = 'active'
"""


@pytest.fixture
async def as_superuser(services: native.Services, dsn: str, store: TimescaleStore) -> AsyncIterator[str]:
    """The database's URL with an account that may do anything, which makes each refusal ours."""
    name, password = "everything", "everything"
    await services.sql(f"DROP ROLE IF EXISTS {name}")
    await services.sql(f"CREATE ROLE {name} SUPERUSER LOGIN PASSWORD '{password}'")
    parts = urlsplit(dsn)
    yield urlunsplit(parts._replace(netloc=f"{name}:{password}@{parts.netloc.rpartition('@')[2]}"))
    await services.sql(f"DROP ROLE IF EXISTS {name}")


async def test_a_superuser_may_no_more_than_others(as_superuser: str) -> None:
    taken = []
    async with opened(as_superuser) as store:
        for name, text in HOSTILE.items():
            try:
                await store.run_statement(asked(text))
                taken.append(name)
            except StatementRefused:
                continue
        assert (await store.run_statement(asked("SELECT count(*) AS n FROM trades"))).to_pylist() == [{"n": 0}]
    assert taken == []


async def test_a_statement_takes_the_role_that_is_set(
    services: native.Services, store: TimescaleStore, dsn: str
) -> None:
    await store.write(traded(3))
    with pytest.raises(Unsupported, match=r"sql\.role=backbone_reader.*GRANT it to ours"):
        await store.run_statement(asked("SELECT 1", role="backbone_reader"))
    async with bare(dsn) as owner:
        await owner.execute("GRANT USAGE ON SCHEMA market_data TO backbone_reader")
        await owner.execute("GRANT SELECT ON ALL TABLES IN SCHEMA market_data TO backbone_reader")
    await services.sql("GRANT backbone_reader TO backbone")
    try:
        answer = await store.run_statement(asked("SELECT current_user AS me", role="backbone_reader"))
        assert answer.to_pylist() == [{"me": "backbone_reader"}]
    finally:
        await services.sql("REVOKE backbone_reader FROM backbone")
    with pytest.raises(Unsupported, match="nobody"):
        await store.run_statement(asked("SELECT 1", role="nobody"))


async def test_nothing_is_at_work_behind_one_that_was_stopped(store: TimescaleStore, dsn: str) -> None:
    async def ask() -> None:
        with pytest.raises(StoreBusy, match="stopped"):
            await store.run_statement(asked(ENDLESS["a cross join"], seconds=60.0, name="endless"))

    async with bare(dsn) as beside:
        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            while not await beside.fetchval(AT_WORK):
                await anyio.lowlevel.checkpoint()
            await store.stop_statement("endless")
        assert await beside.fetchval(AT_WORK) == 0


async def test_a_caller_who_is_cancelled_has_the_server_stop_before_he_goes_on(store: TimescaleStore, dsn: str) -> None:
    async with bare(dsn) as beside:
        async with anyio.create_task_group() as group:
            group.start_soon(store.run_statement, asked(ENDLESS["a cross join"], seconds=60.0))
            while not await beside.fetchval(AT_WORK):
                await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
        assert await beside.fetchval(AT_WORK) == 0


async def test_a_row_that_is_too_wide_never_leaves_the_server(store: TimescaleStore) -> None:
    with pytest.raises(TooMuch, match="a row of the answer has more than 8,388,608 bytes"):
        await store.run_statement(asked("SELECT array_agg(i) AS all FROM generate_series(1, 2200000) AS t(i)"))
