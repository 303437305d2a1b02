"""Which column of a file is which of ours: by what the caller says, by its dialect, by its name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from backbone.domain import Dimension
from backbone.sources.corrections import kinds_read
from backbone.sources.errors import InputInvalid
from backbone.sources.text.aliases import column_of, fallback_of, may_be_text, rank
from backbone.sources.text.complaints import listed, refuse_incomplete
from backbone.sources.text.dialects import Dialect, places_of, plain

__all__ = [
    "Assignment",
    "assign",
    "match_columns",
    "missing_columns",
    "places_given",
    "required_columns",
]

_PRICES: Final[Mapping[Dimension, tuple[str, ...]]] = {
    Dimension.DAILY_BARS: ("open", "high", "low", "close"),
    Dimension.INTRADAY_BARS: ("open", "high", "low", "close"),
    Dimension.TRADES: ("price",),
    Dimension.QUOTES: (),
    Dimension.ORDER_BOOK: ("price",),
    Dimension.MACRO_EVENTS: (),
}
_QUOTE_SIDES: Final = ("bid", "ask")
_LABEL: Final = 40
_TIME_OF_DAY: Final = re.compile(r"\d{1,2}:\d\d(:\d\d(\.\d+)?)?( ?[AaPp][Mm])?|\d{4}|\d{6}|\d{9}")
_WHOLE: Final = re.compile(r"[+-]?\d{1,19}(\.0*)?")
_DATE_ALONE: Final = re.compile(r"[^\s:]{6,11}")


@dataclass(slots=True)
class Assignment:
    """What became of the columns of a file.

    Attributes:
        parts: the places of the columns that make up each of ours, counted from 0.
        mapped: from the file's names to ours.
        ignored: the file's other names, each with the reason.
        constants: columns that the file lacks and the caller gave.
    """

    parts: dict[str, tuple[int, ...]] = field(default_factory=dict)
    mapped: dict[str, str] = field(default_factory=dict)
    ignored: dict[str, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)


def required_columns(dimension: Dimension) -> tuple[str, ...]:
    """Columns without which a row means nothing; the others may be absent or empty."""
    key = [name for name in dimension.key if name != "sequence" or not dimension.may_lack_sequence]
    return (*key, *_PRICES[dimension])


def missing_columns(dimension: Dimension, have: Iterable[str]) -> list[str]:
    """The columns that are needed and not there."""
    there = set(have)
    missing = [column for column in required_columns(dimension) if column not in there]
    if dimension is Dimension.QUOTES and not there.intersection(_QUOTE_SIDES):
        missing.extend(_QUOTE_SIDES)
    return missing


def places_given(key: str, names: Sequence[str]) -> tuple[int, ...] | None:
    """The places that a caller means by a name, a position counted from 1, or two of them with a plus sign between.

    Returns:
        None where there is no such column, or a name stands there twice.
    """
    if (place := _place(key, names)) is not None:
        return (place,)
    places = [_place(part, names) for part in key.split("+")]
    return tuple(place for place in places if place is not None) if None not in places else None


def _place(key: str, names: Sequence[str]) -> int | None:
    text = key.strip()
    if text.isdecimal():
        return int(text) - 1 if 1 <= int(text) <= len(names) else None
    exact = [n for n, name in enumerate(names) if name == text]
    found = exact or [n for n, name in enumerate(names) if plain(text) and plain(name) == plain(text)]
    return found[0] if len(found) == 1 else None


def assign(
    path: str,
    names: Sequence[str],
    dimension: Dimension,
    *,
    renames: Mapping[str, str] | None = None,
    constants: Mapping[str, str] | None = None,
    dialect: Dialect | None = None,
    sample: Sequence[Sequence[str]] = (),
) -> Assignment:
    """Say of each column of a file what it is, or why it is left out.

    Args:
        path: for messages.
        names: of the file's columns.
        dimension: what the rows are.
        renames: what the caller says, from the file's columns to ours.
        constants: values of columns that the file may lack.
        dialect: of the file.
        sample: fields of its first rows: they tell a date and a time of day in two columns, and ids of letters.

    Raises:
        InputInvalid: a column is missing, or is there twice.
    """
    done = Assignment(parts=_given(path, names, renames or {}, dimension))
    taken = {place for places in done.parts.values() for place in places}
    if dialect is not None:
        _by_dialect(done, names, dimension, dialect, taken)
    _by_name(path, done, names, dimension, taken, sample[0] if sample else ())
    if "sequence" not in (renames or {}).values():
        _drop_ids_of_letters(done, names, sample)
    for column, places in done.parts.items():
        done.mapped["+".join(_label(names, place) for place in places)] = column
    done.constants = {c: v for c, v in (constants or {}).items() if c in dimension.columns and c not in done.parts}
    have = {*done.parts, *done.constants}
    if missing := missing_columns(dimension, have):
        refuse_incomplete(path, names, dimension, have, required_columns(dimension), missing)
    return done


def match_columns(
    path: str,
    names: Iterable[str],
    dimension: Dimension,
    *,
    renames: Mapping[str, str] | None = None,
    constants: Mapping[str, str] | None = None,
) -> tuple[dict[str, int], dict[str, str]]:
    """The place of each column among the names of a file, and the constants that are needed beside them.

    Raises:
        InputInvalid: a column is missing, is there twice, or is made of two.
    """
    found = assign(path, list(names), dimension, renames=renames, constants=constants)
    return single_places(path, found), found.constants


def single_places(path: str, found: Assignment) -> dict[str, int]:
    """The place of each column, in files where none is made of two.

    Raises:
        InputInvalid: one is.
    """
    for column, places in found.parts.items():
        if len(places) > 1:
            raise InputInvalid(f"{path}: {column} is made of two columns, which only text files may; join them first")
    return {column: places[0] for column, places in found.parts.items()}


def _given(
    path: str, names: Sequence[str], renames: Mapping[str, str], dimension: Dimension
) -> dict[str, tuple[int, ...]]:
    parts: dict[str, tuple[int, ...]] = {}
    for key, column in renames.items():
        if column not in kinds_read(dimension):
            raise InputInvalid(f"columns= names {column!r}; {dimension} has {', '.join(dimension.columns)}")
        places = places_given(key, names)
        if places is None:
            twice = "" if sum(plain(name) == plain(key) for name in names) < 2 else " that is there once"
            raise InputInvalid(
                f"{path} has no column {key!r}{twice}, which columns= names; it has {listed(names)}; "
                "a position, counted from 1, does as well"
            )
        if column in parts:
            raise InputInvalid(f"columns= names two for {column}; give one, or both joined as 'A+B={column}'")
        parts[column] = places
    return parts


def _by_dialect(
    done: Assignment, names: Sequence[str], dimension: Dimension, dialect: Dialect, taken: set[int]
) -> None:
    for pattern, column in dialect.columns.items():
        if column in kinds_read(dimension) and column not in done.parts:
            places = places_of(pattern, names, taken)
            if places is not None:
                done.parts[column] = places
                taken.update(places)
    for pattern, reason in dialect.ignored.items():
        while (places := places_of(pattern, names, taken)) is not None:
            taken.update(places)
            done.ignored[_label(names, places[0])] = reason


def _by_name(
    path: str,
    done: Assignment,
    names: Sequence[str],
    dimension: Dimension,
    taken: set[int],
    sample: Sequence[str],
) -> None:
    """Match what is left by its names; a name in vain is ignored where the column is known from elsewhere."""
    said = set(done.parts)
    found: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        if place in taken:
            continue
        column = column_of(name, dimension) or fallback_of(name, dimension)
        if column is None:
            done.ignored[_label(names, place)] = f"{dimension} has no such column" if name else "has no name"
        elif column in said:
            done.ignored[_label(names, place)] = f"{column} is read from {_read_from(done, names, column)}"
        else:
            found.setdefault(column, []).append(place)
    for column, all_places in found.items():
        strong = [place for place in all_places if column_of(names[place], dimension) == column]
        chosen = _chosen(path, names, column, strong or all_places[:1], sample)
        done.parts[column] = chosen
        for place in all_places:
            if place not in chosen:
                done.ignored[_label(names, place)] = f"{column} is read from {_label(names, chosen[0])}"


def _chosen(path: str, names: Sequence[str], column: str, places: list[int], sample: Sequence[str]) -> tuple[int, ...]:
    if len(places) == 1:
        return (places[0],)
    if column == "sequence":
        return (min(places, key=lambda place: rank(names[place], column)),)
    if column == "ts" and len(places) == 2 and (joined := _date_and_time(names, places, sample)):
        return joined
    first = names[places[0]]
    key = first if list(names).count(first) == 1 else places[0] + 1
    raise InputInvalid(
        f"{path} has two columns for {column}: {first!r} and {names[places[1]]!r}; "
        f'say which is meant (--columns "{key}={column}"), or rename or drop one of them'
    )


def _date_and_time(names: Sequence[str], places: list[int], sample: Sequence[str]) -> tuple[int, ...] | None:
    """Two columns, one with dates and one with times of day, by their names and what stands in them."""
    by_name = {plain(names[place]): place for place in places}
    if set(by_name) != {"date", "time"} or max(places) >= len(sample):
        return None
    date, time = by_name["date"], by_name["time"]
    fits = _DATE_ALONE.fullmatch(sample[date].strip()) and _TIME_OF_DAY.fullmatch(sample[time].strip())
    return (date, time) if fits else None


def _drop_ids_of_letters(done: Assignment, names: Sequence[str], sample: Sequence[Sequence[str]]) -> None:
    """A trade's id that is no number is no sequence, and no row is lost over it."""
    places = done.parts.get("sequence", ())
    if len(places) != 1 or not may_be_text(names[places[0]]):
        return
    ids = [row[places[0]].strip() for row in sample if len(row) > places[0] and row[places[0]].strip()]
    if 2 * sum(_WHOLE.fullmatch(each) is None for each in ids) > len(ids):
        del done.parts["sequence"]
        done.ignored[_label(names, places[0])] = "is no whole number, which a sequence is"


def _read_from(done: Assignment, names: Sequence[str], column: str) -> str:
    return "+".join(_label(names, place) for place in done.parts[column])


def _label(names: Sequence[str], place: int) -> str:
    """How a column is called in reports: by its name, by its place where it has none of its own."""
    name = names[place][:_LABEL]
    if not name:
        return f"column {place + 1}"
    return name if list(names).count(names[place]) == 1 else f"{name} (column {place + 1})"
