"""Dialects: how vendors, venues and terminals lay out their files, as data.

One reader reads them all: a dialect only says how it is known and which of its columns is what. A package adds one by
an entry point of the group ``backbone.dialects``, whose object is a `Dialect` or several of them:

    [project.entry-points."backbone.dialects"]
    acme = "acme_files:ACME"
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from importlib.metadata import EntryPoint
from typing import Final, Literal

import msgspec

from backbone.domain import Dimension
from backbone.domain.arguments import shown
from backbone.sources.errors import SourceError
from backbone.sources.installed import entry_points

__all__ = ["GROUP", "SHAPES", "Dialect", "by_header", "by_shape", "dialects", "places_of", "plain"]

GROUP = "backbone.dialects"
"""Entry-point group of dialects in other packages."""

SHAPES: Final[Mapping[str, re.Pattern[str]]] = {
    "epoch ms or us": re.compile(r"\d{13}|\d{16}"),
    "yyyymmdd hhmmss": re.compile(r"\d{8} \d{6}"),
    "yyyymmdd hhmmssfff": re.compile(r"\d{8} \d{9}"),
    "yyyy.mm.dd": re.compile(r"\d{4}\.\d\d\.\d\d"),
    "yyyy.mm.dd hh:mm": re.compile(r"\d{4}\.\d\d\.\d\d \d\d:\d\d(:\d\d)?"),
    "hh:mm": re.compile(r"\d\d:\d\d"),
    "hh:mm:ss": re.compile(r"\d\d:\d\d:\d\d(\.\d+)?"),
    "number": re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"),
    "whole": re.compile(r"\d+"),
}
"""What the fields of a file without a header may look like, by the names that `Dialect.shapes` uses."""

_BARS: Final = (Dimension.DAILY_BARS, Dimension.INTRADAY_BARS)


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """How files of one origin are laid out. Names of columns are compared without case, blanks and signs.

    Attributes:
        name: in reports, such as "binance-klines".
        title: in words, such as "Binance, klines".
        dimensions: what its rows may be.
        header: names by which it is known: all of them have to be there. Empty: its files have no header.
        order: whether these names may stand in any order ("any"), have to be the first ones in this order ("first"), or
            have to be all there are, spelled exactly so ("exact").
        labels: with which further lines of its header begin, such as "Ticker".
        shapes: of files without a header: what each field looks like, by the names of `SHAPES`.
        columns: from its columns to ours; the first that is there wins. ``"A+B"`` joins two. A name that ends in ``*``
            stands for the first that begins so. In a file without a header, places counted from 1.
        ignored: columns that are left out, each with the reason.
        zone: of its times, where the name of the column says it.
        time_format: of its times, where they have only this one.
        day_first: whether digits between dots begin with the day.
        asks: options that have to be given since its files do not show it, each with what is known about it.
        refused: patterns of fields that no reader could take for what they are, by column of the file, with the reason.
    """

    name: str
    title: str
    dimensions: tuple[Dimension, ...] = _BARS
    header: tuple[str, ...] = ()
    order: Literal["any", "first", "exact"] = "any"
    labels: tuple[str, ...] = ()
    shapes: tuple[str, ...] = ()
    columns: Mapping[str, str] = {}
    ignored: Mapping[str, str] = {}
    zone: str | None = None
    time_format: str | None = None
    day_first: bool = False
    asks: Mapping[str, str] = {}
    refused: Mapping[str, tuple[str, str]] = {}

    def fits_header(self, names: Sequence[str], labels: Sequence[str] = ()) -> bool:
        """Whether a header line with these names, and these labels of further header lines, is one of its files."""
        if not self.header or not {plain(each) for each in self.labels} <= {plain(each) for each in labels}:
            return False
        if self.order == "exact":
            return tuple(names) == self.header
        if self.order == "first":
            return len(self.header) <= len(names) and all(map(_stands_for, self.header, names))
        whole, begun = _wanted(self.header)
        found = {plain(name) for name in names}
        return whole <= found and all(any(name.startswith(begin) for name in found) for begin in begun)

    def fits_shape(self, fields: Sequence[str]) -> bool:
        """Whether a line with these fields is one of its files without a header."""
        return len(fields) == len(self.shapes) and all(
            SHAPES[shape].fullmatch(text.strip()) for shape, text in zip(self.shapes, fields, strict=True)
        )


@lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """A name as it is compared: lower case, letters and digits only. ``<Adj. Close>`` becomes ``adjclose``."""
    return re.sub(r"[\W_]", "", name.casefold())


@lru_cache(maxsize=1024)
def _wanted(header: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Of the names of a header those that have to be there, plain, and those with which one has to begin."""
    whole = frozenset(plain(name) for name in header if not name.endswith("*"))
    return whole, tuple(plain(name) for name in header if name.endswith("*"))


