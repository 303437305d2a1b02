"""What the newest run said of each symbol: how good its rows were, or that it was not carried out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from backbone.domain.dimension import Dimension
from backbone.domain.status import Status
from backbone.ingest.messages import IngestEnded
from backbone.operations.gate.verdict import Reason, of_failed_run, of_quality
from backbone.settings.sections.gate import GateSettings
from backbone.store.run_records import RunRow

__all__ = ["RunsSeen"]

_MOST = 200_000  # symbols of which the newest run is remembered; those of runs long ago go first
_SAID = 300  # characters of what a run said
_ALL = ""  # a run that named no symbols, and was not carried out

Key = tuple[Dimension, str]


class RunsSeen:
    """The newest run of each symbol. A run that took no row says nothing of those that are there.

    Args:
        rules: what follows from a bad one.

    Attributes:
        version: rises with each that is seen.
    """

    def __init__(self, rules: GateSettings) -> None:
        self._rules = rules
        self.version = 0
        self._quality: dict[Key, list[Reason]] = {}
        self._failures: dict[Key, list[Reason]] = {}

    def of(self, dimension: Dimension, symbol: str) -> list[Reason]:
        """What speaks against trading on a symbol."""
        failed = self._failures.get((dimension, symbol)) or self._failures.get((dimension, _ALL)) or []
        return [*self._quality.get((dimension, symbol), ()), *failed]

    def ended(self, event: IngestEnded) -> None:
        """A run of this process has ended."""
        self.version += 1
        run, dimension = event.run, event.plan.dimension
        if run is None:
            self._failed(dimension, event.plan.symbols, event.run_id, event.error)
            return
        self._came(dimension, (*run.symbols, *event.plan.symbols))
        if run.quality is not None and run.taken:
            found = run.quality
            self._judged(dimension, run.symbols, found.status, _said(run.run_id, found.score, found.messages))

    def journalled(self, rows: Sequence[RunRow]) -> None:
        """Runs of before, newest first: of what nothing is known yet."""
        self.version += 1
        seen = RunsSeen(self._rules)
        for row in reversed(rows):
            seen._journalled(row)
        for mine, theirs in ((self._quality, seen._quality), (self._failures, seen._failures)):
            for key, reasons in theirs.items():
                mine.setdefault(key, reasons)

    def _journalled(self, row: RunRow) -> None:
        try:
            dimension = Dimension.parse(row.dimension)
        except ValueError:
            return  # the row of a whole run; each dimension that it was to take has one, too
        asked = [str(each) for each in _listed(row.metadata.get("requested_symbols"))]
        if row.status == "failed":
            self._failed(dimension, asked, row.run_id, row.error or "")
            return
        self._came(dimension, (*row.symbols, *asked))
        found = row.metadata.get("quality")
        if isinstance(found, Mapping) and row.symbols:
            messages = [str(each) for each in _listed(found.get("messages"))]
            text = _said(row.run_id, float(found.get("score") or 0.0), messages)
            self._judged(dimension, row.symbols, Status.parse(str(found.get("status"))), text)

    def _failed(self, dimension: Dimension, symbols: Sequence[str], run_id: str, error: str) -> None:
        found = of_failed_run(f"{run_id} was not carried out: {error[:_SAID]}", self._rules)
        for symbol in symbols or (_ALL,):
            _put(self._failures, (dimension, symbol), found)

    def _came(self, dimension: Dimension, symbols: Iterable[str]) -> None:
        """A run was carried out: what failed before does not matter any more."""
        for symbol in (*symbols, _ALL):
            _put(self._failures, (dimension, symbol), [])

    def _judged(self, dimension: Dimension, symbols: Iterable[str], status: Status, text: str) -> None:
        found = of_quality(status, text, self._rules)
        for symbol in symbols:
            _put(self._quality, (dimension, symbol), found)


def _put(kept: dict[Key, list[Reason]], key: Key, found: list[Reason]) -> None:
    kept.pop(key, None)
    kept[key] = found
    if len(kept) > _MOST:
        del kept[next(iter(kept))]


def _said(run_id: str, score: float, messages: Sequence[str]) -> str:
    return f"{run_id} scored {score:.4f}: {'; '.join(messages[1:3] or messages[:1])}"[:_SAID]


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()
