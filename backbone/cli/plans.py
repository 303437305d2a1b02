"""Ingest plans from the command line."""

from __future__ import annotations

from pathlib import Path

from backbone.cli.failures import UsageError
from backbone.cli.options import AS_SHOWN, Written, columns_of, span
from backbone.domain.clock import parse_interval
from backbone.domain.dimension import Dimension
from backbone.ingest.plan import IngestPlan
from backbone.settings import Settings
from backbone.sources.errors import SourceError
from backbone.sources.registry import available_sources, built_in, open_source, reads_file

__all__ = ["dimension_of", "interval_of", "plan_of", "refuse_what_is_not_asked"]


def plan_of(
    path: Path | None,
    dimension: str | None,
    *,
    symbols: tuple[str, ...] = (),
    interval: str | None = None,
    source: str | None = None,
    zone: str | None = None,
    start: str | None = None,
    end: str | None = None,
    period: str | None = None,
    written: Written = AS_SHOWN,
) -> IngestPlan:
    """The checked plan; without a source, the file's name tells its kind; without a dimension, the source's usual one.

    Raises:
        UsageError: says what was given and what is allowed.
    """
    kind = source or _kind_of(path)
    first, last = span(start, end)
    if zone is not None and not zone.strip():
        raise UsageError("--zone '' given; allowed is an IANA name such as UTC, or leave it out")
    if kind.strip().lower() not in available_sources():
        raise UsageError(f"--source {kind} given; allowed is {', '.join(available_sources())}")
    if path is None and reads_file(kind):
        raise UsageError(f"--source {kind} given without a file; name one, or a provider: --source yahoo")
    try:
        return IngestPlan(
            dimensions=[_usual(kind, interval) if dimension is None else Dimension.parse(dimension)],
            symbols=symbols,
            interval=interval,
            source=kind,
            path=path,
            zone=zone,
            start=first,
            end=last,
            period=period,
            columns=columns_of(written.columns),
            time_format=written.time_format,
            time_unit=written.time_unit,
            decimal=written.decimal,
            encoding=written.encoding,
            stamps=written.stamps,
        ).checked()
    except ValueError as error:
        raise UsageError(str(error)) from error


def refuse_what_is_not_asked(plan: IngestPlan, settings: Settings) -> None:
    """Refuse, before a store is opened for it, what a provider of ours would not be asked for.

    Raises:
        UsageError: it has no such symbol, interval or dimension.
    """
    if not built_in(plan.source) or reads_file(plan.source):
        return
    offered = {"symbols": plan.symbols, "settings": settings}
    try:
        open_source(plan.source, offered, dimension=plan.dimension, interval=plan.interval)
    except (ValueError, SourceError) as error:
        raise UsageError(str(error)) from error


def _kind_of(path: Path | None) -> str:
    if path is None:
        raise UsageError("no file given; name one, or a provider by --source, such as --source yahoo")
    return "parquet" if path.suffix.lower() in {".parquet", ".pq"} else "csv"


def _usual(kind: str, interval: str | None) -> Dimension:
    """What rows of a source are unless somebody says it."""
    name = kind.strip().lower()
    if name == "fred":
        return Dimension.MACRO_EVENTS
    daily = interval is not None and interval_of(interval) == "1d" and built_in(name) and not reads_file(name)
    return Dimension.DAILY_BARS if daily else Dimension.INTRADAY_BARS


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
