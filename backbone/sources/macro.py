"""What a macro event is about, told by its name, and what it bears on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from backbone.domain import Dimension, Frame
from backbone.domain.arrays import array_of, table_of
from backbone.domain.schema import arrow_schema

__all__ = ["Kind", "category_of", "enriched", "events_frame", "kind_of"]


class Kind(NamedTuple):
    """What events of a kind are about.

    Attributes:
        category: area and subject, such as ``macro/inflation``.
        causal_links: what it bears on, the nearest first.
    """

    category: str
    causal_links: tuple[str, ...]


def _kinds(*rows: tuple[str, str, str]) -> tuple[tuple[re.Pattern[str], Kind], ...]:
    return tuple(
        (re.compile(pattern, re.IGNORECASE), Kind(category, tuple(links.split()))) for pattern, category, links in rows
    )


_KINDS: Final = _kinds(
    (r"\bCPI|CONSUMER PRICE|\bPCE\b|\bPPI|PRODUCER PRICE|INFLATION|^PCEPI", "macro/inflation", "rates fx equities"),
    (r"\bNFP\b|PAYROLL|EMPLOYMENT|UNEMPLOY|JOBLESS|^PAYEMS$|^UNRATE$|^ICSA$", "macro/employment", "rates fx equities"),
    (
        r"\bFOMC\b|\bECB\b|\bBOE\b|\bBOJ\b|FED(ERAL)? FUNDS|INTEREST RATE|^FEDFUNDS$|^DFF$",
        "macro/monetary_policy",
        "rates fx equities",
    ),
    (r"\bGDP|GROSS DOMESTIC", "macro/growth", "equities fx rates"),
    (r"EARNING", "corporate/earnings", "equities"),
    (r"DIVIDEND", "corporate/dividend", "equities"),
    (r"\bSPLIT\b", "corporate/split", "equities"),
    (r"\bETF\b|REBAL", "flows/rebalancing", "equities"),
)


def kind_of(event: str) -> Kind | None:
    """The kind of an event by its name, in any case; None: its name does not tell."""
    return next((kind for pattern, kind in _KINDS if pattern.search(event)), None)


def events_frame(rows: list[dict[str, Any]]) -> Frame:
    """Events one after the other as they came; `ordered` makes a frame of them."""
    table = table_of(rows, arrow_schema(Dimension.MACRO_EVENTS))
    return Frame.from_arrow(Dimension.MACRO_EVENTS, table, presorted=True)


def enriched(frame: Frame) -> Frame:
    """Macro events with the category that their names tell, where they have none.

    Raises:
        ValueError: the frame holds something else.
    """
    if frame.dimension is not Dimension.MACRO_EVENTS:
        raise ValueError(f"a frame of {frame.dimension} given; allowed are {Dimension.MACRO_EVENTS}")
    table = frame.to_arrow()
    told = array_of(category_of(table.column("event").to_pylist()), pa.string())
    place = table.column_names.index("category")
    values = pc.coalesce(table.column(place), told)
    return Frame.of_known(frame.dimension, table.set_column(place, table.schema.field(place), values))


def category_of(events: Iterable[str]) -> list[str | None]:
    """The categories of events, by their names."""
    known: dict[str, str | None] = {}
    for event in events:
        if event not in known:
            kind = kind_of(event)
            known[event] = None if kind is None else kind.category
    return [known[event] for event in events]
