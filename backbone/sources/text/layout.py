"""How a delimited file is laid out: its delimiter, its header, and which column is what."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from backbone.domain import Dimension
from backbone.domain.spreadsheets import MARK
from backbone.domain.zones import load_zone
from backbone.sources.corrections import kinds_read
from backbone.sources.dated import needs_time_of_day, refuse_shared_dates
from backbone.sources.errors import InputInvalid
from backbone.sources.form import Form
from backbone.sources.text.aliases import column_of
from backbone.sources.text.dialects import Dialect, places_of
from backbone.sources.text.heading import DELIMITERS, Head, find_head, is_row, split
from backbone.sources.text.naming import assign, match_columns, required_columns
from backbone.sources.text.numbers import NumberForm
from backbone.sources.text.numbers import recognised as recognised_numbers
from backbone.sources.text.times import TimeForm, has_time_of_day
from backbone.sources.text.times import recognised as recognised_times

__all__ = ["DELIMITERS", "Layout", "find_layout", "match_columns", "required_columns"]

_SAMPLE: Final = 1000


@dataclass(frozen=True, slots=True)
class Layout:
    """Where to find what in each line.

    Attributes:
        delimiter: between fields.
        fields: number of fields in a line.
        positions: field of each column that is one field, counted from 0.
        constants: columns that the file lacks and the caller gave, such as the symbol.
        ignored: names of the file's columns that are not read, each with the reason.
        first_row: number of the first line after the header, counted from 1.
        escaped: columns of texts that the header marks as escaped; see `backbone.domain.spreadsheets`.
        parts: fields that make up each column, one or two, counted from 0; two are joined by a blank.
        extra_missing: words that stand for no value in this file, beside those that everybody uses.
        times: how the times are written.
        numbers: how the numbers are written.
        names: of the columns, as the header has them; "1", "2", … where there is none.
        mapped: from the file's names to ours.
        dialect: name of the file's dialect, "" where none is known.
        trailing: whether each line ends with one more delimiter than the header, behind which nothing stands.
        stray: numbers of lines before the header that look like rows.
        notes: what else is to be said of the file.
    """

    delimiter: str
    fields: int
    positions: Mapping[str, int]
    constants: Mapping[str, str]
    ignored: Mapping[str, str]
    first_row: int
    escaped: frozenset[str] = frozenset()
    parts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    extra_missing: frozenset[str] = frozenset()
    times: TimeForm = field(default_factory=TimeForm)
    numbers: NumberForm = field(default_factory=NumberForm)
    names: tuple[str, ...] = ()
    mapped: Mapping[str, str] = field(default_factory=dict)
    dialect: str = ""
    trailing: bool = False
    stray: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


def find_layout(
    path: str,
    head: str,
    dimension: Dimension,
    *,
    form: Form | None = None,
    constants: Mapping[str, str] | None = None,
    times: TimeForm | None = None,
) -> Layout:
    """Read the layout off the first lines of a file.

    Args:
        path: for messages.
        head: whole lines from the start of the file.
        dimension: what the rows are.
        form: what the caller says of the file.
        constants: values of columns that the file may lack.
        times: the bounds of moments; what else it says is taken from the file and the form.

    Raises:
        InputInvalid: the header does not fit, or the file leaves open what has to be told; the message lists what was
            found and what is needed.
    """
    form = form or Form()
    lines = [line.rstrip("\r") for line in head.removesuffix("\n").split("\n")]
    found = find_head(path, lines, dimension, renames=form.columns, constants=constants or {})
    rows = [fields for line in lines[found.line + 1 :][:_SAMPLE] if (fields := split(line, found.delimiter))]
    marked = frozenset(n for n, name in enumerate(found.names) if _is_marked(name, dimension, form.columns))
    names = tuple(name.removesuffix(MARK) if n in marked else name for n, name in enumerate(found.names))
    done = assign(
        path, names, dimension, renames=form.columns, constants={**(constants or {}), **found.constants},
        dialect=found.dialect, sample=rows,
    )  # fmt: skip
    trailing = bool(rows) and all(len(row) == len(names) + 1 and not row[-1].strip() for row in rows)
    _refuse_fields(path, rows, names, found.dialect)
    stray = tuple(n for n in found.passed if is_row(lines[n], found.delimiter, len(names)))
    layout = Layout(
        delimiter=found.delimiter,
        fields=len(names) + trailing,
        positions={column: places[0] for column, places in done.parts.items() if len(places) == 1},
        constants=done.constants,
        ignored=done.ignored,
        first_row=found.line + 2,
        escaped=frozenset(column for column, places in done.parts.items() if marked.issuperset(places)),
        parts=done.parts,
        names=found.names,
        mapped=done.mapped,
        dialect="" if found.dialect is None else found.dialect.name,
        trailing=trailing,
        stray=tuple(n + 1 for n in stray),
        notes=_passed_over([lines[n] for n in found.passed if n not in stray]),
    )
    return _with_values(path, layout, dimension, form, found, rows, times or TimeForm())


def _with_values(
    path: str,
    layout: Layout,
    dimension: Dimension,
    form: Form,
    head: Head,
    rows: Sequence[Sequence[str]],
    bounds: TimeForm,
) -> Layout:
    """The layout with the forms of its times and numbers, made out by the first rows."""
    dialect = head.dialect
    known = None if dialect is None or not _reads_time(dialect, layout) else dialect.zone
    zone = known or form.zone
    unused = () if known is None or form.zone in (None, known) else (_not_used(layout, known, form.zone),)
    times = replace(
        bounds,
        format=form.time_format or (dialect.time_format if dialect is not None else None),
        unit=form.time_unit,
        zone=None if zone is None else load_zone(zone),
        dates=dimension is Dimension.DAILY_BARS,
        day_first=dialect is not None and dialect.day_first,
    )
    stamps = layout.parts["ts"]
    told = [" ".join(row[place].strip() for place in stamps) for row in rows if len(row) > max(stamps)]
    numeric = [c for c in layout.positions if kinds_read(dimension)[c] == "double"]
    figures = [row[layout.positions[c]] for row in rows for c in numeric if len(row) > layout.positions[c]]
    try:
        times = recognised_times(told, times)
        if form.time_format is None and needs_time_of_day(dimension, layout.constants.get("interval")):
            _refuse_dates(layout, dimension, rows, told, times)
        numbers = recognised_numbers(figures, NumberForm(decimal=form.decimal))
    except ValueError as error:
        hints = "; ".join(dialect.asks.values()) if dialect is not None else ""
        more = f"; {dialect.title}: {hints}" if dialect is not None and hints else ""
        raise InputInvalid(f"{path}: {error}{more}") from error
    return replace(layout, times=times, numbers=numbers, notes=(*layout.notes, *unused))


def _refuse_dates(
    layout: Layout, dimension: Dimension, rows: Sequence[Sequence[str]], told: Sequence[str], times: TimeForm
) -> None:
    """Refuse a file none of whose times has a time of day, where several rows of a series share a date."""
    if any(has_time_of_day(text, times) for text in told):  # as the first row of nearly all files has
        return
    clocks = [has_time_of_day(text, times) for text in told]
    places = [layout.positions[column] for column in ("symbol", "interval") if column in layout.positions]
    whole = (row for row in rows if len(row) > max(layout.parts["ts"]))
    series = (tuple(row[place].strip() for place in places if place < len(row)) for row in whole)
    dated = zip(told, series, clocks, strict=True)
    refuse_shared_dates(((text, *which) for text, which, clock in dated if clock is False), dimension)


def _reads_time(dialect: Dialect, layout: Layout) -> bool:
    """Whether the time is read from where the dialect has it, and not from where the caller says otherwise."""
    patterns = [theirs for theirs, ours in dialect.columns.items() if ours == "ts"]
    return layout.parts["ts"] in [places_of(pattern, layout.names) for pattern in patterns]


def _not_used(layout: Layout, known: str, told: str | None) -> str:
    (name,) = (theirs for theirs, ours in layout.mapped.items() if ours == "ts")
    return f"times are those of {known}, as the column {name} says; the zone {told} is not used"


def _is_marked(name: str, dimension: Dimension, renames: Mapping[str, str]) -> bool:
    """Whether it is the name that we give to a column of escaped texts, and nobody says that it means another thing."""
    if not name.endswith(MARK) or name in renames:
        return False
    column = column_of(name.removesuffix(MARK), dimension)
    return column is not None and kinds_read(dimension)[column] == "string"


def _refuse_fields(path: str, rows: Sequence[Sequence[str]], names: Sequence[str], dialect: Dialect | None) -> None:
    """Refuse a file whose fields would be taken for what they are not.

    Raises:
        InputInvalid: says which column, and why.
    """
    for name, (pattern, reason) in (dialect.refused if dialect is not None else {}).items():
        for place in places_of(name, names) or ():
            found = [row[place].strip() for row in rows if len(row) > place and row[place].strip()]
            if found and re.fullmatch(pattern, found[0]):
                raise InputInvalid(f"{path}: column {name} {reason}: {found[0][:40]!r}")


def _passed_over(lines: Sequence[str]) -> tuple[str, ...]:
    if not lines:
        return ()
    count = f"{len(lines)} lines" if len(lines) > 1 else "a line"
    return (f"{count} before the header passed over: {lines[0][:60]!r}",)
