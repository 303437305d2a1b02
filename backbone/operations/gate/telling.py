"""What telemetry is told of gates: symbols that changed alike come in one event, so that their number is no flood."""

from __future__ import annotations

from collections.abc import Iterator

from backbone.domain.dimension import Dimension
from backbone.operations.gate.verdict import Gate, GateLevel
from backbone.operations.telemetry.events import GateTold

__all__ = ["Changes"]

_SYMBOLS = 64  # named in one event

Alike = tuple[Dimension, GateLevel, GateLevel | None, tuple[str, ...]]


class Changes:
    """The changes of one look."""

    def __init__(self) -> None:
        self._alike: dict[Alike, list[Gate]] = {}

    def note(self, gate: Gate, before: GateLevel | None) -> None:
        """A gate has changed.

        Args:
            gate: as it is now.
            before: the level that it was; None: it was not judged before.
        """
        kinds = tuple(text.partition(":")[0] for text in gate.reasons)
        self._alike.setdefault((gate.dimension, gate.level, before, kinds), []).append(gate)

    def told(self) -> Iterator[GateTold]:
        """One event for each kind of change."""
        for (dimension, level, before, _), gates in self._alike.items():
            yield GateTold(
                dimension=dimension,
                symbols=tuple(gate.symbol for gate in gates[:_SYMBOLS]),
                symbol_count=len(gates),
                level=level.value,
                before=None if before is None else before.value,
                reasons=gates[0].reasons,
                as_of=gates[0].as_of,
            )
