"""Why a backbone would not start: `config check` says it, and opening one refuses it before any connection."""

from __future__ import annotations

from typing import Any

import pytest

from backbone import Backbone
from backbone.domain import Status
from backbone.settings import Secret, Settings, SettingsError, check, load_settings
from backbone.settings.sections.cache import CacheSettings
from backbone.settings.sections.store import StoreSettings
from backbone.store.child import factory as store_factory

TIMESCALE = {"TIMESCALEDB_URL": "postgresql://localhost/x"}


def failed(settings: Settings) -> dict[str, str]:
    """What a start would be refused for, as `config check` tells it."""
    return {each.path: each.message for each in check(settings) if each.status is Status.FAILED}


async def refused(settings: Settings) -> tuple[str, ...]:
    """What opening is refused for."""
    with pytest.raises(SettingsError) as error:
        async with Backbone.open(settings):
            pass
    return error.value.problems


async def test_the_check_says_what_opening_says() -> None:
    for profile in ("institutional", "timescale"):
        settings = load_settings(profile=profile)
        assert tuple(failed(settings).values()) == await refused(settings)


async def test_a_service_without_an_address_is_found_before_any_connection() -> None:
    settings = load_settings(profile="timescale")
    assert failed(settings) == {
        "store.backend": "store.backend is timescale, but its address is missing; set BACKBONE_STORE_URL"
    }
    assert await refused(settings) == tuple(failed(settings).values())
    with pytest.raises(SettingsError, match="its address is missing"):
        store_factory(settings)


@pytest.mark.parametrize(
    ("name", "server", "path"),
    [
        ("DATA_BACKBONE_REQUIRE_TIMESCALE", "timescale", "store.backend"),
        ("DATA_BACKBONE_REQUIRE_REDIS", "redis", "cache.backend"),
        ("DATA_BACKBONE_REQUIRE_KAFKA", "kafka", "stream.backend"),
    ],
)
async def test_a_required_service_that_was_not_chosen_refuses_the_start(name: str, server: str, path: str) -> None:
    settings = load_settings(profile="embedded", env={name: "true"})
    assert list(failed(settings)) == [path]
    by = f"{path.removesuffix('backend')}required is true, env {name}"
    assert failed(settings)[path].startswith(f"{server} is required ({by})")
    assert await refused(settings) == tuple(failed(settings).values())
    assert failed(load_settings(profile="embedded", env={name: "false"})) == {}


def test_the_institutional_profile_requires_all_three_unless_told_otherwise() -> None:
    memory = {"store.backend": "duckdb", "cache.backend": "memory", "stream.backend": "memory"}
    settings = load_settings(profile="institutional", overrides=memory)
    assert failed(settings) == {
        "store.backend": (
            "timescale is required (tier is tier_2, config/institutional.yaml), but store.backend is duckdb; "
            "set BACKBONE_STORE_BACKEND=timescale"
        ),
        "cache.backend": (
            "redis is required (tier is tier_2, config/institutional.yaml), but cache.backend is memory; "
            "set BACKBONE_CACHE_BACKEND=redis"
        ),
        "stream.backend": (
            "kafka is required (tier is tier_2, config/institutional.yaml), but stream.backend is memory; "
            "set BACKBONE_STREAM_BACKEND=kafka"
        ),
    }
    names = ("TIMESCALE", "REDIS", "KAFKA")
    env = {f"DATA_BACKBONE_REQUIRE_{name}": "no" for name in names}
    assert failed(load_settings(profile="institutional", env=env, overrides=memory)) == {}


@pytest.mark.parametrize("word", ["false", "off", "0", "no"])
def test_kafka_is_required_only_where_streaming_is_on(word: str) -> None:
    env = {"KAFKA_INGEST_ENABLE_STREAMING": word}
    settings = load_settings(profile="institutional", env=env, overrides={"stream.backend": "memory"})
    assert "stream.backend" not in failed(settings)
    insisted = {**env, "DATA_BACKBONE_REQUIRE_KAFKA": "yes"}
    settings = load_settings(profile="institutional", env=insisted, overrides={"stream.backend": "memory"})
    assert "stream.backend" in failed(settings)


