"""What is set and changes nothing is told: no name of another tool and no setting is swallowed."""

from __future__ import annotations

from typing import get_args

import pytest

from backbone.domain import Status
from backbone.settings import Settings, SettingsError, check, load_settings
from backbone.settings.aliases import ALIASES, MODE, Alias
from backbone.settings.leaves import Leaf, leaves

KNOWN_ELSEWHERE = (
    "CONNECTION_PROTOCOL",
    "TIMESCALEDB_DRIVER",
    "TIMESCALE_DRIVER",
    "TIMESCALE_APPLICATION_NAME",
    "TIMESCALE_BACKUP_ENABLED",
    "TIMESCALE_FAILOVER_DRILL",
    "TIMESCALE_FAILOVER_DRILL_LABEL",
    "TIMESCALE_FAILOVER_ENABLED",
    "TIMESCALE_FAILOVER_RUN_FALLBACK",
    "TIMESCALE_CROSS_REGION_ENABLED",
    "TIMESCALE_CROSS_REGION_PRIMARY_REGION",
    "TIMESCALE_SECONDARY_URL",
    "TIMESCALE_REPLICA_URL",
    "TIMESCALE_SECONDARY_APP",
    "TIMESCALE_SPARK_EXPORT",
    "TIMESCALE_SPARK_EXPORT_ROOT",
    "TIMESCALE_SPARK_STRESS_CYCLES",
    "REDIS_TTL_SECONDS",
    "REDIS_MAX_KEYS",
    "REDIS_INVALIDATE_PREFIXES",
    "REDIS_CACHE_INVALIDATE_PREFIXES",
    "KAFKA_READINESS_ENABLED",
    "KAFKA_SENSORY_SNAPSHOT_TOPIC",
    "KAFKA_INGEST_CONSUMER_POLL_TIMEOUT",
    "FRED_KEY",
    "FRED_KEY_FILE",
    "NEWS_API_KEY",
    "ALPHA_VANTAGE_API_KEY",
    "TIMESCALEDB_POOLSIZE",
    "DATA_BACKBONE_SOMETHING",
    "EMP_SOMETHING",
    "TIMESCALE_RETENTION_QUOTES_CAP_DAYS",
)

PROFILES = ("embedded", "timescale", "institutional")


@pytest.mark.parametrize("name", KNOWN_ELSEWHERE)
@pytest.mark.parametrize("profile", PROFILES)
def test_a_name_that_no_setting_is_read_from_is_told(name: str, profile: str) -> None:
    (line,) = load_settings(profile=profile, env={name: "c4n4ry"}).ignored
    assert line.startswith(f"{name}: ")
    assert "c4n4ry" not in line


def test_a_misspelt_name_comes_with_a_suggestion() -> None:
    (line,) = load_settings(profile="timescale", env={"TIMESCALEDB_POOLSIZE": "3"}).ignored
    assert "did you mean 'TIMESCALEDB_POOL_SIZE'" in line


def test_names_of_other_programs_are_left_alone() -> None:
    env = dict.fromkeys(("KAFKA_OPTS", "KAFKA_HEAP_OPTS", "REDIS_VERSION", "PGTZ", "HOME", "CACHE_DIR", "TIER"), "x")
    assert load_settings(profile="embedded", env=env).ignored == ()


def another(leaf: Leaf) -> str:
    """A value as text that differs from the default, where any other is allowed."""
    if leaf.path.endswith(".url"):
        return "postgresql://h/d" if leaf.path == "store.url" else "redis://h"
    for value in ("true", "false", "7", "30", "0.5", "market_2", "2GB", "AAPL=fx", *get_args(leaf.base)):
        try:
            if leaf.read(str(value)) not in (None, leaf.default):
                return str(value)
        except ValueError:
            continue
    return str(leaf.default).lower()


def value_of(settings: Settings, path: str) -> object:
    """The value in force."""
    value: object = settings
    for name in path.split("."):
        value = getattr(value, name)
    return value


@pytest.mark.parametrize("alias", ALIASES, ids=lambda alias: alias.name)
def test_every_alias_is_in_force_or_refused_or_told(alias: Alias) -> None:
    name, leaf = alias.name, leaves()[alias.path]
    for profile in PROFILES:
        try:
            settings = load_settings(profile=profile, env={name: another(leaf)})
        except SettingsError as error:
            assert name in str(error)  # noqa: PT017  a refusal that names it tells it as well
            continue
        told = any(line.startswith(f"{name}: ") for line in settings.ignored)
        meant = leaf.read(another(leaf)) if alias.factor is None else float(another(leaf)) * alias.factor
        assert told or value_of(settings, leaf.path) == meant, profile


