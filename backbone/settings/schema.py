"""The one schema of all settings: names, types, bounds, defaults and what each is for.

The environment name of a setting is ``BACKBONE_`` and its path in capitals: ``store.pool_size`` is read from
``BACKBONE_STORE_POOL_SIZE``. Durations are seconds unless the name says otherwise; None means "no limit" or "not set".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from backbone.domain.dimension import Dimension
from backbone.settings.connections import compose_url, fill_in, strip_driver
from backbone.settings.fingerprint import fingerprint, redacted_sections
from backbone.settings.secrets import Secret

__all__ = [
    "CacheSettings",
    "ControlSettings",
    "IngestSettings",
    "LoggingSettings",
    "QualitySettings",
    "RetentionDays",
    "RetentionSettings",
    "Settings",
    "StoreSettings",
    "StreamSettings",
    "SupervisionSettings",
]

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Port = Annotated[int, Meta(ge=1, le=65_535)]
Share = Annotated[float, Meta(ge=0, le=1)]
Days = Annotated[int, Meta(ge=1, le=36_500)]
Count = Annotated[int, Meta(ge=1, le=1_000_000_000)]
Text = Annotated[str, Meta(min_length=1, max_length=1024)]
Identifier = Annotated[str, Meta(pattern=r"^[a-z_][a-z0-9_]{0,62}\Z")]
Session = Literal["fx", "24x7", "us_equities"]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group of settings; the description of each field is what templates and ``config show`` print."""


class StoreSettings(Section, frozen=True, kw_only=True):
    """Where rows are kept."""

    backend: Annotated[Literal["duckdb", "timescale"], Meta(description="where rows are kept")] = "duckdb"
    required: Annotated[
        bool | None, Meta(description="refuse to start without timescale; none: as tier and run_mode say")
    ] = None
    path: Annotated[Text, Meta(description="duckdb: the database file, or :memory:")] = "data/backbone.duckdb"
    inline: Annotated[bool, Meta(description="duckdb: work on the event loop, for deterministic tests")] = False
    threads: Annotated[int, Meta(ge=1, le=256, description="duckdb: worker threads")] = 2
    memory_limit: Annotated[
        str, Meta(pattern=r"^[1-9][0-9]{0,5}(\.[0-9])? ?(KB|MB|GB|TB)\Z", description="duckdb: memory at most")
    ] = "1GB"
    url: Annotated[Secret | None, Meta(description="timescale: postgresql://user@host:port/database")] = None
    host: Annotated[Text | None, Meta(description="timescale: host, instead of url")] = None
    port: Annotated[Port, Meta(description="timescale: port")] = 5432
    database: Annotated[Text, Meta(description="timescale: database")] = "postgres"
    user: Annotated[Text | None, Meta(description="timescale: user")] = None
    password: Annotated[Secret | None, Meta(description="timescale: password")] = None
    ssl_mode: Annotated[
        Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] | None,
        Meta(description="timescale: how TLS is used"),
    ] = None
    ssl_root_cert: Annotated[Text | None, Meta(description="timescale: file of the certificate authority")] = None
    ssl_cert: Annotated[Text | None, Meta(description="timescale: file of the client certificate")] = None
    ssl_key: Annotated[Text | None, Meta(description="timescale: file of the client key")] = None
    schema_name: Annotated[Identifier, Meta(description="timescale: schema of the tables")] = "market_data"
    pool_size: Annotated[int, Meta(ge=1, le=500, description="timescale: connections made at the start")] = 5
    max_overflow: Annotated[int, Meta(ge=0, le=500, description="timescale: further connections under load")] = 5
    pool_timeout: Annotated[Seconds, Meta(description="timescale: wait for a free connection")] = 5.0
    pool_recycle: Annotated[Seconds, Meta(description="timescale: close a connection idle for so long")] = 1800.0
    pool_pre_ping: Annotated[bool, Meta(description="timescale: test a connection before use")] = True
    connect_timeout: Annotated[Seconds, Meta(description="timescale: wait for a new connection")] = 5.0
    statement_timeout: Annotated[Seconds, Meta(description="timescale: a statement lasts at most")] = 10.0
    start_timeout: Annotated[
        float, Meta(ge=0, le=3600, description="timescale: a server that is not up yet is waited for so long")
    ] = 10.0
    application_name: Annotated[Text, Meta(description="timescale: how the server lists us")] = "backbone"

    def dsn(self) -> Secret | None:
        """The connection URL: ``url`` if given (without a driver suffix), else composed of the pieces; None if neither.

        A password and TLS options that a given URL leaves open are filled in; user and password are percent-encoded.
        """
        options = {
            "sslmode": self.ssl_mode,
            "sslrootcert": self.ssl_root_cert,
            "sslcert": self.ssl_cert,
            "sslkey": self.ssl_key,
        }
        if self.url is not None:
            return fill_in(strip_driver(self.url.reveal()), self.password, options)
        if self.host is None:
            return None
        return compose_url("postgresql", self.user, self.password, self.host, self.port, self.database, options)


