"""The store: DuckDB's file or TimescaleDB's address, pool and limits."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from backbone.settings.connections import compose_url, fill_in, strip_driver
from backbone.settings.secrets import Secret
from backbone.settings.sections.base import Identifier, Port, Seconds, Section, Text

__all__ = ["StoreSettings"]


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
    insecure: Annotated[
        bool,
        Meta(
            description="timescale: password and rows may leave this machine without verified TLS; every status says so"
        ),
    ] = False
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
    patience: Annotated[
        float, Meta(ge=0, le=3600, description="a run waits so long for a store that restarts or is locked")
    ] = 30.0
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
