"""Ingest plans from the command line."""

from __future__ import annotations

from pathlib import Path

from backbone.cli.failures import UsageError
from backbone.cli.options import AS_SHOWN, Written, columns_of, span
from backbone.domain.clock import parse_interval
from backbone.domain.dimension import Dimension
from backbone.ingest.plan import IngestPlan
from backbone.sources.registry import available_sources

__all__ = ["dimension_of", "interval_of", "plan_of"]


def plan_of(
    path: Path,
    dimension: str,
    *,
    symbols: tuple[str, ...] = (),
    interval: str | None = None,
    source: str | None = None,
    zone: str | None = None,
    start: str | None = None,
    end: str | None = None,
    written: Written = AS_SHOWN,
) -> IngestPlan:
    """The checked plan; without a source, the file's name tells its kind.

    Raises:
        UsageError: says what was given and what is allowed.
    """
    kind = source or ("parquet" if path.suffix.lower() in {".parquet", ".pq"} else "csv")
    first, last = span(start, end)
    if zone is not None and not zone.strip():
        raise UsageError("--zone '' given; allowed is an IANA name such as UTC, or leave it out")
    if kind.strip().lower() not in available_sources():
        raise UsageError(f"--source {kind} given; allowed is {', '.join(available_sources())}")
    try:
        return IngestPlan(
            dimensions=[Dimension.parse(dimension)],
            symbols=symbols,
            interval=interval,
            source=kind,
            path=path,
            zone=zone,
            start=first,
            end=last,
            columns=columns_of(written.columns),
            time_format=written.time_format,
            time_unit=written.time_unit,
            decimal=written.decimal,
            encoding=written.encoding,
            stamps=written.stamps,
        ).checked()
    except ValueError as error:
        raise UsageError(str(error)) from error


def dimension_of(text: str) -> Dimension:
    """The dimension of a name or alias.

    Raises:
        UsageError: there is none; lists what is allowed.
    """
    try:
        return Dimension.parse(text)
    except ValueError as error:
        raise UsageError(str(error)) from error


def interval_of(text: str | None) -> str | None:
    """The interval in canonical form.

    Raises:
        UsageError: there is no such interval; lists what is allowed.
    """
    try:
        return None if text is None else parse_interval(text)
    except ValueError as error:
        raise UsageError(str(error)) from error
