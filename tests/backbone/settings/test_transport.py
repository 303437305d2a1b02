"""Nothing leaves this machine without verified TLS, however the address is given, unless the settings say so."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backbone import Backbone
from backbone.domain import Status
from backbone.settings import Settings, SettingsError, check, load_settings
from backbone.settings.servers import kafka_servers, postgres_servers, redis_servers
from backbone.settings.transport import insecure_parts
from backbone.store.child import factory
from tests.backbone.store.impostor import authority, self_signed

AUTHORITY = "$AUTHORITY"
"""In an address: the file of one."""


@pytest.fixture(scope="module", autouse=True)
def authority_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    made = authority(tmp_path_factory.mktemp("authority"), "ours")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "AUTHORITY", str(made.crt))
        yield


def failed(settings: Settings) -> dict[str, str]:
    return {each.path: each.message for each in check(settings) if each.status is Status.FAILED}


def store(url: str, **more: Any) -> Settings:
    overrides = {
        f"store.{name}": os.path.expandvars(value) if isinstance(value, str) else value for name, value in more.items()
    }
    env = {"BACKBONE_STORE_URL": os.path.expandvars(url)}
    return load_settings(profile="timescale", env=env, overrides=overrides)


STORES_ELSEWHERE = [
    "postgresql://db/x",
    "postgresql://u:p@10.1.2.3/x",
    "postgresql://u:p@10.1.2.3/x?sslmode=disable",
    "postgresql://u:p@10.1.2.3/x?sslmode=allow",
    "postgresql://u:p@10.1.2.3/x?sslmode=prefer",
    "postgresql://u:p@10.1.2.3/x?sslmode=require",
    f"postgresql://u:p@10.1.2.3/x?sslmode=require&sslrootcert={AUTHORITY}",
    f"postgresql://u:p@10.1.2.3/x?sslmode=verify-ca&sslrootcert={AUTHORITY}",
    "postgresql://u:p@10.1.2.3/x?sslmode=verify-full&sslmode=prefer",
    "postgresql://u:p@10.1.2.3/x?SSLMODE=verify-full",
    "postgresql://u:p@10.1.2.3/x?a=sslmode%3Dverify-full",
    "postgresql://u:p@10.1.2.3/sslmode=verify-full",
    "postgresql://u:sslmode=verify-full@10.1.2.3/x",
    "postgresql://u:p@10.1.2.3/x#sslmode=verify-full",
    "postgresql://127.example/x",
    "postgresql://127.1/x",
    "postgresql://localhost./x",
    "postgresql://0.0.0.0/x",
    "postgresql://[::ffff:10.1.2.3]/x",
    "postgresql://[::1%25eth0]/x",
    "postgresql://localhost,10.1.2.3/x",
    "postgresql://127.0.0.1:1,10.1.2.3:2/x",
    "postgresql://127.0.0.1%2C10.1.2.3/x",
    "postgresql://%31%30.1.2.3/x",
    "postgresql:///x?host=10.1.2.3",
    "postgresql:///x?host=/run/postgresql,10.1.2.3",
    "postgresql://u@/x?host=10.1.2.3",
    "postgresql+psycopg2://u:p@10.1.2.3/x",
]


@pytest.mark.parametrize("url", STORES_ELSEWHERE)
async def test_a_store_elsewhere_is_refused_before_any_connection_with_the_settings_to_use(url: str) -> None:
    settings = store(url)
    assert list(failed(settings)) == ["store.url"]
    for name in ("BACKBONE_STORE_SSL_MODE=verify-full", "BACKBONE_STORE_SSL_ROOT_CERT", "BACKBONE_STORE_INSECURE=true"):
        assert name in failed(settings)["store.url"]
    with pytest.raises(SettingsError, match="another machine, without verified TLS"):
        async with Backbone.open(settings):
            pass
    with pytest.raises(SettingsError, match="another machine, without verified TLS"):
        factory(settings)
    assert failed(store(url, insecure=True)) == {}


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://localhost/x",
        "postgresql://u:p@127.0.0.9/x?sslmode=disable",
        "postgresql://[::1]:5433/x",
        "postgresql://[::ffff:127.0.0.1]/x",
        "postgresql://127.0.0.1,localhost/x",
        "postgresql:///x",
        "postgresql:///x?host=/var/run/postgresql",
        "postgresql://%2Fvar%2Frun%2Fpostgresql:5433/x",
        f"postgresql://u:p@db/x?sslmode=verify-full&sslrootcert={AUTHORITY}",
        f"postgresql://u:p@db1,db2/x?sslmode=verify-full&sslrootcert={AUTHORITY}",
    ],
)
def test_a_store_here_or_by_verified_tls_is_taken(url: str) -> None:
    assert failed(store(url)) == {}


@pytest.mark.parametrize("host", ["10.1.2.3", "127.example", "localhost,10.1.2.3", "0x7f.1", "::2"])
def test_the_parts_of_an_address_are_held_to_the_same(host: str) -> None:
    settings = load_settings(profile="timescale", env={"PGHOST": host})
    assert set(failed(settings)) == {"store.host"}
    encrypted = {"PGHOST": host, "PGSSLMODE": "verify-full", "PGSSLROOTCERT": os.path.expandvars(AUTHORITY)}
    assert failed(load_settings(profile="timescale", env=encrypted)) == {}


def test_what_the_refusal_says_helps_also_where_the_url_says_something_of_tls_itself() -> None:
    told = failed(store("postgresql://u:p@10.1.2.3/x?sslmode=require"))["store.url"]
    assert "without an sslmode in the URL, which would win" in told
    advised: dict[str, Any] = {"ssl_mode": "verify-full", "ssl_root_cert": AUTHORITY}
    assert failed(store("postgresql://u:p@10.1.2.3/x?sslmode=require", **advised))["store.url"] == told
    for rest in ("", "?", "?application_name=x", "#x"):
        assert failed(store(f"postgresql://u:p@10.1.2.3/x{rest}", **advised)) == {}


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@ss@127.0.0.1/x",  # its client would take "p" for the password
        "postgresql://u:p@127.0.0.1/x?verify",
        "postgresql://u:p@127.0.0.1/x?a=1&",
    ],
)
def test_a_url_that_its_client_reads_differently_is_refused_before_any_connection(url: str) -> None:
    with pytest.raises(SettingsError, match=r"store.url .*: a URL that can't be read given"):
        store(url)


def test_what_is_no_host_is_not_taken_for_one() -> None:
    with pytest.raises(SettingsError, match="text that is no host given"):
        load_settings(profile="timescale", env={"PGHOST": "@x"})
    with pytest.raises(SettingsError, match="text that is no host given"):
        institutional(KAFKA_BROKERS="PLAINTEXT://kafka:9092")


@pytest.mark.parametrize("option", ["hostaddr=10.1.2.3", "service=away", "servicefile=/tmp/away"])
def test_an_option_that_leads_elsewhere_is_not_taken(option: str) -> None:
    with pytest.raises(SettingsError, match=f"a URL with the option {option.partition('=')[0]} given"):
        store(f"postgresql://localhost/x?{option}", insecure=True)


@pytest.mark.parametrize("mode", ["verify-full", "verify-ca"])
async def test_verified_tls_without_an_authority_is_refused_by_the_name_of_its_setting(mode: str) -> None:
    for host in ("db", "localhost"):
        settings = store(f"postgresql://{host}/x", ssl_mode=mode, insecure=True)
        assert failed(settings)["store.ssl_root_cert"].startswith(
            f"store.ssl_mode is {mode}, but there is no authority"
        )
        assert "BACKBONE_STORE_SSL_ROOT_CERT" in failed(settings)["store.ssl_root_cert"]
        with pytest.raises(SettingsError, match="BACKBONE_STORE_SSL_ROOT_CERT"):
            async with Backbone.open(settings):
                pass


@pytest.mark.parametrize("name", ["ssl_root_cert", "ssl_cert", "ssl_key"])
def test_a_file_of_tls_that_is_missing_is_refused_by_the_name_of_its_setting(name: str) -> None:
    given = {"ssl_root_cert": AUTHORITY, name: "/no/such/file"}
    settings = store("postgresql://db/x", ssl_mode="verify-full", **given)
    assert failed(settings) == {
        f"store.{name}": f"store.{name} is /no/such/file, but there is no such file; correct it"
    }


@pytest.mark.parametrize(
    "content", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_file_of_tls_that_holds_something_else_is_refused_by_the_name_of_its_setting(
    tmp_path: Path, content: str
) -> None:
    file = tmp_path / "authority.pem"
    file.write_text(content)
    found = failed(store("postgresql://db/x", ssl_mode="verify-full", ssl_root_cert=str(file)))
    assert list(found) == ["store.ssl_root_cert"]
    assert "give a readable file in PEM format" in found["store.ssl_root_cert"]


def test_a_certificate_with_the_key_of_another_is_refused_by_the_name_of_its_setting(tmp_path: Path) -> None:
    one, other = self_signed(tmp_path, "one", "localhost"), self_signed(tmp_path, "other", "localhost")
    pair = {"ssl_root_cert": AUTHORITY, "ssl_cert": str(one.crt)}
    assert failed(store("postgresql://db/x", ssl_mode="verify-full", ssl_key=str(one.key), **pair)) == {}
    found = failed(store("postgresql://db/x", ssl_mode="verify-full", ssl_key=str(other.key), **pair))
    assert list(found) == ["store.ssl_cert"]


# cache and stream


def institutional(**env: str) -> dict[str, str]:
    settings = load_settings(profile="institutional", env={"TIMESCALEDB_URL": "postgresql://localhost/x", **env})
    return {path: text for path, text in failed(settings).items() if not path.endswith(".backend")}


@pytest.mark.parametrize(
    "url",
    [
        "redis://10.1.2.3:6379/0",
        "redis://:p@cache/0",
        "REDIS://cache",
        "redis:///0?host=10.1.2.3",
        "redis://localhost?host=10.1.2.3",
        "redis://127.example",
        "rediss://cache?ssl_cert_reqs=none",
        "rediss://cache?ssl_cert_reqs=none&ssl_cert_reqs=required",
        "rediss://cache?ssl_cert_reqs=optional",
        "rediss://cache?ssl_check_hostname=false",
    ],
)
def test_a_cache_elsewhere_without_verified_tls_is_refused(url: str) -> None:
    found = institutional(REDIS_URL=url)
    assert list(found) == ["cache.url"]
    assert "BACKBONE_CACHE_INSECURE=true" in found["cache.url"]
    assert institutional(REDIS_URL=url, BACKBONE_CACHE_INSECURE="true") == {}


@pytest.mark.parametrize("url", ["redis://localhost", "redis://[::1]:6379", "redis:///0", "rediss://cache:6380/1"])
def test_a_cache_here_or_by_verified_tls_is_taken(url: str) -> None:
    assert institutional(REDIS_URL=url) == {}


@pytest.mark.parametrize("given", [{"BACKBONE_CACHE_SSL": "true"}, {"BACKBONE_CACHE_URL": "rediss://cache"}])
def test_the_authority_of_a_cache_has_to_be_a_file_that_holds_one(tmp_path: Path, given: dict[str, str]) -> None:
    name, file = "BACKBONE_CACHE_SSL_ROOT_CERT", tmp_path / "authority.pem"
    env = {"REDIS_HOST": "cache", **given, name: str(file)}
    told = institutional(**env)["cache.ssl_root_cert"]
    assert told == f"cache.ssl_root_cert is {file}, but there is no such file; correct it"
    file.write_text("no certificate")
    assert "give a readable file in PEM format" in institutional(**env)["cache.ssl_root_cert"]
    assert institutional(**{**env, name: os.path.expandvars(AUTHORITY)}) == {}


def test_a_cache_in_parts_is_held_to_the_same() -> None:
    assert list(institutional(REDIS_HOST="cache")) == ["cache.host"]
    assert institutional(REDIS_HOST="cache", REDIS_SSL="true") == {}
    assert institutional(REDIS_URL="redis://cache", REDIS_SSL="true") == {}


@pytest.mark.parametrize(
    ("bootstrap", "more"),
    [
        ("kafka:9092", {}),
        ("localhost:9092,kafka:9092", {}),
        ("localhost:9092, kafka", {}),
        ("127.example:9092", {}),
        ("fe80::1", {}),
        ("kafka:9092", {"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "KAFKA_USER": "u", "KAFKA_PASSWORD": "p"}),
    ],
)
def test_brokers_elsewhere_without_tls_are_refused(bootstrap: str, more: dict[str, str]) -> None:
    found = institutional(KAFKA_BROKERS=bootstrap, **more)
    assert list(found) == ["stream.bootstrap"]
    assert "BACKBONE_STREAM_SECURITY_PROTOCOL" in found["stream.bootstrap"]
    assert "BACKBONE_STREAM_INSECURE=true" in found["stream.bootstrap"]
    assert institutional(KAFKA_BROKERS=bootstrap, BACKBONE_STREAM_INSECURE="true", **more) == {}


@pytest.mark.parametrize(
    ("bootstrap", "more"),
    [
        ("localhost:9092,127.0.0.2:9093,[::1]:9094", {}),
        ("kafka:9092", {"KAFKA_SECURITY_PROTOCOL": "SSL"}),
        ("kafka:9092", {"KAFKA_USER": "u", "KAFKA_PASSWORD": "p"}),
    ],
)
def test_brokers_here_or_by_tls_are_taken(bootstrap: str, more: dict[str, str]) -> None:
    assert institutional(KAFKA_BROKERS=bootstrap, **more) == {}


TLS = {"KAFKA_BROKERS": "kafka:9092", "KAFKA_SECURITY_PROTOCOL": "SSL"}


@pytest.mark.parametrize("name", ["ssl_root_cert", "ssl_cert"])
def test_a_file_of_tls_with_kafka_has_to_be_there_and_hold_what_it_is_for(tmp_path: Path, name: str) -> None:
    env, file = f"BACKBONE_STREAM_{name.upper()}", tmp_path / "file.pem"
    told = institutional(**TLS, **{env: str(file)})
    assert told == {f"stream.{name}": f"stream.{name} is {file}, but there is no such file; correct it"}
    file.write_text("no certificate")
    assert "give a readable file in PEM format" in institutional(**TLS, **{env: str(file)})[f"stream.{name}"]


def test_the_client_certificate_for_kafka_is_taken_by_the_usual_names_and_with_its_own_key(tmp_path: Path) -> None:
    one, other = self_signed(tmp_path, "one", "localhost"), self_signed(tmp_path, "other", "localhost")
    pair = {"KAFKA_SSL_CAFILE": str(one.crt), "KAFKA_SSL_CERTFILE": str(one.crt), "KAFKA_SSL_KEYFILE": str(one.key)}
    assert institutional(**TLS, **pair) == {}
    assert list(institutional(**TLS, **pair | {"KAFKA_SSL_KEYFILE": str(other.key)})) == ["stream.ssl_cert"]


# insecure


def test_what_is_insecure_is_told_and_what_need_not_be_as_well() -> None:
    settings = store("postgresql://db:6543/x", insecure=True)
    told = "store.url leads to db:6543, another machine, without verified TLS"
    assert insecure_parts(settings) == {"store": f"insecure: {told}"}
    found = [each for each in check(settings) if each.path == "store.insecure"]
    assert [each.status for each in found] == [Status.DEGRADED]
    assert told in found[0].message
    idle = store("postgresql://localhost/x", insecure=True)
    assert insecure_parts(idle) == {}
    assert [each.message for each in check(idle)] == ["store.insecure is true: nothing needs it; leave it out"]


def test_where_addresses_lead() -> None:
    def said(servers: tuple[object, ...]) -> list[str]:
        return [str(server) for server in servers]

    assert said(postgres_servers("postgresql://u:p@h/d")) == ["h:5432"]
    assert said(postgres_servers("postgresql://h1:1,[::1]:2,h3/d?port=9")) == ["h1:1", "[::1]:2", "h3:9"]
    assert said(postgres_servers("postgresql:///d?host=h1,/run&port=1,2")) == ["h1:1", "/run:2"]
    assert said(postgres_servers("postgresql://%2Frun:7/d?host=h")) == ["/run:7"]
    nowhere = said(postgres_servers("postgresql:///d"))  # not where anybody may put a socket
    assert nowhere == ["/run/postgresql:5432", "/var/run/postgresql:5432", "localhost:5432"]
    assert said(redis_servers("redis://u:p@h:1/0?host=k")) == ["h:1", "k:6379"]
    assert said(kafka_servers("a:1, SSL://b:2,[::1]:3,c")) == ["a:1", "b:2", "[::1]:3", "c:9092"]
    for url in (
        "postgresql://h:0/d",
        "postgresql://h:99999/d",
        "postgresql://h,,k/d",
        "postgresql:///d?host=a&port=1,2",
    ):
        with pytest.raises(ValueError, match="given"):
            postgres_servers(url)
