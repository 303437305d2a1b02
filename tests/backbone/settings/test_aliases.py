# ruff: noqa: S106  the passwords of these tests are made up
from __future__ import annotations

import re
from pathlib import Path

import pytest

from backbone.settings import Secret, SettingsError, load_settings
from backbone.settings.aliases import ALIASES, NEEDED_BACKEND
from backbone.settings.leaves import leaves
from backbone.settings.schema import Settings


def institutional(**env: str) -> Settings:
    return load_settings(profile="institutional", env=env)


def test_a_timescale_url_is_composed_of_its_pieces_with_percent_encoding() -> None:
    settings = institutional(
        TIMESCALEDB_HOST="timescale.prod.internal",
        TIMESCALEDB_PORT="6543",
        TIMESCALEDB_DB="alpha_trade",
        TIMESCALEDB_USER="alpha_user",
        TIMESCALEDB_PASSWORD="s3cr3t!",
        TIMESCALEDB_SSLMODE="require",
        TIMESCALEDB_SSLROOTCERT="/etc/ssl/root.crt",
    )
    dsn = settings.store.dsn()
    assert dsn is not None
    assert dsn.reveal() == (
        "postgresql://alpha_user:s3cr3t%21@timescale.prod.internal:6543/alpha_trade"
        "?sslmode=require&sslrootcert=/etc/ssl/root.crt"
    )
    assert settings.origins["store.host"] == "env TIMESCALEDB_HOST (alias)"


def test_an_explicit_url_wins_over_pieces_and_loses_its_driver() -> None:
    settings = institutional(TIMESCALE_URL="postgresql+psycopg2://u:p@h:1/d", PGHOST="elsewhere", PGDATABASE="other")
    dsn = settings.store.dsn()
    assert dsn is not None
    assert dsn.reveal() == "postgresql://u:p@h:1/d"


def test_the_first_of_several_aliases_wins_and_the_others_are_named() -> None:
    settings = institutional(DATABASE_URL="postgresql://stray/x", TIMESCALEDB_URL="postgresql://ours/x")
    assert settings.store.url == Secret("postgresql://ours/x")
    assert settings.ignored == ("DATABASE_URL: TIMESCALEDB_URL comes first; unset one of them",)


def test_our_own_names_win_over_aliases() -> None:
    settings = institutional(BACKBONE_CACHE_URL="redis://ours", REDIS_URL="redis://stray")
    assert settings.cache.url == Secret("redis://ours")
    assert settings.ignored == ("REDIS_URL: cache.url is given by env BACKBONE_CACHE_URL; leave one of them out",)