@pytest.mark.parametrize(
    ("lacking", "compression", "found"),
    [
        ("aiokafka", "none", ["stream.backend"]),
        ("cramjam", "zstd", ["stream.compression"]),
        ("cramjam", "lz4", ["stream.compression"]),
        ("cramjam", "snappy", ["stream.compression"]),
        ("cramjam", "gzip", []),
        ("cramjam", "none", []),
        ("", "zstd", []),
    ],
)
def test_what_kafka_needs_installed_is_looked_for_before_any_connection(
    monkeypatch: pytest.MonkeyPatch, lacking: str, compression: str, found: list[str]
) -> None:
    monkeypatch.setattr("backbone.settings.starting.find_spec", lambda name: None if name == lacking else object())
    overrides = {"stream.backend": "kafka", "stream.bootstrap": "localhost:9092", "stream.compression": compression}
    problems = failed(load_settings(profile="embedded", overrides=overrides))
    assert list(problems) == found
    assert all("pip install " in text and "cramjam" in text for text in problems.values())
    assert failed(load_settings(profile="embedded", overrides={"stream.compression": compression})) == {}


# run mode and environment


async def test_live_needs_to_be_confirmed_and_every_service() -> None:
    settings = load_settings(profile="embedded", env={"RUN_MODE": "live"})
    assert list(failed(settings)) == ["confirm_live", "store.backend", "cache.backend", "stream.backend"]
    assert "timescale is required (run_mode is live, env RUN_MODE)" in failed(settings)["store.backend"]
    assert await refused(settings) == tuple(failed(settings).values())
    env = {"RUN_MODE": "live", "CONFIRM_LIVE": "yes", **TIMESCALE}
    without = {"cache.required": False, "stream.required": False}
    assert failed(load_settings(profile="timescale", env=env, overrides=without)) == {}


def test_production_takes_no_mock_data_and_no_insecure_connection_whatever_is_set() -> None:
    env = {"RUN_MODE": "mock", "EMP_ENVIRONMENT": "production", "TIMESCALEDB_URL": "postgresql://db/x"}
    assert list(failed(load_settings(profile="timescale", env=env))) == ["run_mode", "store.url"]
    meant = {**env, "RUN_MODE": "paper", "BACKBONE_STORE_INSECURE": "true"}
    found = failed(load_settings(profile="timescale", env=meant))
    assert list(found) == ["store.insecure"]
    assert "which store.insecure does not allow in production" in found["store.insecure"]
    for environment in ("demo", "staging"):
        assert failed(load_settings(profile="timescale", env={**meant, "EMP_ENVIRONMENT": environment})) == {}


@pytest.mark.parametrize(
    ("name", "path", "allowed", "invalid"),
    [
        ("RUN_MODE", "run_mode", ["mock", "paper", "live"], "real"),
        ("EMP_ENVIRONMENT", "environment", ["demo", "staging", "production"], "prod"),
        ("EMP_TIER", "tier", ["tier_0", "tier_1", "tier_2"], "tier_3"),
        ("CONFIRM_LIVE", "confirm_live", ["true", "false"], "perhaps"),
    ],
)
def test_each_allowed_word_is_read_in_any_case_and_any_other_is_an_error(
    name: str, path: str, allowed: list[str], invalid: str
) -> None:
    for word in allowed:
        value: Any = getattr(load_settings(env={name: f" {word.upper()} "}), path)
        assert str(value).lower() == word
    with pytest.raises(SettingsError, match=f"'{invalid}' given; allowed is"):
        load_settings(env={name: invalid})
    with pytest.raises(SettingsError, match=f"'{invalid}' given; allowed is"):
        load_settings(profile="dev", env={name: invalid})


@pytest.mark.parametrize("word", ["none", "Disabled", "off"])
def test_the_kill_switch_is_a_file_or_nothing(word: str) -> None:
    assert load_settings(env={"EMP_KILL_SWITCH": word}).kill_switch is None
    assert load_settings(env={"EMP_KILL_SWITCH": "halt.txt"}).kill_switch == "halt.txt"
    assert load_settings().kill_switch == "data/backbone.kill"


# tiers


@pytest.mark.parametrize(
    ("tier", "profile"), [("tier_0", "embedded"), ("tier_1", "timescale"), ("tier_2", "institutional")]
)
def test_a_tier_is_the_profile_where_none_is_named(tier: str, profile: str) -> None:
    for given in ({"env": {"EMP_TIER": tier}}, {"env": {"BACKBONE_TIER": tier}}, {"overrides": {"tier": tier}}):
        settings = load_settings(**given)  # type: ignore[arg-type]
        assert (settings.profile, settings.tier, settings.ignored) == (profile, tier, ())
    assert load_settings(profile=profile).tier == tier


def test_a_tier_beside_a_named_profile_requires_its_servers_or_is_passed_over() -> None:
    ours = load_settings(profile="embedded", env={"BACKBONE_TIER": "tier_1"})
    assert "timescale is required (tier is tier_1, env BACKBONE_TIER)" in failed(ours)["store.backend"]
    stray = load_settings(profile="embedded", env={"EMP_TIER": "tier_1"})
    assert stray.tier == "tier_0"
    assert stray.ignored == ("EMP_TIER: tier is given by config/embedded.yaml; set BACKBONE_TIER to override it",)


