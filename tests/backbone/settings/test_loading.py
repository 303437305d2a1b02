from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backbone.settings import Secret, SettingsError, load_settings, parse_overrides
from backbone.settings.leaves import leaves


def written(folder: Path, text: str, name: str = "custom.yaml") -> Path:
    place = folder / name
    place.write_text(text, encoding="utf-8")
    return place


# precedence and origins


def test_defaults_give_way_to_the_file_the_file_to_the_environment_and_that_to_overrides(tmp_path: Path) -> None:
    file = written(tmp_path, "store:\n  threads: 3\n  pool_size: 3\n  max_overflow: 3\n")
    env = {"BACKBONE_STORE_POOL_SIZE": "4", "BACKBONE_STORE_MAX_OVERFLOW": "4"}
    settings = load_settings(file, env=env, overrides={"store.max_overflow": "7"})
    store = settings.store
    assert (store.pool_timeout, store.threads, store.pool_size, store.max_overflow) == (5.0, 3, 4, 7)
    assert [settings.origins[f"store.{name}"] for name in ("pool_timeout", "threads", "pool_size", "max_overflow")] == [
        "default",
        str(file),
        "env BACKBONE_STORE_POOL_SIZE",
        "code",
    ]


def test_every_setting_has_an_origin() -> None:
    assert set(load_settings(profile="embedded").origins) == set(leaves())


def test_no_environment_is_read_unless_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKBONE_STORE_THREADS", "9")
    monkeypatch.setenv("REDIS_URL", "redis://localhost")
    settings = load_settings()
    assert (settings.profile, settings.store.threads, settings.ignored) == ("embedded", 2, ())


def test_a_path_may_be_given_by_position_as_text_and_names_no_profile(tmp_path: Path) -> None:
    settings = load_settings(str(written(tmp_path, "cache: {backend: off}\n")))
    assert (settings.profile, settings.cache.backend) == ("custom", "off")


def test_sections_may_stand_below_backbone(tmp_path: Path) -> None:
    file = written(tmp_path, "quality: {warn_score: 0.9}\nbackbone:\n  store: {threads: 4}\n  cache:\n")
    settings = load_settings(file)
    assert (settings.store.threads, settings.quality.warn_score) == (4, 0.9)


def test_an_empty_variable_counts_as_not_set() -> None:
    assert load_settings(profile="embedded", env={"BACKBONE_STORE_THREADS": " "}).store.threads == 2


# choosing the file


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, "embedded"),
        ({"REDIS_URL": "redis://localhost"}, "institutional"),
        ({"REDIS_HOST": "localhost"}, "institutional"),
        ({"KAFKA_BROKERS": "localhost:9092"}, "institutional"),
        ({"KAFKA_BOOTSTRAP_SERVERS": "localhost:9092"}, "institutional"),
        ({"KAFKA_URL": "localhost:9092"}, "institutional"),
        ({"KAFKA_URL": "  "}, "embedded"),
        ({"KAFKA_URL": "localhost:9092", "DATA_BACKBONE_MODE": "bootstrap"}, "embedded"),
        ({"DATA_BACKBONE_MODE": "Institutional"}, "institutional"),
        ({"REDIS_URL": "redis://localhost", "BACKBONE_PROFILE": "embedded"}, "embedded"),
    ],
)
def test_without_a_profile_the_environment_chooses(env: dict[str, str], expected: str) -> None:
    assert load_settings(env=env).profile == expected


def test_the_environment_may_name_a_file(tmp_path: Path) -> None:
    file = written(tmp_path, "store: {threads: 5}\n")
    assert load_settings(env={"BACKBONE_CONFIG": str(file)}).store.threads == 5