def test_a_stray_url_does_not_bend_the_address_that_a_file_gives(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("store: {backend: timescale, host: ours}\n", encoding="utf-8")
    env = {"DATABASE_URL": "postgresql://stray/x", "PGPORT": "1", "PGPASSWORD": "secret", "PGUSER": "me"}
    settings = load_settings(file, env=env)
    dsn = settings.store.dsn()
    assert dsn is not None
    assert dsn.reveal() == "postgresql://me:secret@ours:5432/postgres"
    assert [line.split(":")[0] for line in settings.ignored] == ["DATABASE_URL", "PGPORT"]


def test_our_own_url_wins_over_the_host_of_a_file_but_not_the_reverse(tmp_path: Path) -> None:
    settings = load_settings(profile="dev", env={"BACKBONE_STORE_URL": "postgresql://other/x"})
    dsn = settings.store.dsn()
    assert dsn is not None
    assert dsn.reveal() == "postgresql://other/x"
    file = tmp_path / "own.yaml"
    file.write_text("store: {backend: timescale, url: 'postgresql://h/d'}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="are both given"):
        load_settings(file, env={"BACKBONE_STORE_HOST": "other"})


def test_units_of_aliases_are_converted() -> None:
    settings = institutional(TIMESCALEDB_STATEMENT_TIMEOUT_MS="2500", KAFKA_LINGER_MS="20")
    assert (settings.store.statement_timeout, settings.stream.linger) == (2.5, 0.02)


def test_rediss_implies_tls() -> None:
    for given, tls in (
        ({"REDIS_URL": "rediss://h"}, True),
        ({"REDIS_SSL": "yes", "REDIS_HOST": "h"}, True),
        ({"REDIS_SSL": "yes", "REDIS_URL": "redis://h"}, True),
        ({"REDIS_URL": "redis://h"}, False),
    ):
        dsn = institutional(**given).cache.dsn()
        assert dsn is not None
        assert dsn.reveal().startswith("rediss://") == tls


def test_a_redis_url_is_composed_of_its_pieces() -> None:
    cache = institutional(CACHE_HOST="h", REDIS_DB="2", REDIS_PASS="a/b", REDIS_SSL="1").cache
    dsn = cache.dsn()
    assert dsn is not None
    assert dsn.reveal() == "rediss://:a%2Fb@h:6379/2"


def test_kafka_speaks_sasl_over_tls_once_user_and_password_are_given() -> None:
    assert institutional(KAFKA_BROKERS="b:9092").stream.effective_security_protocol == "PLAINTEXT"
    given = institutional(KAFKA_USER="u", KAFKA_PASS="p").stream
    assert given.effective_security_protocol == "SASL_SSL"
    explicit = institutional(KAFKA_USER="u", KAFKA_PASS="p", KAFKA_SECURITY_PROTOCOL="SASL_PLAINTEXT").stream
    assert explicit.effective_security_protocol == "SASL_PLAINTEXT"


@pytest.mark.parametrize("word", ["false", "off", "0", "no"])
def test_consumers_can_be_switched_off_by_the_usual_name(word: str) -> None:
    assert institutional(KAFKA_INGEST_ENABLE_STREAMING=word).stream.consume is False


def test_an_invalid_value_of_an_alias_is_an_error_that_names_it() -> None:
    with pytest.raises(SettingsError, match=r"store.pool_size \(env TIMESCALEDB_POOL_SIZE \(alias\)\): 'many' given"):
        institutional(TIMESCALEDB_POOL_SIZE="many")
    with pytest.raises(SettingsError, match=r"stream.linger .*'soon' given"):
        institutional(KAFKA_LINGER_MS="soon")


def test_secrets_are_read_from_files(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("hunter2\n", encoding="utf-8")
    assert institutional(BACKBONE_STORE_PASSWORD_FILE=str(file)).store.password == Secret("hunter2")
    assert institutional(PGPASSWORD_FILE=str(file)).store.password == Secret("hunter2")
    with pytest.raises(SettingsError, match="BACKBONE_STORE_PASSWORD is set as well"):
        institutional(BACKBONE_STORE_PASSWORD_FILE=str(file), BACKBONE_STORE_PASSWORD="x")
    with pytest.raises(SettingsError, match=r"BACKBONE_STORE_PASSWORD_FILE \(.*nowhere\): there is no such file"):
        institutional(BACKBONE_STORE_PASSWORD_FILE=str(tmp_path / "nowhere"))


def test_every_alias_stands_for_a_setting_and_is_named_once() -> None:
    names = [alias.name for alias in ALIASES]
    assert len(names) == len(set(names))
    assert {alias.path for alias in ALIASES} <= set(leaves())
    of_no_backend = {"ingest", "market", "providers", "recovery", "schedule"}
    assert {alias.path.split(".")[0] for alias in ALIASES if "." in alias.path} == {*NEEDED_BACKEND, *of_no_backend}
    assert not [name for name in names if not re.fullmatch(r"[A-Z][A-Z0-9_]*", name)]


def test_environment_names_of_settings_are_all_different() -> None:
    names = [leaf.env for leaf in leaves().values()]
    names += [f"{leaf.env}_FILE" for leaf in leaves().values() if leaf.secret]
    assert len(names) == len(set(names))
