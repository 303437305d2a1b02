"""The stream: in this process or Kafka."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from backbone.settings.secrets import Secret
from backbone.settings.sections.base import Count, Seconds, Section, Text

__all__ = ["StreamSettings"]


class StreamSettings(Section, frozen=True, kw_only=True):
    """Where committed changes are published."""

    backend: Annotated[Literal["memory", "kafka"], Meta(description="where committed changes are published")] = "memory"
    required: Annotated[
        bool | None, Meta(description="refuse to start without kafka; none: as tier and run_mode say")
    ] = None
    consume: Annotated[bool, Meta(description="run consumers; publishing goes on without them")] = True
    subscriptions: Annotated[
        int, Meta(ge=1, le=1_000_000, description="subscriptions open at once at most; more are refused")
    ] = 10_000
    subscription_symbols: Annotated[
        int, Meta(ge=1, le=1_000_000, description="symbols that one subscription may name; none named: all")
    ] = 10_000
    partitions: Annotated[int, Meta(ge=1, le=10_000, description="partitions of each topic")] = 8
    capacity_bytes: Annotated[Count, Meta(description="memory: bytes of records kept")] = 16 * 1024 * 1024
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
    insecure: Annotated[
        bool, Meta(description="kafka: password and rows may leave this machine without TLS; every status says so")
    ] = False
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