def test_an_explicit_profile_is_not_changed_by_the_environment() -> None:
    env = {
        "BACKBONE_PROFILE": "dev",
        "REDIS_URL": "redis://localhost",
        "DATABASE_URL": "postgresql://localhost/other",
        "KAFKA_BROKERS": "localhost:9092",
        "DATA_BACKBONE_MODE": "institutional",
    }
    settings = load_settings(profile="embedded", env=env)
    plain = load_settings(profile="embedded")
    assert settings.hash == plain.hash
    assert settings.redacted() == plain.redacted()
    assert settings.ignored == (
        "BACKBONE_PROFILE: the profile embedded is given explicitly; leave it out to use BACKBONE_PROFILE",
        "DATA_BACKBONE_MODE: the profile embedded is given explicitly; leave it out to use DATA_BACKBONE_MODE",
        "DATABASE_URL: store.backend is duckdb; set BACKBONE_STORE_BACKEND=timescale to use it",
        "REDIS_URL: cache.backend is memory; set BACKBONE_CACHE_BACKEND=redis to use it",
        "KAFKA_BROKERS: stream.backend is memory; set BACKBONE_STREAM_BACKEND=kafka to use it",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"profile": "embeded"}, "unknown profile 'embeded'; allowed are dev, embedded, inst.*did you mean 'embedded'"),
        ({"profile": "../embedded"}, "unknown profile"),
        ({"profile": "embedded", "path": "x.yaml"}, "both the file x.yaml and the profile embedded given"),
        ({"env": {"BACKBONE_PROFILE": "dev", "BACKBONE_CONFIG": "x"}}, "both BACKBONE_CONFIG and BACKBONE_PROFILE"),
        ({"env": {"DATA_BACKBONE_MODE": "full"}}, "DATA_BACKBONE_MODE='full' given; allowed are bootstrap"),
    ],
)
def test_a_choice_that_is_not_clear_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_settings(**arguments)


# what is refused


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("store: {treads: 3}", "unknown key 'store.treads'; allowed in store are .*did you mean 'threads'"),
        ("stor: {threads: 3}", "unknown key 'stor'; allowed at the top are backbone|unknown key 'stor'.*'store'"),
        ("retention: {daily_bars: {target: 3}}", "unknown key 'retention.daily_bars.target'.*'target_days'"),
        ("backbone: {stor: {}}", "unknown key 'stor'"),
        ("backbone: 3", "backbone is no mapping"),
        ("store: duckdb", "store is 'duckdb'; give a mapping of its settings"),
        ("store: {threads: many}", r"store.threads \(.*\): 'many' given; allowed is a whole number, >= 1, <= 256"),
        ("store: {threads: 0}", "0 given; allowed is a whole number, >= 1"),
        ("store: {threads: 2.5}", "2.5 given; allowed is a whole number"),
        ("store: {threads: true}", "True given; allowed is a whole number"),
        ("store: {threads: [1]}", r"\[1\] given"),
        ("store: {threads:}", "store.threads .*: no value given; allowed is a whole number"),
        ("store: {inline: 2}", "2 given; allowed is true or false"),
        ("store: {inline: maybe}", "'maybe' given; allowed is true or false"),
        ("store: {backend: sqlite}", "'sqlite' given; allowed is duckdb or timescale"),
        ("store: {path: ''}", "'' given; allowed is text"),
        ("store: {schema_name: 'x; drop table'}", "given; allowed is text, like"),
        ("cache: {ttl: .inf}", "inf given; allowed is a number, > 0, or none"),
        ("cache: {ttl: .nan}", "nan given"),
        ("cache: {ttl: -1}", "-1 given"),
        ("cache: {ttl_jitter: 1.5}", "1.5 given; allowed is a number, >= 0, <= 1"),
        ("stream: {acks: 1}", "1 given; allowed is all"),
        ("stream: {idempotence: false}", "False given; allowed is true"),
        ("quality: {warn_score: 0.5}", "quality.fail_score is 0.6, above quality.warn_score 0.5"),
        ("sources: {earliest: 2200}", "sources.earliest is 2200, above sources.latest 2100; give a lower one"),
        ("sources: {latest: 1700}", "sources.earliest is 1800, above sources.latest 1700"),
        ("supervision: {backoff: 60}", "supervision.backoff is 60.0, above supervision.backoff_most 30.0"),
        (
            "quality: {sessions: {AAPL: nyse}}",
            "AAPL: no calendar is called 'nyse'; there are fx, 24x7, us_eq",
        ),
        ("quality: {sessions: {AAPL: [fx]}}", "sessions .* given; allowed is pairs"),
        ("store: {path: 2024-01-01}", "given; allowed is text"),
        ("store: {password: hunter2}", "store.password holds a secret; take it out and set BACKBONE_STORE_PASSWORD"),
        ("store: {url: 'postgresql://u:p@h/d'}", "store.url holds a secret; .* BACKBONE_STORE_URL_FILE"),
        ("store: {url: 'postgresql://h/d', host: h}", "store.url .* and store.host .* are both given"),
    ],
)
def test_a_file_with_an_unknown_key_or_an_invalid_value_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as refused:
        load_settings(written(tmp_path, text))
    assert "hunter2" not in str(refused.value)
    assert len(refused.value.problems) == 1
    assert "\n" not in str(refused.value)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    file = written(tmp_path, "store: {treads: 3, threads: x}\n")
    with pytest.raises(SettingsError) as refused:
        load_settings(file, env={"BACKBONE_CACHE_TTL": "long"}, overrides={"logging.level": "loud"})
    assert [problem.split(":")[0].split(" ")[0] for problem in refused.value.problems] == [
        str(file),
        "store.threads",
        "cache.ttl",
        "logging.level",
    ]


