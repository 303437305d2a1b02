"""Environment names of other tools that are read as settings: the one table.

An alias fills in what the settings file leaves open, and only where the section uses the service it belongs to: a
stray ``REDIS_URL`` changes nothing while the cache is in memory. Of several aliases of one setting the first wins.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["ADDRESSES", "ALIASES", "ALWAYS", "INDICATORS", "MODE", "NEEDED_BACKEND", "RESERVED", "TOPICS", "Alias"]


class Alias(NamedTuple):
    """An environment name, the setting it stands for, and the factor from its unit to ours."""

    name: str
    path: str
    factor: float | None = None


def _aliases(path: str, names: str, factor: float | None = None) -> tuple[Alias, ...]:
    return tuple(Alias(name, path, factor) for name in names.split())


_DIMENSIONS = {
    "daily_bars": "DAILY_BARS DAILY_BAR DAILY",
    "intraday_bars": "INTRADAY_BARS INTRADAY_BAR INTRADAY",
    "trades": "TRADES INTRADAY_TRADES TICKS",
    "quotes": "QUOTES",
    "order_book": "ORDER_BOOK",
    "macro_events": "MACRO_EVENTS MACRO_EVENT MACRO",
}
"""How other tools write the dimensions in names of variables."""


def _topic_aliases(part: str, default: str, own: str) -> Iterator[Alias]:
    """The names of one property of topics: of all of them, and of each dimension."""
    bases = ("KAFKA_INGEST_DEFAULT_TOPIC", "KAFKA_INGEST_TOPIC_DEFAULT")
    spelt = (*bases, *(("KAFKA_INGEST_DEFAULT", "KAFKA_INGEST_TOPIC") if part else ()))
    for base in spelt:
        yield Alias(f"{base}{part}", default)
    for dimension, names in _DIMENSIONS.items():
        for name in names.split():
            yield Alias(f"KAFKA_INGEST_TOPIC_{name}{part}", f"stream.{dimension}.{own}")


ALIASES: tuple[Alias, ...] = (
    *_aliases("tier", "EMP_TIER"),
    *_aliases("run_mode", "RUN_MODE"),
    *_aliases("environment", "EMP_ENVIRONMENT"),
    *_aliases("confirm_live", "CONFIRM_LIVE"),
    *_aliases("kill_switch", "EMP_KILL_SWITCH"),
    *_aliases("store.url", "TIMESCALEDB_URL TIMESCALE_URL DATABASE_URL"),
    *_aliases("store.host", "TIMESCALEDB_HOST TIMESCALE_HOST PGHOST"),
    *_aliases("store.port", "TIMESCALEDB_PORT TIMESCALE_PORT PGPORT"),
    *_aliases("store.database", "TIMESCALEDB_DB TIMESCALEDB_DATABASE TIMESCALE_DB TIMESCALE_DATABASE PGDATABASE"),
    *_aliases("store.user", "TIMESCALEDB_USER TIMESCALEDB_USERNAME TIMESCALE_USER TIMESCALE_USERNAME PGUSER"),
    *_aliases("store.password", "TIMESCALEDB_PASSWORD TIMESCALE_PASSWORD PGPASSWORD"),
    *_aliases("store.ssl_mode", "TIMESCALEDB_SSLMODE PGSSLMODE"),
    *_aliases("store.ssl_root_cert", "TIMESCALEDB_SSLROOTCERT PGSSLROOTCERT"),
    *_aliases("store.ssl_cert", "TIMESCALEDB_SSLCERT PGSSLCERT"),
    *_aliases("store.ssl_key", "TIMESCALEDB_SSLKEY PGSSLKEY"),
    *_aliases("store.application_name", "TIMESCALEDB_APP PGAPPNAME"),
    *_aliases("store.statement_timeout", "TIMESCALEDB_STATEMENT_TIMEOUT_MS", 0.001),
    *_aliases("store.connect_timeout", "TIMESCALEDB_CONNECT_TIMEOUT PGCONNECT_TIMEOUT"),
    *_aliases("store.pool_size", "TIMESCALEDB_POOL_SIZE"),
    *_aliases("store.max_overflow", "TIMESCALEDB_MAX_OVERFLOW"),
    *_aliases("store.pool_timeout", "TIMESCALEDB_POOL_TIMEOUT"),
    *_aliases("store.pool_recycle", "TIMESCALEDB_POOL_RECYCLE"),
    *_aliases("store.pool_pre_ping", "TIMESCALEDB_POOL_PRE_PING"),
    *_aliases("store.required", "DATA_BACKBONE_REQUIRE_TIMESCALE"),
    *_aliases("cache.url", "REDIS_URL REDIS_URI REDISCLOUD_URL"),
    *_aliases("cache.host", "REDIS_HOST CACHE_HOST"),
    *_aliases("cache.port", "REDIS_PORT"),
    *_aliases("cache.db", "REDIS_DB"),
    *_aliases("cache.user", "REDIS_USERNAME REDIS_USER"),
    *_aliases("cache.password", "REDIS_PASSWORD REDIS_PASS"),
    *_aliases("cache.ssl", "REDIS_SSL"),
    *_aliases("cache.client_name", "REDIS_CLIENT_NAME REDIS_APP_NAME"),
    *_aliases("cache.socket_timeout", "REDIS_SOCKET_TIMEOUT"),
    *_aliases("cache.health_check_interval", "REDIS_HEALTH_CHECK_INTERVAL"),
    *_aliases("cache.retry_on_timeout", "REDIS_RETRY_ON_TIMEOUT"),
    *_aliases("cache.ttl", "REDIS_CACHE_TTL_SECONDS"),
    *_aliases("cache.capacity", "REDIS_CACHE_MAX_KEYS"),
    *_aliases("cache.namespace", "REDIS_CACHE_NAMESPACE"),
    *_aliases("cache.strategy", "REDIS_CACHE_STRATEGY"),
    *_aliases("cache.required", "DATA_BACKBONE_REQUIRE_REDIS"),
    *_aliases("stream.bootstrap", "KAFKA_BROKERS KAFKA_BOOTSTRAP_SERVERS KAFKA_URL"),
    *_aliases("stream.security_protocol", "KAFKA_SECURITY_PROTOCOL"),
    *_aliases("stream.sasl_mechanism", "KAFKA_SASL_MECHANISM"),
    *_aliases("stream.user", "KAFKA_USERNAME KAFKA_USER"),
    *_aliases("stream.password", "KAFKA_PASSWORD KAFKA_PASS"),
    *_aliases("stream.client_id", "KAFKA_CLIENT_ID"),
    *_aliases("stream.acks", "KAFKA_ACKS"),
    *_aliases("stream.linger", "KAFKA_LINGER_MS", 0.001),
    *_aliases("stream.batch_bytes", "KAFKA_BATCH_SIZE"),
    *_aliases("stream.idempotence", "KAFKA_ENABLE_IDEMPOTENCE"),
    *_aliases("stream.compression", "KAFKA_COMPRESSION_TYPE"),
    *_aliases("stream.ssl_root_cert", "KAFKA_SSL_CAFILE KAFKA_SSL_CA_LOCATION"),
    *_aliases("stream.ssl_cert", "KAFKA_SSL_CERTFILE KAFKA_SSL_CERTIFICATE_LOCATION"),
    *_aliases("stream.ssl_key", "KAFKA_SSL_KEYFILE KAFKA_SSL_KEY_LOCATION"),
    *_aliases("stream.ssl_key_password", "KAFKA_SSL_PASSWORD KAFKA_SSL_KEY_PASSWORD"),
    *_topic_aliases("", "stream.topic", "topic"),
    *_topic_aliases("_PARTITIONS", "stream.partitions", "partitions"),
    *_topic_aliases("_REPLICATION_FACTOR", "stream.replication_factor", "replication_factor"),
    *_topic_aliases("_CONFIG", "stream.topic_config", "config"),
    *_aliases("stream.create_topics", "KAFKA_INGEST_AUTO_CREATE_TOPICS KAFKA_AUTO_CREATE_TOPICS"),
    *_aliases("stream.consume", "KAFKA_INGEST_ENABLE_STREAMING"),
    *_aliases("stream.required", "DATA_BACKBONE_REQUIRE_KAFKA"),
    *_aliases("telemetry.ingest_health", "KAFKA_INGEST_HEALTH_ENABLED"),
    *_aliases("telemetry.ingest_metrics", "KAFKA_INGEST_METRICS_ENABLED"),
    *_aliases("telemetry.ingest_quality", "KAFKA_INGEST_QUALITY_ENABLED"),
    *_aliases("telemetry.warn_lag", "KAFKA_READINESS_WARN_LAG_MESSAGES"),
    *_aliases("telemetry.fail_lag", "KAFKA_READINESS_FAIL_LAG_MESSAGES"),
    *_aliases("ingest.record_runs", "RECORD_INGEST_HISTORY"),
    *_aliases("market.symbols", "TIMESCALE_SYMBOLS"),
    *_aliases("market.daily_lookback", "TIMESCALE_LOOKBACK_DAYS"),
    *_aliases("market.intraday", "TIMESCALE_ENABLE_INTRADAY"),
    *_aliases("market.intraday_lookback", "TIMESCALE_INTRADAY_LOOKBACK_DAYS"),
    *_aliases("market.intraday_interval", "TIMESCALE_INTRADAY_INTERVAL"),
    *_aliases("market.macro", "TIMESCALE_ENABLE_MACRO"),
    *_aliases("market.macro_events", "TIMESCALE_MACRO_EVENTS"),
    *_aliases("market.macro_file", "TIMESCALE_MACRO_EVENTS_FILE"),
    *_aliases("market.macro_start", "TIMESCALE_MACRO_START"),
    *_aliases("market.macro_end", "TIMESCALE_MACRO_END"),
    *_aliases("market.macro_calendars", "TIMESCALE_MACRO_CALENDARS"),
    *_aliases("market.macro_limit", "TIMESCALE_MACRO_FETCH_LIMIT"),
    *_aliases("market.macro_lookback", "TIMESCALE_MACRO_LOOKBACK_DAYS"),
    *_aliases("schedule.enabled", "TIMESCALE_INGEST_SCHEDULE"),
    *_aliases("schedule.interval", "TIMESCALE_INGEST_INTERVAL_SECONDS TIMESCALE_INGEST_SCHEDULE_INTERVAL_SECONDS"),
    *_aliases("schedule.jitter", "TIMESCALE_INGEST_JITTER_SECONDS TIMESCALE_INGEST_SCHEDULE_JITTER_SECONDS"),
    *_aliases("schedule.max_failures", "TIMESCALE_INGEST_MAX_FAILURES TIMESCALE_INGEST_SCHEDULE_MAX_FAILURES"),
    *_aliases("recovery.enabled", "TIMESCALE_INGEST_RECOVERY"),
    *_aliases("recovery.max_attempts", "TIMESCALE_INGEST_RECOVERY_MAX_ATTEMPTS"),
    *_aliases("recovery.lookback_multiplier", "TIMESCALE_INGEST_RECOVERY_LOOKBACK_MULTIPLIER"),
    *_aliases("recovery.target_missing_symbols", "TIMESCALE_INGEST_RECOVERY_TARGET_MISSING_SYMBOLS"),
    *_aliases("providers.fred.key", "FRED_API_KEY"),
    *_aliases("retention.enabled", "TIMESCALE_RETENTION_ENABLED"),
    *_aliases("retention.daily_bars.target_days", "TIMESCALE_RETENTION_DAILY_TARGET_DAYS"),
    *_aliases("retention.daily_bars.minimum_days", "TIMESCALE_RETENTION_DAILY_MIN_DAYS"),
    *_aliases("retention.daily_bars.cap_days", "TIMESCALE_RETENTION_DAILY_CAP_DAYS"),
    *_aliases("retention.intraday_bars.target_days", "TIMESCALE_RETENTION_INTRADAY_TARGET_DAYS"),
    *_aliases("retention.intraday_bars.minimum_days", "TIMESCALE_RETENTION_INTRADAY_MIN_DAYS"),
    *_aliases("retention.intraday_bars.cap_days", "TIMESCALE_RETENTION_INTRADAY_CAP_DAYS"),
    *_aliases("retention.macro_events.target_days", "TIMESCALE_RETENTION_MACRO_TARGET_DAYS"),
    *_aliases("retention.macro_events.minimum_days", "TIMESCALE_RETENTION_MACRO_MIN_DAYS"),
    *_aliases("retention.macro_events.cap_days", "TIMESCALE_RETENTION_MACRO_CAP_DAYS"),
)

NEEDED_BACKEND = {
    "store": ("store.backend", "timescale"),
    "retention": ("store.backend", "timescale"),
    "cache": ("cache.backend", "redis"),
    "stream": ("stream.backend", "kafka"),
    "telemetry": ("stream.backend", "kafka"),
}
"""What a section must be set to before its aliases count; those of the top and `ALWAYS` count in any case."""

ALWAYS = frozenset({"store.required", "cache.required", "stream.required", "stream.consume", "providers.fred.key"})
"""Settings that say which backend must be chosen, mean the same with each of them, or whose section has none."""

ADDRESSES = {
    "store": frozenset({"store.url", "store.host", "store.port", "store.database"}),
    "cache": frozenset({"cache.url", "cache.host", "cache.port", "cache.db"}),
}
"""Settings that say together where a service is: where one source gives the address, another must not bend it."""

INDICATORS = ("REDIS_URL", "REDIS_HOST", "KAFKA_BROKERS", "KAFKA_BOOTSTRAP_SERVERS", "KAFKA_URL")
"""Without a profile, one of these makes it the institutional one."""

TOPICS = "KAFKA_INGEST_TOPICS"
"""Gives the topics of several dimensions at once: `quotes:md.quotes,*:market.{dimension}`."""

MODE = "DATA_BACKBONE_MODE"
"""Says which profile is meant (bootstrap or institutional) where none is given otherwise."""

RESERVED = frozenset(
    {"BACKBONE_PROFILE", "BACKBONE_CONFIG", "BACKBONE_ENV_FILE", "BACKBONE_REQUIRE_SERVICES", "BACKBONE_DEBUG"}
)
"""Names with our prefix that are no settings: they choose the settings, or belong to the test suite."""
