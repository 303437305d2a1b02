"""The cache: in this process or Redis."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from backbone.settings.connections import compose_url, fill_in, uses_tls, with_tls
from backbone.settings.secrets import Secret
from backbone.settings.sections.base import Count, Port, Seconds, Section, Share, Text

__all__ = ["CacheSettings"]


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
    ssl_root_cert: Annotated[
        Text | None, Meta(description="redis: file of the certificate authority; none: those of this machine")
    ] = None
    insecure: Annotated[
        bool,
        Meta(description="redis: password and rows may leave this machine without verified TLS; every status says so"),
    ] = False
    client_name: Annotated[str, Meta(pattern=r"^[!-~]{1,100}\Z", description="redis: how the server lists us")] = (
        "backbone"
    )
    socket_timeout: Annotated[Seconds, Meta(description="redis: wait for an answer")] = 0.5
    connect_timeout: Annotated[Seconds, Meta(description="redis: wait for a connection")] = 1.0
    health_check_interval: Annotated[Seconds, Meta(description="redis: test a connection idle for so long")] = 5.0
    retry_on_timeout: Annotated[bool, Meta(description="redis: try a timed-out read once more")] = True
    pool_size: Annotated[int, Meta(ge=1, le=500, description="redis: connections at most")] = 8
    pool_timeout: Annotated[Seconds, Meta(description="redis: wait for a free connection")] = 0.5
    near_mb: Annotated[
        int, Meta(ge=0, le=65_536, description="redis: MB of the hottest windows in this process, too; 0 keeps none")
    ] = 64
    near_for: Annotated[
        float, Meta(ge=0, le=0.5, description="redis: seconds for which such a window is served without asking redis")
    ] = 0.25

    def dsn(self) -> Secret | None:
        """The connection URL: ``url`` if given, else composed of the pieces; None if neither.

        A password and an authority that a given URL leaves open are filled in, and ``ssl`` makes it one of TLS.
        """
        if self.url is not None:
            url = with_tls(self.url.reveal()) if self.ssl else self.url.reveal()
            return fill_in(url, self.password, {"ssl_ca_certs": self.ssl_root_cert if uses_tls(url) else None})
        if self.host is None:
            return None
        scheme, options = ("rediss", {"ssl_ca_certs": self.ssl_root_cert}) if self.ssl else ("redis", {})
        return compose_url(scheme, self.user, self.password, self.host, self.port, str(self.db), options)