def test_an_unknown_variable_with_our_prefix_is_refused_with_a_suggestion() -> None:
    with pytest.raises(
        SettingsError, match=r"BACKBONE_STORE_POOLSIZE: unknown.*did you mean 'BACKBONE_STORE_POOL_SIZE'"
    ):
        load_settings(profile="embedded", env={"BACKBONE_STORE_POOLSIZE": "3"})


def test_variables_that_steer_tests_and_the_choice_of_a_profile_are_no_settings() -> None:
    env = {"BACKBONE_REQUIRE_SERVICES": "redis", "BACKBONE_ENV_FILE": "x.env"}
    assert load_settings(profile="embedded", env=env).hash == load_settings(profile="embedded").hash


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"store.thread": 3}, "override store.thread: unknown setting; did you mean 'store.threads'"),
        ({"store": "duckdb"}, "override store: unknown setting; its settings are store.backend, store.required"),
        ({"store.threads": "x"}, r"store.threads \(code\): 'x' given"),
        (parse_overrides(["store.thread=3"]), "--set store.thread: unknown setting; did you mean 'store.threads'"),
        (parse_overrides(["store.threads=x"]), r"store.threads \(--set store.threads\): 'x' given"),
        ({"profile": "dev"}, r"override profile: the profile is a file; choose it by load_settings\(profile=NAME\)"),
        (parse_overrides(["profile=dev"]), "--set profile: the profile is a file; choose it by --profile NAME"),
        ({"store.password": 3}, r"store.password \(code\): int given; allowed is text \(a secret\)"),
        ({"store.password": ["hunter2"]}, r"store.password \(code\): list given"),
    ],
)
def test_an_override_that_is_not_usable_is_refused(overrides: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as refused:
        load_settings(profile="embedded", overrides=overrides)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("given", ["hunter2", Secret("hunter2")], ids=["text", "Secret"])
def test_code_may_give_a_secret(given: str) -> None:
    settings = load_settings(profile="embedded", overrides={"store.password": given, "cache.url": "redis://h"})
    assert settings.store.password == Secret("hunter2")
    assert settings.cache.url == Secret("redis://h")
    assert settings.origins["store.password"] == "code"


def test_code_may_give_a_url_with_a_password() -> None:
    settings = load_settings(profile="embedded", overrides={"store.url": "postgresql://u:hunter2@h/db"})
    assert settings.store.url == Secret("postgresql://u:hunter2@h/db")
    assert "hunter2" not in str(settings)


# reading values


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("store.inline", " Yes ", True),
        ("store.inline", "OFF", False),
        ("store.threads", "4", 4),
        ("cache.ttl", "12.5", 12.5),
        ("cache.ttl", "none", None),
        ("cache.ttl", "off", None),
        ("cache.capacity", "disabled", None),
        ("cache.backend", "OFF", "off"),
        ("logging.level", "DEBUG", "debug"),
        ("stream.sasl_mechanism", "scram-sha-512", "SCRAM-SHA-512"),
        ("quality.sessions", "AAPL=us_equities, BTCUSD=24x7", {"AAPL": "us_equities", "BTCUSD": "24x7"}),
        ("store.path", ":memory:", ":memory:"),
        ("stream.idempotence", "on", True),
    ],
)
def test_text_of_the_environment_and_of_overrides_is_read_by_the_type(path: str, text: str, expected: object) -> None:
    def value(**arguments: Any) -> object:
        found: object = load_settings(profile="embedded", **arguments)
        for name in path.split("."):
            found = getattr(found, name)
        return found

    assert value(env={leaves()[path].env: text}) == expected
    assert value(overrides={path: text}) == expected
    assert value(overrides={path: expected}) == expected