class CacheSettings(Section, frozen=True, kw_only=True):
    """Where hot windows are kept."""

    backend: Annotated[Literal["memory", "redis", "off"], Meta(description="where hot windows are kept")] = "memory"
    required: Annotated[
        bool | None, Meta(description="refuse to start without redis; none: as tier and run_mode say")
    ] = None
    strategy: Annotated[
        Literal["standard", "aggressive", "extended", "disabled"],
        Meta(description="sets ttl and capacity: aggressive 120 s/512, extended 12 h/4096, disabled keeps nothing"),
    ] = "standard"
    ttl: Annotated[Annotated[float, Meta(gt=0)] | None, Meta(description="an entry lives so long")] = 900.0
    ttl_jitter: Annotated[
        Share, Meta(description="share by which ttl varies, so that entries don't expire at once")
    ] = 0.1
    capacity: Annotated[Count | None, Meta(description="entries at most")] = 1024
    namespace: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]{1,100}\Z", description="prefix of all keys")] = (
        "backbone:cache"
    )
    url: Annotated[Secret | None, Meta(description="redis: redis://host:port/db, or rediss:// for TLS")] = None
    host: Annotated[Text | None, Meta(description="redis: host, instead of url")] = None
    port: Annotated[Port, Meta(description="redis: port")] = 6379
    db: Annotated[int, Meta(ge=0, le=65_535, description="redis: database number")] = 0
    user: Annotated[Text | None, Meta(description="redis: user")] = None
    password: Annotated[Secret | None, Meta(description="redis: password")] = None
    ssl: Annotated[bool, Meta(description="redis: use TLS")] = False
    client_name: Annotated[Text, Meta(description="redis: how the server lists us")] = "backbone"
    socket_timeout: Annotated[Seconds, Meta(description="redis: wait for an answer")] = 0.5
    connect_timeout: Annotated[Seconds, Meta(description="redis: wait for a connection")] = 1.0
    health_check_interval: Annotated[Seconds, Meta(description="redis: test a connection idle for so long")] = 5.0
    retry_on_timeout: Annotated[bool, Meta(description="redis: try a timed-out read once more")] = True

    def dsn(self) -> Secret | None:
        """The connection URL: ``url`` if given, else composed of the pieces; None if neither.

        A password that a given URL leaves open is filled in.
        """
        if self.url is not None:
            return fill_in(self.url.reveal(), self.password, {})
        if self.host is None:
            return None
        scheme = "rediss" if self.ssl else "redis"
        return compose_url(scheme, self.user, self.password, self.host, self.port, str(self.db), {})

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted: asked for, or implied by ``rediss://``."""
        return self.ssl or (self.url is not None and self.url.reveal().lower().startswith("rediss://"))


