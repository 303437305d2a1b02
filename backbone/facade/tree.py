"""The supervision tree, as data. Top to bottom is the order of start, bottom to top that of the stop.

Parts find each other by path and ask again, and none holds state that lives in another, so one that falls is restarted
alone: soon at first, then ever later up to every 30 s, for as long as the backbone is open. The rest works meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from actors import ChildSpec, Restart, SupervisorSpec
from backbone.cache import child as cache
from backbone.cache.at_hand import AtHand
from backbone.cache.port import Cache
from backbone.calls import Calls
from backbone.export import child as export
from backbone.history import child as history
from backbone.history.reading import History
from backbone.ingest import child as ingest
from backbone.operations.gate import child as gate
from backbone.operations.gate.board import Board
from backbone.operations.telemetry import child as telemetry
from backbone.operations.telemetry.desk import Desk
from backbone.retention import child as retention
from backbone.settings import Settings
from backbone.store import child as store
from backbone.store.errors import Unsupported
from backbone.store.port import Store
from backbone.stream import child as stream
from backbone.stream.last import Newest
from backbone.stream.port import Stream

__all__ = ["NAME", "Parts", "Resources", "stand_ins", "tree"]

NAME = "backbone"
Parts = Mapping[str, Callable[[Any], Any]]
"""By name of a child, what a test makes of its spec: a ChildSpec, of "stream" a SupervisorSpec."""


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    """What outlives the incarnations of the actors that use it; made and let go of by who opens the backbone."""

    stores: Callable[[], Store]
    caches: Callable[[Calls], Cache]
    at_hand: AtHand
    stream: Stream
    newest: Newest
    gates: Board


def tree(
    settings: Settings, calls: Calls, resources: Resources, *, desk: Desk, control: ChildSpec | None, parts: Parts
) -> SupervisorSpec:
    """Watch · store · cache · stream (relay, last, consumer) · ingest, scheduler · …, control, in the order below.

    Raises:
        Unsupported: `parts` names a child that there is not.
    """
    limits = settings.supervision
    past = History(settings, calls) if settings.export.reads else None
    children: list[ChildSpec | SupervisorSpec] = [
        telemetry.child(settings, calls, desk),
        store.child(settings, calls, resources.stores),
        cache.child(settings, calls, resources.caches, resources.at_hand, None if past is None else past.read),
        stream.child(settings, calls, resources.stream, resources.newest),
        ingest.child(settings, calls),
        ingest.scheduler(settings, calls),
        retention.child(settings, calls),
        export.child(settings, calls, None if past is None else past.published),
        gate.child(settings, calls, resources.gates, resources.newest),
    ]
    looks_after = None if past is None else history.child(settings, past)
    children += [each for each in (looks_after, ingest.replay(settings, calls), control) if each is not None]
    there = {spec.id for spec in children}
    if not there >= set(parts):
        raise Unsupported(f"parts {sorted(set(parts) - there)} given; allowed: {', '.join(sorted(there))}")
    changed = [parts[spec.id](spec) if spec.id in parts else spec for spec in children]
    return SupervisorSpec(
        NAME, children=changed, intensity=limits.budget(), backoff=limits.delays(), restart=Restart.PERMANENT
    )


def stand_ins(settings: Settings) -> dict[str, str | None]:
    """By part: why it is less than a real service; None where it is one."""
    rooms = {"store": store, "cache": cache, "stream": stream}
    return {part: room.stand_in(settings) for part, room in rooms.items()}
