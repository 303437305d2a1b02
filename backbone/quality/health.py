"""Whether ingest of a dimension is healthy: pure rules over what a run brought and how fresh its symbols are.

The worst of these counts, and each has its message:

- too few rows came: failed; degraded where no symbols were expected.
- none of the expected symbols came: failed; some did not: degraded.
- a symbol is stale, or how fresh it is can't be told: degraded.

A symbol whose next row is not late has nothing to bring, so a run on a Saturday over Friday's series is ok.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from backbone.domain.dimension import Dimension
from backbone.domain.status import Status
from backbone.domain.text import written_out
from backbone.quality.freshness import Freshness

__all__ = ["HEALTHY", "MINIMUM_ROWS", "DimensionHealth", "dimension_health"]

HEALTHY = "Ingest healthy"

MINIMUM_ROWS: Mapping[Dimension, int] = {Dimension.MACRO_EVENTS: 0}
"""Rows that a run has to bring where its symbols have some to bring; 1 of the others. Calendars may be empty."""

_NAMED = 5


class DimensionHealth(msgspec.Struct, frozen=True, kw_only=True):
    """Whether all is well with one dimension of a run.

    Attributes:
        dimension: of the rows.
        status: ok, degraded or failed.
        message: `HEALTHY`, or what is not well, worst first.
        rows_written: rows that went in.
        freshness_seconds: for how long the next row of the stalest symbol has been due, in the time of its market;
            None: it can't be told, or was not looked at.
        expected_symbols: that were asked for.
        observed_symbols: of which rows came.
        missing_symbols: expected, not observed, and late.
        metadata: of the stalest symbol, and how many rows were needed.
    """

    dimension: Dimension
    status: Status
    message: str
    rows_written: int
    freshness_seconds: float | None
    expected_symbols: tuple[str, ...]
    observed_symbols: tuple[str, ...]
    missing_symbols: tuple[str, ...]
    metadata: Mapping[str, Any] = {}


def dimension_health(
    dimension: Dimension,
    *,
    rows: int,
    expected: Sequence[str] = (),
    observed: Sequence[str] = (),
    freshness: Sequence[Freshness] | None = None,
) -> DimensionHealth:
    """Judge one dimension of a run that was planned.

    Args:
        dimension: of the rows.
        rows: that went in.
        expected: symbols that were asked for.
        observed: symbols of which rows came.
        freshness: of the symbols, after the run; None: nobody looked, as for files, whose rows may be of any age.
    """
    late = None if freshness is None else {each.symbol.upper() for each in freshness if not _has_all(each)}
    there = {symbol.upper() for symbol in observed}
    missing = tuple(each for each in expected if each.upper() not in there and (late is None or each.upper() in late))
    minimum = MINIMUM_ROWS.get(dimension, 1)
    enough = rows >= minimum or (late is not None and bool(freshness) and not late)
    found = [
        *_of_rows(rows, minimum, expected, enough=enough),
        *_of_symbols(missing, expected),
        *_of_freshness(freshness or ()),
    ]
    found.sort(key=lambda each: -each[0].severity)
    stalest = max(freshness or (), key=_lateness, default=None)
    return DimensionHealth(
        dimension=dimension,
        status=Status.worst([Status.OK, *(status for status, _ in found)]),
        message="; ".join(text for _, text in found) or HEALTHY,
        rows_written=rows,
        freshness_seconds=None if stalest is None else stalest.age_s,
        expected_symbols=tuple(expected),
        observed_symbols=tuple(observed),
        missing_symbols=missing,
        metadata={"minimum_rows": minimum} | ({} if stalest is None else _facts(stalest)),
    )


def _has_all(found: Freshness) -> bool:
    """Whether a symbol has no row to bring that is late."""
    return found.level is Status.OK


def _lateness(found: Freshness) -> tuple[bool, float]:
    return found.age_s is None, found.age_s or 0.0


def _of_rows(rows: int, minimum: int, expected: Sequence[str], *, enough: bool) -> Iterator[tuple[Status, str]]:
    if not enough:
        status = Status.FAILED if expected else Status.DEGRADED
        yield status, f"{rows:,} rows came, and at least {minimum:,} were to come"


def _of_symbols(missing: Sequence[str], expected: Sequence[str]) -> Iterator[tuple[Status, str]]:
    if missing:
        status = Status.FAILED if len(missing) == len(expected) else Status.DEGRADED
        yield status, f"{len(missing):,} of {len(expected):,} symbols are missing: {_listed(missing)}"


def _of_freshness(freshness: Sequence[Freshness]) -> Iterator[tuple[Status, str]]:
    stale = [each.symbol for each in freshness if each.level in (Status.DEGRADED, Status.FAILED)]
    unknown = [each.symbol for each in freshness if each.level is Status.UNKNOWN]
    if stale:
        yield Status.DEGRADED, f"{len(stale):,} symbols are stale: {_listed(stale)}"
    if unknown:
        yield Status.DEGRADED, f"how fresh {len(unknown):,} symbols are can't be told: {_listed(unknown)}"


def _facts(stalest: Freshness) -> dict[str, Any]:
    return {"stalest": stalest.symbol, "limit_seconds": stalest.limit_s, "why": stalest.why}


def _listed(symbols: Sequence[str]) -> str:
    return ", ".join(map(written_out, symbols[:_NAMED])) + (", …" if len(symbols) > _NAMED else "")
