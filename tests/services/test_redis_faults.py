"""What the cache does when Redis, its limits or the network fail: each call ends in time, and nothing old is served."""

from __future__ import annotations

import random
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress

import anyio
import pytest
from redis.asyncio import Redis
from redis.exceptions import MaxConnectionsError, RedisError

from backbone.cache.errors import CacheUnavailable
from backbone.cache.policy import Policy
from backbone.cache.port import CacheEntry, Hit, Miss
from backbone.cache.redis.address import Address
from backbone.cache.redis.connections import Bounds, Connections
from backbone.services import native
from backbone.services import redis as launcher
from tests.services.caches import (
    BARS,
    EURUSD,
    OPERATOR,
    cache_at,
    entry,
    fresh_database,
    key_of,
    lease_of,
    load,
    opened,
    operator,
    position_of,
    settings,
    url_of,
)
from tests.services.conftest import serving
from tests.services.proxy import proxy

ENDED = 10.0
"""Seconds within which all that is bounded has ended; the client by itself takes 59."""


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[native.Services]:
    """A Redis of the module's own, on which our user may also do what only an operator does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(launcher.RIGHTS, "backbone", OPERATOR)
        yield from serving(["redis"], tmp_path_factory.mktemp("broken"))


@pytest.fixture
def url(broken: native.Services) -> str:
    return url_of(broken)


@pytest.fixture
async def admin(url: str) -> AsyncIterator[Redis]:
    async with operator(url) as client:
        yield client


async def until(said: Callable[[], Awaitable[bool]]) -> None:
    """Ask until it is so; the server tells nobody by itself."""
    with anyio.fail_after(ENDED):
        while not await said():  # noqa: ASYNC110
            await anyio.sleep(0.01)


async def configured(admin: Redis, name: str) -> str:
    return str((await admin.config_get(name))[name])


async def ours(admin: Redis, name: str) -> int:
    return sum(each["name"] == name for each in await admin.client_list())


async def test_r1_a_cancelled_call_ends_its_scope_and_leaves_no_answer_for_another_question(url: str) -> None:
    chance, cancelled = random.Random(1), 0
    async with opened(url, near_bytes=0) as cache:
        for number in range(20):
            assert await load(cache, number + 1, key_of(number))

        async def ask(number: int) -> None:
            nonlocal cancelled
            for _ in range(40):
                with anyio.move_on_after(chance.choice([0.0005, 0.001, 0.01, 1.0])) as scope:
                    assert await position_of(cache, key_of(number)) == number + 1
                cancelled += scope.cancelled_caught

        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(ask, number)
        assert 0 < cancelled < 800
        assert [await position_of(cache, key_of(number)) for number in range(20)] == list(range(1, 21))


async def test_r2_a_frozen_server_holds_a_call_up_for_a_moment_and_is_used_again_once_it_goes_on(
    broken: native.Services, url: str
) -> None:
    async with opened(url, near_bytes=0) as cache:
        await load(cache, 5)
        broken.freeze("redis")
        try:
            with anyio.fail_after(ENDED):
                for call in (cache.get(EURUSD), cache.invalidate(BARS, {"GBPUSD": 1}), cache.probe(), cache.clear()):
                    with pytest.raises(CacheUnavailable, match="no answer within"):
                        await call
        finally:
            broken.thaw("redis")
        with anyio.fail_after(ENDED):
            assert (await cache.probe()).healthy
            await load(cache, 6)
            assert await position_of(cache) == 6


async def test_r2_a_server_that_is_gone_is_told_at_once(url: str) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        gone = f"redis://127.0.0.1:{nobody.getsockname()[1]}/0"
        with anyio.fail_after(ENDED), pytest.raises(CacheUnavailable, match=r"Redis at 127\.0\.0\.1:\d+/0: "):
            await cache_at(gone).open()


async def test_r3_a_get_whose_answer_was_lost_still_has_its_lease(broken: native.Services, url: str) -> None:
    async with proxy(broken.port("redis")) as network, opened(network.dsn(url)) as cache:
        await position_of(cache, key_of(0))
        network.drop_reply_to = b"S1"
        found = await cache.get(key_of(1))
        assert (network.dropped, type(found)) == (1, Miss)
        assert isinstance(found, Miss)
        assert await cache.put(key_of(1), entry(5), found.lease)


async def test_r3_a_put_whose_answer_was_lost_is_one_put(broken: native.Services, url: str) -> None:
    async with proxy(broken.port("redis")) as network, opened(network.dsn(url), near_bytes=0) as cache:
        lease = await lease_of(cache)
        network.drop_reply_to = _rows(5)[-64:]
        assert await cache.put(EURUSD, entry(5), lease)
        assert network.dropped == 1
        metrics = await cache.metrics()
        assert (metrics.sets, metrics.keys, metrics.stale_rejected) == (1, 1, 0)
        assert await position_of(cache) == 5


async def test_r3_a_clear_whose_answer_was_lost_begins_one_generation(broken: native.Services, url: str) -> None:
    database = fresh_database()
    async with (
        proxy(broken.port("redis")) as network,
        opened(network.dsn(url), database=database) as cache,
        opened(url, database=database) as other,
    ):
        await load(cache, 5)
        network.drop_reply_to = b"clear"
        await cache.clear()
        assert network.dropped == 1
        assert await position_of(other) is None
        await load(other, 3)
        assert await position_of(cache) == 3


async def test_r3_an_invalidation_whose_answer_was_lost_is_in_force(broken: native.Services, url: str) -> None:
    async with proxy(broken.port("redis")) as network, opened(network.dsn(url)) as cache:
        await load(cache, 5)
        network.drop_reply_to = b"invalidate"
        await cache.invalidate(BARS, {"EURUSD": 6})
        assert network.dropped == 1
        assert await position_of(cache) is None


async def test_r4_who_finds_no_free_connection_waits_for_one(url: str) -> None:
    async with opened(url, bounds=Bounds(connections=2, wait=5.0)) as cache:
        async with anyio.create_task_group() as group:
            for number in range(60):
                group.start_soon(load, cache, 1, key_of(number))
        assert (await cache.metrics()).keys == 60


async def test_r4_waiting_for_a_connection_is_bounded(broken: native.Services, url: str) -> None:
    async with opened(url, bounds=Bounds(connections=1, wait=0.1)) as cache:
        broken.freeze("redis")
        said: list[str] = []

        async def ask() -> None:
            with pytest.raises(CacheUnavailable) as caught:
                await cache.get(EURUSD)
            said.append(str(caught.value))

        try:
            with anyio.fail_after(ENDED):
                async with anyio.create_task_group() as group:
                    group.start_soon(ask)
                    group.start_soon(ask)
        finally:
            broken.thaw("redis")
    assert "none of the 1 connections came free within 0.1 s; raise cache.pool_size" in said[0]
    assert "no answer within" in said[1]


async def test_r5_calls_that_are_cancelled_take_no_connection_with_them(url: str, admin: Redis) -> None:
    own = settings(url, client_name="r5", pool_size=3)
    connections = Connections(Address.of(own), Bounds(connections=3, wait=5.0))
    connections.open()
    chance = random.Random(5)

    async def ask() -> None:
        for _ in range(50):
            with anyio.move_on_after(chance.choice([0.0, 0.0003, 0.001, 0.003])), suppress(CacheUnavailable):
                await connections.call(("GET", "backbone:nothing"))

    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(ask)
    async with anyio.create_task_group() as group:
        for _ in range(30):
            group.start_soon(connections.call, ("GET", "backbone:nothing"))
    assert 1 <= await ours(admin, "r5") <= 3
    await connections.close()


async def test_r6_a_change_is_seen_though_the_network_went_deaf_without_an_error(
    broken: native.Services, url: str
) -> None:
    database = fresh_database()
    async with (
        proxy(broken.port("redis")) as network,
        opened(network.dsn(url), database=database, near_for=0.2) as deaf,
        opened(url, database=database) as other,
    ):
        await load(deaf, 5)
        assert await position_of(deaf) == 5
        network.silent = True
        await other.invalidate(BARS, {"EURUSD": 6})

        async def is_seen() -> bool:
            return await position_of(deaf) != 5

        with pytest.raises(CacheUnavailable):
            await until(is_seen)
        network.silent = False
        assert await position_of(deaf) is None


def test_r7_what_the_client_would_choose_by_itself_is_chosen(url: str) -> None:
    connection = Address.of(settings(url, client_name="us", health_check_interval=7.0)).connection()
    assert (connection.protocol, connection.client_name, connection.health_check_interval) == (3, "us", 7.0)
    assert (connection.retry.get_retries(), connection.socket_timeout, connection.socket_connect_timeout) == (
        0,
        None,
        1,
    )
    assert connection.socket_keepalive


async def test_r7_the_server_speaks_resp3_with_us_and_knows_us_by_name(url: str, admin: Redis) -> None:
    connections = Connections(Address.of(settings(url, client_name="r7")), Bounds())
    connections.open()
    assert await connections.call(("GET", "backbone:nothing")) is None
    [mine] = [each for each in await admin.client_list() if each["name"] == "r7"]
    assert (mine["resp"], mine["user"]) == ("3", "backbone")
    await connections.close()


async def test_r8_without_memory_what_is_there_is_served_and_what_is_written_is_refused(url: str, admin: Redis) -> None:
    async with opened(url, near_bytes=0) as cache:
        await load(cache, 5)
        policy = await configured(admin, "maxmemory-policy")
        memory = await configured(admin, "maxmemory")
        await admin.config_set("maxmemory-policy", "noeviction")
        await admin.config_set("maxmemory", "1mb")
        try:
            assert await position_of(cache) == 5
            for call in (cache.get(key_of(1)), cache.probe(), cache.invalidate(BARS, {"EURUSD": 6})):
                with pytest.raises(CacheUnavailable, match="maxmemory"):
                    await call
        finally:
            await admin.config_set("maxmemory", memory)
            await admin.config_set("maxmemory-policy", policy)
        assert await position_of(cache, key_of(1)) is None


async def test_r8_where_keys_have_to_go_the_positions_stay(url: str, admin: Redis) -> None:
    rows = entry(1, 3000).payload
    assert isinstance(rows, bytes)
    before = await configured(admin, "maxmemory")
    async with opened(url, near_bytes=0) as cache:
        await load(cache, 5)
        await cache.invalidate(BARS, {"EURUSD": 6})
        used = (await admin.info("memory"))["used_memory"]
        await admin.config_set("maxmemory", used + 20 * len(rows))
        try:
            for number in range(60):
                await load(cache, 1, key_of(number), CacheEntry(rows, 1))
            there = [await position_of(cache, key_of(number)) for number in range(60)]
            assert 0 < there.count(1) < 60
            assert (await admin.info("stats"))["evicted_keys"] > 0
            assert not await load(cache, 5)
        finally:
            await admin.config_set("maxmemory", before)


async def test_r8_all_keys_but_the_positions_end_by_themselves(url: str, admin: Redis) -> None:
    await admin.flushall()
    policy = Policy.of(ttl=600.0, ttl_jitter=0.5)
    async with opened(url, policy=policy) as cache:
        for number in range(20):
            await load(cache, 1, key_of(number))
        await lease_of(cache)
        await cache.probe()
        ends = {_text(name): await admin.pttl(name) for name in await admin.keys("*")}
    assert [name.rpartition(":")[2] for name, end in ends.items() if end == -1] == ["state"]
    entries = {end for name, end in ends.items() if "intraday_bars" in name and not name.endswith(":lease")}
    assert len(entries) > 10
    assert 290_000 < min(entries) < max(entries) <= 600_000


async def test_r9_a_server_that_is_full_of_clients_is_told_and_used_once_there_is_room(url: str, admin: Redis) -> None:
    crowd = [Redis.from_url(url) for _ in range(40)]
    before = await configured(admin, "maxclients")
    await admin.config_set("maxclients", 12)
    try:
        with suppress(MaxConnectionsError, RedisError):
            for each in crowd:
                await each.ping()
        cache = cache_at(url)
        with anyio.fail_after(ENDED), pytest.raises(CacheUnavailable, match="max number of clients"):
            await cache.open()
    finally:
        for each in crowd:
            await each.aclose()
        await admin.config_set("maxclients", before)
    await cache.open()
    assert (await cache.probe()).healthy
    await cache.close()


async def test_r10_no_password_is_in_what_is_printed_or_told(url: str) -> None:
    canary = "canary-0c1d"
    wrong = url.replace(url.split(":")[2].split("@")[0], canary)
    address = Address.of(settings(wrong))
    cache = cache_at(wrong)
    with pytest.raises(CacheUnavailable, match="invalid username-password pair") as caught:
        await cache.open()
    printed = f"{address!r} {address} {address.connection()!r} {cache!r} {caught.value!r} {caught.value.__cause__!r}"
    assert canary not in printed
    assert caught.value.__suppress_context__
    with pytest.raises(CacheUnavailable):
        await cache.get(EURUSD)
    await cache.close()


async def test_r11_who_was_away_longer_than_the_lease_puts_nothing(url: str) -> None:
    database, policy = fresh_database(), Policy(lease_s=0.1)
    async with (
        opened(url, database=database, policy=policy) as away,
        opened(url, database=database, policy=policy) as other,
    ):
        late, leases = await lease_of(away), list[str]()

        async def is_granted() -> bool:
            found = await other.get(EURUSD)
            leases.extend([found.lease] if isinstance(found, Miss) else [])
            return bool(leases)

        await until(is_granted)
        assert not await away.put(EURUSD, entry(9), late)
        assert await other.put(EURUSD, entry(5), leases[0])
        assert await position_of(away) == 5


async def test_r12_a_cache_that_was_closed_leaves_no_connection_behind(url: str, admin: Redis) -> None:
    own = settings(url, client_name="r12")
    connections = Connections(Address.of(own), Bounds())
    connections.open()
    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(connections.call, ("GET", "backbone:nothing"))
    assert await ours(admin, "r12") > 0
    await connections.close()

    async def is_gone() -> bool:
        return not await ours(admin, "r12")

    await until(is_gone)


async def test_a_server_that_was_emptied_is_not_trusted(url: str, admin: Redis) -> None:
    async with opened(url, near_for=0.0) as cache:
        await load(cache, 5)
        lease = await lease_of(cache, key_of(1))
        await admin.flushall()
        assert await position_of(cache) is None
        assert not await cache.put(key_of(1), entry(5), lease)
        assert await load(cache, 3)
        assert await position_of(cache) == 3


async def test_a_server_that_lost_its_positions_alone_is_not_trusted(url: str, admin: Redis) -> None:
    await admin.flushall()
    async with opened(url, near_for=0.0) as cache:
        await load(cache, 5)
        [state] = await admin.keys("*:state")
        await admin.delete(state)
        assert await position_of(cache) is None


async def test_a_server_that_comes_back_without_its_newest_second_is_not_trusted(broken: native.Services) -> None:
    """It keeps its log once a second: what was invalidated within the last one may be served again after kill -9."""
    keys = broken.data / "redis" / "keys"
    async with opened(url_of(broken), near_for=0.0) as cache:
        await load(cache, 5)
        older = keys.with_name("older")
        shutil.copytree(keys, older)
        await cache.invalidate(BARS, {"EURUSD": 6})
        broken.kill("redis")
        for file in older.rglob("*"):
            if file.is_file():
                there = keys / file.relative_to(older)
                there.write_bytes(file.read_bytes())
        shutil.rmtree(older)
        await broken.restart("redis")
        with anyio.fail_after(ENDED):
            assert await position_of(cache) is None
        assert await load(cache, 6)
        assert await position_of(cache) == 6


async def test_a_cache_that_was_killed_is_used_again_by_who_was_connected(broken: native.Services, url: str) -> None:
    async with opened(url, near_bytes=0) as cache:
        async with anyio.create_task_group() as group:
            for number in range(8):
                group.start_soon(load, cache, 1, key_of(number))
        broken.kill("redis")
        with anyio.fail_after(ENDED), pytest.raises(CacheUnavailable):
            await cache.get(EURUSD)
        await broken.restart("redis")
        assert isinstance(await cache.get(EURUSD), Miss)


async def test_windows_near_are_served_only_while_the_server_said_so_lately(url: str) -> None:
    now = [0.0]
    database = fresh_database()
    async with (
        opened(url, database=database, clock=lambda: now[0]) as cache,
        opened(url, database=database) as other,
    ):
        await load(cache, 5)
        await cache.get(EURUSD)
        await other.invalidate(BARS, {"EURUSD": 6})
        assert await position_of(cache) == 5  # another process' change, within the bound
        await other.release(EURUSD, await lease_of(cache, at_least=6))
        now[0] += 0.26
        assert await position_of(cache) is None
        await load(cache, 6)
        first = await cache.get(EURUSD)
        now[0] += 0.26
        second = await cache.get(EURUSD)
        assert isinstance(first, Hit)
        assert first is second  # the server said in a few bytes that it is the same
        await cache.invalidate(BARS, {"EURUSD": 7})
        assert await position_of(cache) is None  # our own change, at once


def _text(name: bytes | str) -> str:
    return name if isinstance(name, str) else name.decode()


def _rows(count: int) -> bytes:
    payload = entry(count).payload
    assert isinstance(payload, bytes)
    return payload