def _stands_for(pattern: str, name: str) -> bool:
    """Whether a column of a file is what a dialect calls so."""
    if pattern.endswith("*"):
        return plain(name).startswith(plain(pattern))
    return plain(name) == plain(pattern)


def places_of(pattern: str, names: Sequence[str], taken: Iterable[int] = ()) -> tuple[int, ...] | None:
    """The places of the columns that make up one of a dialect's, joined by a plus sign; None: they are not all there.

    Args:
        pattern: such as "Volume *" or "<DATE>+<TIME>".
        names: of the file.
        taken: places that are something else already.
    """
    used, places = set(taken), []
    for part in pattern.split("+"):
        place = next((n for n, name in enumerate(names) if n not in used and _stands_for(part.strip(), name)), None)
        if place is None:
            return None
        used.add(place)
        places.append(place)
    return tuple(places)


def by_header(
    names: Sequence[str],
    dimension: Dimension | None,
    labels: Sequence[str] = (),
    among: Sequence[Dialect] | None = None,
) -> Dialect | None:
    """The dialect of a header line: of those that fit the one that asks for most names, an added one before ours.

    Args:
        names: of the columns.
        dimension: what the rows are; None: any.
        labels: of further header lines, such as "Ticker".
        among: the dialects that are known; looked up where they are not given, which takes some milliseconds.
    """
    fitting = [each for each in _of(dimension, among) if each.fits_header(names, labels)]
    return max(fitting, key=lambda each: len(each.header) + len(each.labels), default=None)


def by_shape(
    rows: Sequence[Sequence[str]], dimension: Dimension, among: Sequence[Dialect] | None = None
) -> Dialect | None:
    """The dialect of lines without a header, where exactly one fits the first of them, and most of the others."""
    fitting = [each for each in _of(dimension, among) if each.shapes and rows and each.fits_shape(rows[0])]
    fitting = [each for each in fitting if 2 * sum(map(each.fits_shape, rows)) > len(rows)]
    return fitting[0] if len(fitting) == 1 else None


def _of(dimension: Dimension | None, among: Sequence[Dialect] | None) -> Iterator[Dialect]:
    known = dialects() if among is None else among
    return (each for each in known if dimension is None or dimension in each.dimensions)


def dialects() -> tuple[Dialect, ...]:
    """All that are known: those that packages add, by the name of their entry point, then ours.

    Raises:
        SourceError: one that a package adds can't be loaded or is none.
    """
    from backbone.sources.text.vendors import BUILT_IN

    points = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    return (*(each for point in points for each in _loaded(point)), *BUILT_IN)


@cache
def _loaded(point: EntryPoint) -> tuple[Dialect, ...]:
    outside: tuple[type[Exception], ...] = (Exception,)  # a package may fall over anything
    try:
        given = point.load()
    except outside as error:
        raise SourceError(
            f"dialect {point.name!r} ({point.value}) can't be loaded: {type(error).__name__}: {error}; "
            "reinstall its package"
        ) from error
    found = given if isinstance(given, tuple | list) else (given,)
    for each in found:
        if not isinstance(each, Dialect):
            raise SourceError(f"dialect {point.name!r} is {shown(each)}; its package has to name a Dialect, or several")
    return tuple(found)
