"""Who may do what on the real servers: the owner's account, the writer's and the reader's, and nobody without one."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from aiokafka.admin import NewTopic
from aiokafka.errors import KafkaConnectionError, KafkaError, TopicAuthorizationFailedError
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError, RedisError

from backbone.services import native, state
from backbone.services.kafka import PREFIX
from tests.services.clients import admin, cache, consume_one, produce, topic
from tests.services.stores import bars, chunk, opened

REFUSED = (KafkaError, KafkaConnectionError)


@asynccontextmanager
async def database(services: native.Services, role: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(services.environment_of(role)["BACKBONE_STORE_URL"], timeout=5)
    try:
        yield connection
    finally:
        await connection.close()


async def test_a_wrong_password_is_refused_by_the_database(services: native.Services) -> None:
    url = urlsplit(services.environment["BACKBONE_STORE_URL"])
    for account in ("backbone", "backbone_writer", "backbone_reader", "postgres"):
        wrong = urlunsplit(url._replace(netloc=f"{account}:wrong@127.0.0.1:{url.port}"))
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(wrong, timeout=5)


async def test_the_owner_of_the_database_has_no_rights_beyond_it(services: native.Services) -> None:
    rows = await services.sql(
        "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls FROM pg_roles "
        "WHERE rolname LIKE 'backbone%'"
    )
    assert rows.split() == ["f|f|f|f|f"] * 3
    groups = "SELECT DISTINCT roleid::regrole FROM pg_auth_members WHERE member::regrole::text LIKE 'backbone%'"
    assert (await services.sql(groups)).split() == ["pg_read_all_stats"]


async def test_the_writer_writes_rows_and_the_reader_reads_them_and_neither_more(services: native.Services) -> None:
    async with database(services, "owner") as owner:
        await owner.execute("CREATE SCHEMA rights")
        await owner.execute("CREATE TABLE rights.bars (n bigint GENERATED ALWAYS AS IDENTITY, close double precision)")
        try:
            async with database(services, "writer") as writer:
                await writer.execute("INSERT INTO rights.bars (close) VALUES (1.5)")
                await writer.execute("CREATE TEMP TABLE fresh (n integer)")
                await refused(writer, "DROP TABLE rights.bars", "TRUNCATE rights.bars")
                await refused(writer, "CREATE TABLE rights.more (n integer)", "CREATE SCHEMA mine")
            async with database(services, "reader") as reader:
                assert await reader.fetchval("SELECT close FROM rights.bars") == 1.5
                await refused(reader, "DELETE FROM rights.bars", "INSERT INTO rights.bars (close) VALUES (2)")
                await refused(reader, "CREATE TEMP TABLE fresh (n integer)", "CREATE TABLE public.mine (n integer)")
        finally:
            await owner.execute("DROP SCHEMA rights CASCADE")


async def test_the_store_is_migrated_by_its_owner_written_to_by_the_writer_and_looked_at_by_the_reader(
    services: native.Services,
) -> None:
    url = {role: services.environment_of(role)["BACKBONE_STORE_URL"] for role in ("owner", "writer", "reader")}
    async with opened(url["owner"]):
        try:
            async with opened(url["writer"]) as store:
                await store.write(chunk(bars({0: 1.0, 1: 2.0}), "run"))
                await store.write(chunk(bars({0: 1.5}), "next"))
            async with database(services, "reader") as reader:
                rows = await reader.fetch("SELECT close FROM market_data.intraday_bars ORDER BY ts")
                assert [row["close"] for row in rows] == [1.5, 2.0]
                await refused(reader, "DELETE FROM telemetry.outbox")
            await services.restart("timescale")
            async with database(services, "writer") as writer:
                await refused(writer, "DELETE FROM telemetry.schema_migrations")
        finally:
            await services.sql("DROP SCHEMA market_data, telemetry CASCADE")


async def refused(connection: asyncpg.Connection, *statements: str) -> None:
    for statement in statements:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)


async def test_the_cache_asks_for_a_password(services: native.Services) -> None:
    async with Redis(port=services.port("redis"), retry=Retry(NoBackoff(), 0)) as client:
        with pytest.raises(RedisError, match=r"authenticated|Authentication required"):
            await client.ping()
    url = f"redis://backbone:wrong@127.0.0.1:{services.port('redis')}/0"
    async with Redis.from_url(url, retry=Retry(NoBackoff(), 0)) as client:
        with pytest.raises(RedisError, match=r"WRONGPASS|invalid username-password"):
            await client.ping()


async def test_the_cache_lets_its_adapter_do_what_adapters_do(services: native.Services) -> None:
    key, other = f"backbone:{secrets.token_hex(4)}", f"backbone:{secrets.token_hex(4)}"
    async with cache(services) as client:
        for words in (
            ("HELLO", "3"),
            ("CLIENT", "SETNAME", "backbone"),
            ("CLIENT", "SETINFO", "LIB-NAME", "backbone"),
            ("CLIENT", "ID"),
            ("SELECT", "0"),
            ("PING",),
            ("SET", key, "1", "PX", "60000", "NX"),
            ("GET", key),
            ("GETEX", key, "PX", "60000"),
            ("MGET", key, other),
            ("EXISTS", key),
            ("PEXPIRE", key, "60000"),
            ("PTTL", key),
            ("STRLEN", key),
            ("MEMORY", "USAGE", key),
            ("OBJECT", "ENCODING", key),
            ("INCR", key),
            ("HSET", other, "position", "1", "data", "bytes"),
            ("HMGET", other, "position", "data"),
            ("HPEXPIRE", other, "60000", "FIELDS", "1", "data"),
            ("SCAN", "0", "MATCH", "backbone:*", "COUNT", "10"),
            ("DBSIZE",),
            ("TIME",),
            ("PUBLISH", "backbone:changed", "1"),
            ("EVAL", "return redis.call('GET', KEYS[1])", "1", key),
            ("WAIT", "0", "1"),
            ("UNLINK", other),
            ("DEL", key),
        ):
            await ask(client, *words)
        script = client.register_script("return redis.call('SET', KEYS[1], ARGV[1], 'PX', 60000)")
        assert await script(keys=[key], args=["1"])
        assert await script(keys=[key], args=["2"])
        async with client.pipeline(transaction=True) as pipeline:
            await pipeline.watch(key)
            pipeline.multi()  # type: ignore[no-untyped-call]
            pipeline.set(key, "3")
            assert await pipeline.execute() == [True]
        async with client.pubsub() as listening:
            await listening.subscribe("backbone:changed")
            assert await listening.get_message(timeout=5)


async def ask(client: Redis, *words: str) -> object:
    try:
        return await client.execute_command(*words)  # type: ignore[no-untyped-call]
    except RedisError as error:
        error.add_note(f"the command: {' '.join(words)}")
        raise


@pytest.mark.parametrize("role", ["owner", "reader"])
async def test_the_cache_lets_nobody_do_what_only_its_operator_may(services: native.Services, role: str) -> None:
    async with cache(services, role) as client:
        for words in (
            ("FLUSHALL",),
            ("FLUSHDB",),
            ("SWAPDB", "0", "1"),
            ("KEYS", "*"),
            ("CONFIG", "GET", "*"),
            ("CONFIG", "SET", "loglevel", "debug"),
            ("ACL", "LIST"),
            ("ACL", "SETUSER", "mallory", "on", "nopass", "~*", "+@all"),
            ("MONITOR",),
            ("DEBUG", "SLEEP", "0"),
            ("SHUTDOWN", "NOSAVE"),
            ("BGREWRITEAOF",),
            ("REPLICAOF", "127.0.0.1", "1"),
            ("MODULE", "LIST"),
            ("FUNCTION", "LOAD", "#!lua name=mine\nredis.register_function('f', function() return 1 end)"),
            ("SCRIPT", "FLUSH"),
            ("CLIENT", "KILL", "TYPE", "normal"),
            ("MIGRATE", "127.0.0.1", "1", "backbone:key", "0", "1"),
            ("RESTORE", "backbone:key", "0", "bytes"),
            ("GET", "others:key"),
            ("SET", "others:key", "1"),
            ("COPY", "backbone:key", "others:key"),
            ("EVAL", "return redis.call('GET', 'others:key')", "0"),
            ("SUBSCRIBE", "others:changed"),
            ("PSUBSCRIBE", "*"),
            ("PUBLISH", "others:changed", "1"),
        ):
            with pytest.raises(RedisError, match=r"NOPERM|(?i:no permission|permissions|can't access|not allowed)"):
                await ask(client, *words)


async def test_the_reader_of_the_cache_sees_how_it_is_and_writes_nothing(services: native.Services) -> None:
    async with cache(services) as client:
        await client.set("backbone:seen", "1", px=60_000)
        with pytest.raises(NoPermissionError):
            await client.info()
    async with cache(services, "reader") as client:
        assert await client.get("backbone:seen") == b"1"
        assert (await client.info("memory"))["maxmemory"] == 256 * 2**20
        assert await client.client_list()
        for words in (("SET", "backbone:seen", "2"), ("DEL", "backbone:seen"), ("EVAL", "return 1", "0")):
            with pytest.raises(NoPermissionError):
                await ask(client, *words)


@pytest.mark.parametrize(
    "login",
    [
        {"security_protocol": "PLAINTEXT"},
        {"sasl_plain_password": "wrong"},
        {"sasl_plain_username": "mallory"},
        {"sasl_plain_username": "broker"},
        {"sasl_mechanism": "PLAIN"},
        {"sasl_mechanism": "SCRAM-SHA-256"},
    ],
    ids=lambda login: " ".join(login.values()),
)
async def test_the_stream_lets_nobody_in_without_the_password(services: native.Services, login: dict[str, str]) -> None:
    with pytest.raises(REFUSED):
        async with admin(services, **login):
            pass


@pytest.mark.parametrize("port", ["kafka_internal", "kafka_controller"])
@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SASL_PLAINTEXT"])
async def test_the_stream_keeps_what_it_says_to_itself_closed(
    services: native.Services, port: str, protocol: str
) -> None:
    current = state.load(services.data)
    assert current is not None
    place = f"127.0.0.1:{current.services['kafka'].ports[port]}"
    for mechanism in ("PLAIN", "SCRAM-SHA-512"):
        with pytest.raises(REFUSED):
            async with admin(services, bootstrap_servers=place, security_protocol=protocol, sasl_mechanism=mechanism):
                pass


async def test_the_stream_lets_its_owner_make_topics_of_its_own_and_no_others(services: native.Services) -> None:
    own = await topic(services)
    await produce(services, own, b"bar")
    assert await consume_one(services, own) == b"bar"
    async with admin(services) as client:
        with pytest.raises(TopicAuthorizationFailedError):
            await made(client, f"others-{secrets.token_hex(4)}")
        with pytest.raises(TopicAuthorizationFailedError):
            await deleted(client, own)
    async with admin(services, "admin") as client:
        await deleted(client, own)


async def made(client: object, name: str) -> None:
    answer = await client.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])  # type: ignore[attr-defined]
    raise_for(answer.topic_errors)


async def deleted(client: object, name: str) -> None:
    answer = await client.delete_topics([name])  # type: ignore[attr-defined]
    raise_for(answer.topic_error_codes)


def raise_for(rows: list[tuple[object, ...]]) -> None:
    for _name, code, *_ in rows:
        if code == TopicAuthorizationFailedError.errno:
            raise TopicAuthorizationFailedError
        assert code == 0


async def test_the_reader_of_the_stream_reads_and_forges_nothing(services: native.Services) -> None:
    name = await topic(services)
    await produce(services, name, b"bar")
    assert await consume_one(services, name, "reader") == b"bar"
    with pytest.raises(KafkaError):
        await produce(services, name, b"forged", "reader")
    foreign = f"others-{secrets.token_hex(4)}"
    async with admin(services, "admin") as client:
        await made(client, foreign)
    for role in ("owner", "reader"):
        with pytest.raises(KafkaError):
            await consume_one(services, foreign, role)
    with pytest.raises(KafkaError):
        await produce(services, foreign, b"forged")
    assert foreign.startswith(PREFIX) is False


async def test_accounts_stay_as_they_are_from_one_start_to_the_next(services: native.Services) -> None:
    roles = ("owner", "writer", "reader", "admin")
    before = {role: services.environment_of(role) for role in roles}
    for name in ("redis", "kafka"):
        await services.restart(name)
    assert {role: services.environment_of(role) for role in roles} == before
    name = await topic(services)
    await produce(services, name, str(datetime.now(UTC)).encode())