class StreamSettings(Section, frozen=True, kw_only=True):
    """Where committed changes are published."""

    backend: Annotated[Literal["memory", "kafka"], Meta(description="where committed changes are published")] = "memory"
    required: Annotated[
        bool | None, Meta(description="refuse to start without kafka; none: as tier and run_mode say")
    ] = None
    consume: Annotated[bool, Meta(description="run consumers; publishing goes on without them")] = True
    partitions: Annotated[int, Meta(ge=1, le=10_000, description="partitions of each topic")] = 8
    capacity_bytes: Annotated[Count, Meta(description="memory: bytes of records kept")] = 64 * 1024 * 1024
    max_payload_bytes: Annotated[int, Meta(ge=4096, le=900_000, description="bytes of one outbox payload at most")] = (
        524_288
    )
    poll_interval: Annotated[Seconds, Meta(description="the relay looks for new rows at least so often")] = 1.0
    bootstrap: Annotated[Text | None, Meta(description="kafka: host:port of brokers, comma-separated")] = None
    security_protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] | None,
        Meta(description="kafka: SASL_SSL with user and password, else PLAINTEXT, unless given"),
    ] = None
    sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], Meta(description="kafka: how the user is authenticated")
    ] = "PLAIN"
    user: Annotated[Text | None, Meta(description="kafka: user")] = None
    password: Annotated[Secret | None, Meta(description="kafka: password")] = None
    client_id: Annotated[Text, Meta(description="kafka: how the brokers list us")] = "backbone"
    acks: Annotated[Literal["all"], Meta(description="kafka: nothing less than all is durable")] = "all"
    linger: Annotated[float, Meta(ge=0, le=60, description="kafka: wait to fill a batch")] = 0.02
    batch_bytes: Annotated[int, Meta(ge=1, le=16_777_216, description="kafka: bytes of a batch at most")] = 131_072
    idempotence: Annotated[Literal[True], Meta(description="kafka: nothing less prevents doubles")] = True
    compression: Annotated[
        Literal["none", "gzip", "snappy", "lz4", "zstd"], Meta(description="kafka: how batches are compressed")
    ] = "zstd"

    @property
    def effective_security_protocol(self) -> str:
        """The protocol as given, else SASL_SSL when user and password are, else PLAINTEXT."""
        if self.security_protocol is not None:
            return self.security_protocol
        return "SASL_SSL" if self.user is not None and self.password is not None else "PLAINTEXT"


class IngestSettings(Section, frozen=True, kw_only=True):
    """How rows come in."""

    chunk_rows: Annotated[int, Meta(ge=1, le=100_000, description="rows of one transaction at most")] = 100_000
    retries: Annotated[int, Meta(ge=0, le=100, description="attempts after a failed one")] = 3
    csv_zone: Annotated[Text | None, Meta(description="zone of csv times without an offset, such as UTC")] = None
    record_batch_rows: Annotated[int, Meta(ge=1, le=100_000, description="live rows of one chunk at most")] = 500
    record_linger: Annotated[float, Meta(ge=0, le=60, description="live rows wait so long for company")] = 0.05


class RetentionDays(Section, frozen=True, kw_only=True):
    """How many days of one dimension are kept."""

    target_days: Annotated[Days, Meta(description="days that should be covered")]
    minimum_days: Annotated[Days, Meta(description="days below which coverage has failed; at most the target")]
    cap_days: Annotated[Days | None, Meta(description="days after which rows are dropped; target + 35 if not set")] = (
        None
    )

    @property
    def minimum(self) -> int:
        """The minimum, clipped to the target."""
        return min(self.minimum_days, self.target_days)

    @property
    def cap(self) -> int:
        """The cap, never below the target; the target and 35 days where none is set."""
        return max(self.target_days, self.target_days + 35 if self.cap_days is None else self.cap_days)


_YEAR = RetentionDays(target_days=365, minimum_days=300, cap_days=400)
_MONTH = RetentionDays(target_days=30, minimum_days=7, cap_days=65)


class RetentionSettings(Section, frozen=True, kw_only=True):
    """How long rows are kept."""

    enabled: Annotated[bool, Meta(description="drop rows beyond the cap by schedule, not on request only")] = False
    interval: Annotated[float, Meta(ge=0, le=604_800, description="seconds between two runs of upkeep; 0: none")] = (
        3600.0
    )
    daily_bars: RetentionDays = _YEAR
    intraday_bars: RetentionDays = _MONTH
    trades: RetentionDays = _MONTH
    quotes: RetentionDays = _MONTH
    order_book: RetentionDays = _MONTH
    macro_events: RetentionDays = RetentionDays(target_days=365, minimum_days=180, cap_days=400)
    outbox_hours: Annotated[int, Meta(ge=1, le=8760, description="published outbox rows are kept for so long")] = 24
    quarantine_days: Annotated[Days, Meta(description="quarantined rows and dead letters are kept for so long")] = 30

    def of(self, dimension: Dimension) -> RetentionDays:
        """The days of a dimension."""
        days: RetentionDays = getattr(self, dimension.value)
        return days