def test_a_tier_that_contradicts_the_mode_is_refused() -> None:
    assert load_settings(env={"DATA_BACKBONE_MODE": "institutional", "EMP_TIER": "tier_1"}).profile == "timescale"
    for mode, tier in (("bootstrap", "tier_1"), ("institutional", "tier_0")):
        with pytest.raises(SettingsError, match=f"EMP_TIER={tier} and DATA_BACKBONE_MODE={mode} contradict"):
            load_settings(env={"DATA_BACKBONE_MODE": mode, "EMP_TIER": tier})


# addresses


@pytest.mark.parametrize(
    ("path", "url", "message"),
    [
        (
            "store.url",
            "sqlite:///hunter2.db",
            "a URL of sqlite:// given; allowed is postgresql://user@host:port/database",
        ),
        ("store.url", "mysql+pymysql://u:hunter2@h/d", "a URL of mysql"),
        ("store.url", "redis://:hunter2@h", "a URL of redis:// given"),
        ("store.url", "hunter2", "text that is no URL given"),
        ("store.url", "u:hunter2@h/d", "text that is no URL given"),
        ("store.url", "u:hunter2@h://x", "text that is no URL given"),
        ("store.url", "postgresql://u:hunter2/@h/d", "a URL that can't be read given; write .* percent-encoded"),
        ("store.url", "postgresql://u:p@h:hunter2/d", "a URL that can't be read given"),
        ("cache.url", "postgresql://u:hunter2@h/d", "a URL of postgresql:// given; allowed is redis://host:port/db"),
        ("cache.url", "http://h", "a URL of http:// given"),
        (
            "cache.url",
            "redis://h?hunter2=1",
            "a URL with other options than db, host, .* given; set the rest",
        ),
        ("cache.url", "redis://h?db=hunter2", "a URL with an option db that is no number given"),
        ("cache.url", "rediss://h?ssl_cert_reqs=hunter2", "a URL with another ssl_cert_reqs than none, optional or"),
    ],
)
async def test_an_address_of_something_else_is_refused_without_telling_it(path: str, url: str, message: str) -> None:
    variable = f"BACKBONE_{path.replace('.', '_').upper()}"
    with pytest.raises(SettingsError, match=rf"{path} \(env {variable}\): {message}") as error:
        load_settings(profile="embedded", env={variable: url})
    assert "hunter2" not in str(error.value)
    store = StoreSettings(backend="timescale", url=Secret(url)) if path == "store.url" else StoreSettings()
    cache = CacheSettings(url=Secret(url)) if path == "cache.url" else CacheSettings()
    problems = "\n".join(await refused(Settings(store=store, cache=cache)))
    assert f"{path}: " in problems
    assert "hunter2" not in problems


def test_an_alias_with_an_address_of_something_else_is_refused_where_it_counts() -> None:
    env = {"DATABASE_URL": "sqlite:///data/x.db"}
    with pytest.raises(SettingsError, match=r"store.url \(env DATABASE_URL \(alias\)\): a URL of sqlite:// given"):
        load_settings(profile="timescale", env=env)
    assert load_settings(profile="embedded", env=env).ignored[0].startswith("DATABASE_URL: store.backend is duckdb")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://[::1]/d",
        "postgres://127.0.0.1/d",
        "postgresql+asyncpg://u@localhost:1/d",
        "POSTGRES://127.0.0.9/d",
    ],
)
def test_the_schemes_of_postgresql_are_taken(url: str) -> None:
    assert failed(load_settings(profile="timescale", env={"BACKBONE_STORE_URL": url})) == {}


def test_a_password_and_tls_that_a_url_leaves_open_are_filled_in() -> None:
    env = {"BACKBONE_STORE_URL": "postgresql://u@h/d", "BACKBONE_STORE_PASSWORD": "a/b", "PGSSLMODE": "verify-full"}
    settings = load_settings(profile="timescale", env=env)
    dsn = settings.store.dsn()
    assert dsn is not None
    assert dsn.reveal() == "postgresql://u:a%2Fb@h/d?sslmode=verify-full"
    assert settings.ignored == ()
    whole = {**env, "BACKBONE_STORE_URL": "postgresql://u:p@h/d?sslmode=require"}
    dsn = load_settings(profile="timescale", env=whole).store.dsn()
    assert dsn is not None
    assert dsn.reveal() == "postgresql://u:p@h/d?sslmode=require"