@pytest.mark.parametrize(
    ("strategy", "ttl", "capacity"),
    [("standard", 900.0, 1024), ("aggressive", 120.0, 512), ("extended", 43_200.0, 4096)],
)
def test_a_cache_strategy_sets_what_is_not_set_otherwise(strategy: str, ttl: float, capacity: int) -> None:
    cache = load_settings(profile="embedded", overrides={"cache.strategy": strategy}).cache
    assert (cache.ttl, cache.capacity) == (ttl, capacity)
    chosen = {"cache.strategy": strategy, "cache.ttl": 7}
    settings = load_settings(profile="embedded", overrides=chosen)
    assert (settings.cache.ttl, settings.cache.capacity) == (7.0, capacity)


def test_retention_keeps_the_minimum_below_and_the_cap_above_the_target() -> None:
    chosen = {"retention.daily_bars.target_days": 500, "retention.daily_bars.minimum_days": 600}
    daily = load_settings(profile="embedded", overrides=chosen).retention.daily_bars
    assert (daily.minimum, daily.cap) == (500, 500)
    unset = {**chosen, "retention.daily_bars.cap_days": "none"}
    assert load_settings(profile="embedded", overrides=unset).retention.daily_bars.cap == 535


def test_the_retention_of_each_dimension_is_as_documented() -> None:
    from backbone.domain import Dimension

    retention = load_settings(profile="embedded").retention
    days = {d.value: (retention.of(d).target_days, retention.of(d).minimum, retention.of(d).cap) for d in Dimension}
    assert days["daily_bars"] == (365, 300, 400)
    assert days["intraday_bars"] == days["trades"] == (30, 7, 65)
    assert days["macro_events"] == (365, 180, 400)


def test_settings_can_not_be_changed() -> None:
    with pytest.raises(AttributeError):
        load_settings(profile="embedded").store.threads = 3  # type: ignore[misc]


# overrides on the command line


def test_set_arguments_become_overrides() -> None:
    assert parse_overrides(["store.path=a=b", " cache.ttl =5"]) == {"store.path": "a=b", "cache.ttl": "5"}


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("store.password=hunter2", "--set store.password: secrets .*set BACKBONE_STORE_PASSWORD or .*_FILE"),
        ("cache.url=redis://:hunter2@h", "--set cache.url: secrets are not taken"),
        ("store.url=postgresql://h/db?password=hunter2", "--set store.url: secrets are not taken"),
    ],
)
def test_a_secret_is_refused_on_the_command_line(argument: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as refused:
        parse_overrides([argument])
    assert "hunter2" not in str(refused.value)
    assert parse_overrides(["store.url=postgresql://me@h/db"]) == {"store.url": "postgresql://me@h/db"}


@pytest.mark.parametrize("arguments", [["store.path"], ["=x"], [""], ["a=1", "a=2"]])
def test_a_set_argument_that_is_no_assignment_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SettingsError, match="--set"):
        parse_overrides(arguments)


def test_importing_settings_loads_neither_yaml_nor_anything_heavy() -> None:
    code = (
        "import sys, backbone.settings, backbone.settings.loading, backbone.settings.explain\n"
        "heavy = {'yaml', 'pyarrow', 'numpy', 'structlog', 'rich'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
