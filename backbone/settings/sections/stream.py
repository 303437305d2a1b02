"""The stream: in this process or Kafka."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta

from backbone.domain.dimension import Dimension
from backbone.settings.secrets import Secret
from backbone.settings.sections.base import Count, Seconds, Section, Text

__all__ = ["DeadLetterSettings", "StreamSettings", "TopicSettings", "message_bytes", "security_protocol"]

Partitions = Literal[1, 2, 4, 8, 16, 32, 64]
"""What divides the 64 shards, so that all symbols of a shard share a partition."""
TopicName = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9._-]{1,249}\Z", title="of letters, digits, '.', '_' and '-', at most 249")
]
Replicas = Annotated[int, Meta(ge=1, le=100)]

_ROOM = 64 * 1024
"""Bytes of a record, or of a batch, beside its payload: key, headers, framing."""
_USUAL = 1024 * 1024


class MadeTopic(Section, frozen=True, kw_only=True):
    """How a topic is made, where it differs from the others."""

    partitions: Annotated[Partitions | None, Meta(description="kafka: partitions; none: as stream.partitions says")] = (
        None
    )
    replication_factor: Annotated[
        Replicas | None, Meta(description="kafka: copies; none: as stream.replication_factor says")
    ] = None
    config: Annotated[
        Mapping[str, str], Meta(description="kafka: topic configuration, above that of stream.topic_config")
    ] = {}


class TopicSettings(MadeTopic, frozen=True, kw_only=True):
    """The topic of one dimension, where it differs from the others."""

    publish: Annotated[bool, Meta(description="kafka: publish this dimension; if not, nobody can subscribe to it")] = (
        True
    )
    topic: Annotated[TopicName | None, Meta(description="kafka: topic of its own; none: as stream.topic says")] = None


class DeadLetterSettings(MadeTopic, frozen=True, kw_only=True):
    """The topic of dead letters: what came on the other topics and nobody could read."""

    publish: Annotated[
        bool, Meta(description="kafka: send dead letters to a topic, too; the store keeps them in any case")
    ] = True
    topic: Annotated[TopicName | None, Meta(description="kafka: its name; none: stream.topic, for dlq")] = None


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
    topic: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9._-]*\{dimension\}[A-Za-z0-9._-]*\Z",
            max_length=230,
            title="a topic's name with {dimension} in it, such as backbone.{dimension}",
            description="kafka: topic of each dimension, which {dimension} stands for",
        ),
    ] = "backbone.{dimension}"
    partitions: Annotated[Partitions, Meta(description="partitions of each topic: what divides 64")] = 8
    replication_factor: Annotated[Replicas, Meta(description="kafka: brokers that hold a copy of each topic")] = 1
    topic_config: Annotated[
        Mapping[str, str], Meta(description="kafka: configuration of each topic, such as retention.ms=604800000")
    ] = {}
    create_topics: Annotated[bool, Meta(description="kafka: create topics that are missing, when it starts")] = False
    daily_bars: TopicSettings = TopicSettings()
    intraday_bars: TopicSettings = TopicSettings()
    trades: TopicSettings = TopicSettings()
    quotes: TopicSettings = TopicSettings()
    order_book: TopicSettings = TopicSettings()
    macro_events: TopicSettings = TopicSettings()
    dlq: DeadLetterSettings = DeadLetterSettings()
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
    ssl_root_cert: Annotated[
        Text | None, Meta(description="kafka: file of the certificate authority; none: those of this machine")
    ] = None
    ssl_cert: Annotated[Text | None, Meta(description="kafka: file of the client certificate")] = None
    ssl_key: Annotated[Text | None, Meta(description="kafka: file of the client key; none: it is in ssl_cert")] = None
    ssl_key_password: Annotated[Secret | None, Meta(description="kafka: password of the client key")] = None
    insecure: Annotated[
        bool, Meta(description="kafka: password and rows may leave this machine without TLS; every status says so")
    ] = False
    client_id: Annotated[Text, Meta(description="kafka: how the brokers list us")] = "backbone"
    acks: Annotated[Literal["all"], Meta(description="kafka: nothing less than all is durable")] = "all"
    linger: Annotated[
        float, Meta(ge=0, le=60, description="kafka: wait to fill a batch beyond what the relay sends")
    ] = 0.0
    batch_bytes: Annotated[int, Meta(ge=1, le=16_777_216, description="kafka: bytes of a batch at most")] = 131_072
    idempotence: Annotated[Literal[True], Meta(description="kafka: nothing less prevents doubles")] = True
    compression: Annotated[
        Literal["none", "gzip", "snappy", "lz4", "zstd"], Meta(description="kafka: how batches are compressed")
    ] = "zstd"

    @property
    def effective_security_protocol(self) -> str:
        """The protocol as given, else SASL_SSL when user and password are, else PLAINTEXT."""
        return security_protocol(self.security_protocol, self.user, self.password)

    def topic_of(self, dimension: Dimension) -> TopicSettings:
        """What is said of a dimension's topic alone."""
        own: TopicSettings = getattr(self, dimension.value)
        return own


def security_protocol(given: str | None, user: str | None, password: Secret | None) -> str:
    """The protocol that is spoken with these settings."""
    if given is not None:
        return given
    return "SASL_SSL" if user is not None and password is not None else "PLAINTEXT"


def message_bytes(max_payload_bytes: int, batch_bytes: int) -> int:
    """Bytes of a batch of records at most: what topics must take, and clients be able to send and read."""
    return max(_USUAL, max_payload_bytes, batch_bytes) + _ROOM