def test_the_mode_chooses_the_profile_or_is_told() -> None:
    assert load_settings(env={MODE: "institutional"}).profile == "institutional"
    assert load_settings(profile="institutional", env={MODE: "institutional"}).ignored == ()
    explicit = load_settings(profile="embedded", env={MODE: "institutional"})
    named = load_settings(env={MODE: "institutional", "BACKBONE_PROFILE": "embedded"})
    assert [each.ignored[0].partition(":")[0] for each in (explicit, named)] == [MODE, MODE]


@pytest.mark.parametrize("leaf", [leaf for leaf in leaves().values() if leaf.backend], ids=lambda leaf: leaf.path)
def test_a_setting_of_a_backend_that_is_not_chosen_is_told(leaf: Leaf) -> None:
    if leaf.read(another(leaf)) == leaf.default:
        return  # it has one value only: any other is refused
    profile = "embedded" if leaf.backend != "duckdb" else "timescale"
    backend = {"stream.backend": "kafka"} if leaf.backend == "memory" else {}
    settings = load_settings(profile=profile, overrides={leaf.path: another(leaf), **backend})
    lines = [line for line in settings.ignored if line.startswith(f"{leaf.path} (code): {leaf.section}.backend is ")]
    assert len(lines) == 1
    by_default = load_settings(profile=profile, overrides={leaf.path: leaf.default, **backend})
    assert by_default.ignored == ()


KAFKA: dict[str, object] = {"stream.backend": "kafka"}


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        ({"confirm_live": True}, "confirm_live (code): run_mode is not live; set BACKBONE_RUN_MODE=live"),
        (
            {"retention.enabled": True},
            "retention.enabled (code): rows are dropped by schedule only",
        ),
        ({"cache.backend": "off", "cache.strategy": "extended"}, "cache.strategy (code): cache.backend is off"),
        ({"control.enabled": False, "control.path": "x.sock"}, "control.path (code): control.enabled is false"),
        (KAFKA | {"stream.ssl_root_cert": "ca.pem"}, "stream.ssl_root_cert (code): no TLS is spoken with Kafka"),
        (KAFKA | {"stream.user": "me"}, "stream.user (code): nobody is authenticated"),
    ],
)
def test_a_setting_that_another_one_disarms_is_told(overrides: dict[str, object], told: str) -> None:
    (line,) = load_settings(profile="embedded", overrides=overrides).ignored
    assert line.startswith(told)


@pytest.mark.parametrize(
    ("path", "value"),
    [("port", 6543), ("database", "other"), ("user", "me"), ("password", "x"), ("ssl_mode", "require")],
)
def test_a_piece_of_an_address_that_the_url_says_already_is_told(path: str, value: object) -> None:
    overrides = {"store.url": "postgresql://u:p@h/d?sslmode=disable", f"store.{path}": value}
    (line,) = load_settings(profile="timescale", overrides=overrides).ignored
    assert line == f"store.{path} (code): store.url says it already; change the URL"


def test_an_alias_that_is_read_and_changes_nothing_is_told() -> None:
    assert load_settings(env={"CONFIRM_LIVE": "1"}).ignored == (
        "confirm_live (env CONFIRM_LIVE (alias)): run_mode is not live; set BACKBONE_RUN_MODE=live",
    )
    env = {"BACKBONE_STORE_URL": "postgresql://u:p@h/d", "PGUSER": "me", "PGPASSWORD": "x"}
    lines = load_settings(profile="timescale", env=env).ignored
    assert [line.partition(" (")[0] for line in lines] == ["store.user", "store.password"]
    over_a_file = load_settings(profile="dev", env={"BACKBONE_STORE_URL": "postgresql://u:p@h/d"})
    assert over_a_file.ignored == ()


def test_the_check_tells_each_note_with_its_setting() -> None:
    settings = load_settings(profile="embedded", env={"BACKBONE_STORE_POOL_SIZE": "7", "TIMESCALE_SPARK_EXPORT": "1"})
    assert [(each.path, each.status) for each in check(settings)] == [
        ("env", Status.DEGRADED),
        ("store.pool_size", Status.DEGRADED),
    ]


def test_of_two_aliases_for_one_address_the_second_is_told() -> None:
    env = {"TIMESCALE_URL": "postgresql://h/d", "PGHOST": "elsewhere", "PGPORT": "6543"}
    settings = load_settings(profile="timescale", env=env)
    assert [line.partition(":")[0] for line in settings.ignored] == ["PGHOST", "PGPORT"]
    assert "the address is given by env TIMESCALE_URL (alias) (store.url)" in settings.ignored[0]


def test_a_variable_that_leads_to_the_profile_is_named_only_where_it_did() -> None:
    from backbone.settings.loading import indicator

    assert indicator({"REDIS_URL": "redis://h"}) == "REDIS_URL"
    assert indicator({"REDIS_URL": "redis://h", "EMP_TIER": "tier_2"}) is None
    assert indicator({"REDIS_URL": "redis://h", MODE: "institutional"}) is None
