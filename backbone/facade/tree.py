"""The supervision tree, as data. Top to bottom is the order of start, bottom to top that of the stop.

Parts find each other by path and ask again, and none holds state that lives in another, so one that falls is restarted
alone: soon at first, then ever later up to every 30 s, for as long as the backbone is open. The rest works meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from actors import Backoff, ChildSpec, Intensity, Mailbox, Restart, SupervisorSpec
from backbone.cache.actor import CacheActor
from backbone.cache.port import Cache
from backbone.calls import Calls
from backbone.ingest.actor import IngestActor
from backbone.ingest.settings import IngestRules
from backbone.retention.actor import RetentionActor
from backbone.retention.policy import RetentionRules
from backbone.settings.schema import SupervisionSettings
from backbone.store.actor import StoreActor
from backbone.store.port import Store
from backbone.stream.consumer import ConsumerActor
from backbone.stream.last import LastActor, Newest
from backbone.stream.port import Stream
from backbone.stream.relay import RelayActor

__all__ = ["CONSUMER", "NAME", "Parts", "tree"]

NAME = "backbone"
CONSUMER = "stream/consumer"
_WELL = 5.0  # seconds after which a part that fell has proved itself: its next fall is a first one


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What the actors are made of.

    Attributes:
        newest: the newest change of each symbol, which an actor writes and `last` reads.
        consume: False: there is no consumer; what is committed is published, and nobody here reads it.
        embedded: by part, why a stand-in is less than the real service.
        release: called once everything has stopped: lets go of what outlives the single store, rows in memory.
    """

    calls: Calls
    make_store: Callable[[], Store]
    make_cache: Callable[[], Cache]
    stream: Stream
    rules: IngestRules
    retention: RetentionRules
    poll_interval: float
    newest: Newest
    consume: bool
    embedded: dict[str, str | None]
    start_timeout: float
    attempts: dict[str, int]
    ingest_factory: Callable[..., Any] = IngestActor
    release: Callable[[], None] = lambda: None


def tree(parts: Parts, limits: SupervisionSettings, *, control: ChildSpec | None = None) -> SupervisorSpec:
    """Store · cache · stream (relay, last, consumer) · ingest · retention · control."""
    intensity = Intensity(restarts=limits.restarts, within=limits.within)
    backoff = Backoff(initial=limits.backoff, maximum=limits.backoff_most, reset_after=_WELL)
    calls, embedded = parts.calls, parts.embedded
    consumer = ChildSpec(
        "consumer",
        ConsumerActor,
        args=(parts.stream, calls),
        shutdown=limits.shutdown,
        backoff=backoff,
        mailbox=Mailbox(capacity=4096),
    )
    stream = SupervisorSpec(
        "stream",
        intensity=intensity,
        backoff=backoff,
        children=(
            ChildSpec(
                "relay",
                RelayActor,
                args=(parts.stream, calls, embedded["stream"], parts.poll_interval),
                shutdown=limits.shutdown,
                backoff=backoff,
                metadata={"part": "stream", "consuming": "on" if parts.consume else "off"},
            ),
            ChildSpec(
                "last",
                LastActor,
                args=(parts.stream, calls, parts.newest),
                shutdown=limits.shutdown,
                backoff=backoff,
            ),
            *((consumer,) if parts.consume else ()),
        ),
    )
    children: tuple[ChildSpec | SupervisorSpec, ...] = (
        ChildSpec(
            "store",
            StoreActor,
            args=(parts.make_store, embedded["store"], parts.start_timeout),
            shutdown=3 * limits.shutdown,
            start_timeout=parts.start_timeout + 60.0,
            backoff=backoff,
            metadata={"part": "store"},
        ),
        ChildSpec(
            "cache",
            CacheActor,
            args=(parts.make_cache, calls, embedded["cache"]),
            kwargs={"inline": parts.rules.inline},
            shutdown=limits.shutdown,
            backoff=backoff,
        ),
        stream,
        ChildSpec(
            "ingest",
            parts.ingest_factory,
            args=(calls, parts.rules, parts.attempts),
            shutdown=limits.shutdown,
            backoff=backoff,
            mailbox=Mailbox(capacity=4096),
        ),
        ChildSpec(
            "retention",
            RetentionActor,
            args=(calls, parts.retention, parts.rules),
            shutdown=limits.shutdown,
            backoff=backoff,
        ),
    )
    if control is not None:
        children += (msgspec.structs.replace(control, backoff=backoff),)
    return SupervisorSpec(NAME, children=children, intensity=intensity, backoff=backoff, restart=Restart.PERMANENT)
