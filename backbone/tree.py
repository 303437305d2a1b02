"""The supervision tree, as data. Top to bottom is the order of start; if one falls, those below it restart with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from actors import ChildSpec, Intensity, Mailbox, Restart, Strategy, SupervisorSpec
from backbone.cache.actor import CacheActor
from backbone.cache.port import Cache
from backbone.ingest.actor import IngestActor
from backbone.ingest.settings import IngestRules
from backbone.peers import Peers
from backbone.retention.actor import RetentionActor
from backbone.retention.policy import RetentionRules
from backbone.settings.schema import SupervisionSettings
from backbone.store.actor import StoreActor
from backbone.store.port import Store
from backbone.stream.actor import RelayActor
from backbone.stream.port import Log

__all__ = ["CONSUMERS", "NAME", "Parts", "tree"]

NAME = "backbone"
CONSUMERS = "stream/consumers"


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What the actors are made of. `embedded` says, by part, why a stand-in is less than the real service."""

    peers: Peers
    make_store: Callable[[], Store]
    make_cache: Callable[[], Cache]
    log: Log
    rules: IngestRules
    retention: RetentionRules
    poll_interval: float
    embedded: dict[str, str | None]
    reopen: bool
    attempts: dict[str, int]
    ingest_factory: Callable[..., Any] = IngestActor


def tree(parts: Parts, limits: SupervisionSettings, *, control: ChildSpec | None = None) -> SupervisorSpec:
    """Store · cache · stream (relay, consumers) · ingest · retention · control."""
    intensity = Intensity(restarts=limits.restarts, within=limits.within)
    peers, embedded = parts.peers, parts.embedded
    stream = SupervisorSpec(
        "stream",
        strategy=Strategy.REST_FOR_ONE,
        intensity=intensity,
        children=(
            ChildSpec(
                "relay",
                RelayActor,
                args=(parts.log, peers, embedded["stream"], parts.poll_interval),
                shutdown=limits.shutdown,
                metadata={"part": "stream"},
            ),
            SupervisorSpec("consumers", parallel_shutdown=True, intensity=Intensity(restarts=100, within=10.0)),
        ),
    )
    children: tuple[ChildSpec | SupervisorSpec, ...] = (
        ChildSpec(
            "store",
            StoreActor,
            args=(parts.make_store, peers, embedded["store"], parts.reopen),
            shutdown=3 * limits.shutdown,
            start_timeout=60.0,
            metadata={"part": "store"},
        ),
        ChildSpec(
            "cache",
            CacheActor,
            args=(parts.make_cache, peers, embedded["cache"]),
            kwargs={"inline": parts.rules.inline},
            shutdown=limits.shutdown,
        ),
        stream,
        ChildSpec(
            "ingest",
            parts.ingest_factory,
            args=(peers, parts.rules, parts.attempts),
            shutdown=limits.shutdown,
            mailbox=Mailbox(capacity=4096),
        ),
        ChildSpec("retention", RetentionActor, args=(peers, parts.retention, parts.rules), shutdown=limits.shutdown),
    )
    if control is not None:
        children += (control,)
    return SupervisorSpec(
        NAME, children=children, strategy=Strategy.REST_FOR_ONE, intensity=intensity, restart=Restart.PERMANENT
    )