class QualitySettings(Section, frozen=True, kw_only=True):
    """When rows are good enough."""

    warn_score: Annotated[Share, Meta(description="a score below is degraded")] = 0.85
    fail_score: Annotated[Share, Meta(description="a score below has failed")] = 0.60
    session: Annotated[Session, Meta(description="trading calendar of symbols that name no other")] = "fx"
    sessions: Annotated[Mapping[str, Session], Meta(description="trading calendar by symbol: AAPL=us_equities,…")] = {}

    def session_of(self, symbol: str) -> Session:
        """The trading calendar of a symbol."""
        return self.sessions.get(symbol, self.session)


class ControlSettings(Section, frozen=True, kw_only=True):
    """The socket by which another process asks a running backbone."""

    enabled: Annotated[bool, Meta(description="open the control socket")] = True
    path: Annotated[Text, Meta(description="the socket file; only this user may open it")] = "data/backbone.sock"


class SupervisionSettings(Section, frozen=True, kw_only=True):
    """When actors are restarted, and how long things may take."""

    backoff: Annotated[Seconds, Meta(description="a part that fell is restarted after so long, then ever later")] = 0.1
    backoff_most: Annotated[Seconds, Meta(description="at the latest after so long, for as long as we are open")] = 30.0
    # above what the backoff lets all parts together come to, so that it never ends the tree by itself
    restarts: Annotated[int, Meta(ge=0, le=1000, description="restarts within the window; one more ends the tree")] = (
        100
    )
    within: Annotated[Seconds, Meta(description="the window")] = 5.0
    ask_timeout: Annotated[Seconds, Meta(description="a part that answers no probe within this is busy")] = 5.0
    shutdown: Annotated[Seconds, Meta(description="an actor has so long to stop")] = 5.0


class LoggingSettings(Section, frozen=True, kw_only=True):
    """What is logged, and how."""

    level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="the least level logged")] = "info"
    format: Annotated[Literal["console", "json"], Meta(description="for people or for machines")] = "console"


class Settings(Section, frozen=True, kw_only=True):
    """All settings, and where each came from. Made by `load_settings`; a test may also construct it directly."""

    profile: Annotated[Text, Meta(description="the name of the profile these settings began with")] = "custom"
    tier: Annotated[
        Literal["tier_0", "tier_1", "tier_2"] | None,
        Meta(description="servers asked for: none, TimescaleDB, Redis and Kafka too; the profile where none is named"),
    ] = None
    run_mode: Annotated[
        Literal["mock", "paper", "live"],
        Meta(description="live needs confirm_live and every server; mock is refused in production"),
    ] = "paper"
    environment: Annotated[
        Literal["demo", "staging", "production"],
        Meta(description="production refuses mock data, and connections to other machines without verified TLS"),
    ] = "demo"
    confirm_live: Annotated[bool, Meta(description="says that run_mode live is meant")] = False
    kill_switch: Annotated[
        Text | None, Meta(description="a file: while it exists, nothing is done by schedule, and status says so")
    ] = "data/backbone.kill"
    store: StoreSettings = StoreSettings()
    cache: CacheSettings = CacheSettings()
    stream: StreamSettings = StreamSettings()
    ingest: IngestSettings = IngestSettings()
    retention: RetentionSettings = RetentionSettings()
    quality: QualitySettings = QualitySettings()
    control: ControlSettings = ControlSettings()
    supervision: SupervisionSettings = SupervisionSettings()
    logging: LoggingSettings = LoggingSettings()

    origins: Mapping[str, str] = {}
    """Where each value came from, by path: "default", a file, "env NAME", "env NAME (alias)", "--set path", "code"."""
    ignored: tuple[str, ...] = ()
    """What was set but changes nothing, each with the reason and what to do."""

    def redacted(self) -> dict[str, Any]:
        """The sections as plain nested values, secrets masked."""
        return redacted_sections(self)

    @property
    def hash(self) -> str:
        """16 hex digits that depend on the values only; secrets don't enter it."""
        return fingerprint(self)
