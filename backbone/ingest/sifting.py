"""What of a chunk goes on to the store: what the plan wants, what can be true, of rows with one key the last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from backbone.domain import Frame
from backbone.ingest.choosing import chosen
from backbone.ingest.plan import IngestPlan
from backbone.quality.screening import STRICT, Rejected, Screening, screen
from backbone.sources.port import SourceChunk

__all__ = ["Sifted", "screened", "sifted"]


class Sifted(NamedTuple):
    """What became of the good rows of a chunk.

    Attributes:
        frame: those that go on.
        wanted: those that the plan wants, in canonical form, with those that can't be true.
        bad: those that can't be true.
        filtered: how many the plan does not want, by reason.
        repeated: how many were given up for a later one with their key.
    """

    frame: Frame
    wanted: Frame
    bad: tuple[Rejected, ...]
    filtered: Mapping[str, int]
    repeated: int


def sifted(chunk: SourceChunk, plan: IngestPlan, rules: Screening = STRICT) -> Sifted:
    """Sift the good rows of a chunk: those that the plan wants and that by these rules can be true.

    A row that can't be true takes no other one's place, wherever chunks end: so it is taken out before of rows with one
    key the last is chosen.
    """
    wanted, filtered = chosen(chunk.frame if chunk.given is None else chunk.given, plan)
    return screened(wanted, filtered, rules, stacked=chunk.given is not None)


def screened(wanted: Frame, filtered: Mapping[str, int], rules: Screening, *, stacked: bool) -> Sifted:
    """Screen rows that the plan wants.

    Args:
        wanted: the rows, in canonical form or as they came.
        filtered: how many more the plan does not want, by reason.
        rules: what can be true.
        stacked: they are as they came, and some may have one key.
    """
    good, bad = screen(wanted, rules)
    if not stacked:
        return Sifted(good, wanted, bad, filtered, 0)
    frame = good.ordered()
    return Sifted(frame, wanted.ordered(), bad, filtered, good.num_rows - frame.num_rows)
