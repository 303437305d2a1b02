"""The gate's place in the tree, and its board."""

from __future__ import annotations

from actors import ActorSystem, ChildSpec
from backbone.calls import Calls
from backbone.operations.gate.actor import GateActor
from backbone.operations.gate.board import Board
from backbone.quality.freshness_rules import FreshnessRules
from backbone.settings import Settings
from backbone.stream.last import Newest

__all__ = ["board", "child"]

_SLACK = 1.0  # seconds by which a look may be late, in a process that has other things to do


def board(settings: Settings, system: ActorSystem) -> Board:
    """Where the answers stand; made before the tree, for it outlives every actor."""
    gate = settings.gate
    return Board(system.clock, gate.symbols, 2 * gate.interval + gate.silence + _SLACK)


def child(settings: Settings, calls: Calls, board: Board, newest: Newest) -> ChildSpec:
    """Who looks, and answers."""
    limits = settings.supervision
    return ChildSpec(
        "gate",
        GateActor,
        args=(settings, calls, board, newest, FreshnessRules(settings)),
        shutdown=limits.shutdown,
        backoff=limits.delays(),
    )
