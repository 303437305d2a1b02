"""Sources by name: those built in, and those that installed packages add.

A package adds a source by an entry point of the group ``backbone.sources``, whose name is the kind and whose object is
a callable that returns a `backbone.sources.port.Source`:

    [project.entry-points."backbone.sources"]
    mydata = "mypackage.sources:MySource"

It is given what the plan says, by the names of its parameters: ``dimension``, ``interval`` and those of a file
(``path``, ``zone``, ``columns``, …) have to be among them where the plan says them; the others (``symbols``, ``start``,
``end``, ``settings``, ``now``, ``chunk_rows``, …) are handed over only where it takes them.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from backbone.domain.arguments import shown
from backbone.sources.errors import SourceError
from backbone.sources.installed import entry_points

if TYPE_CHECKING:
    from backbone.sources.port import Source

__all__ = ["GROUP", "available_sources", "built_in", "load", "open_source", "reads_file"]

GROUP = "backbone.sources"
"""Entry-point group of sources in other packages."""

_FILES = {"csv": "backbone.sources.csv:CsvSource", "parquet": "backbone.sources.parquet:ParquetSource"}
_PROVIDERS = {
    "fred": "backbone.sources.fred.source:FredSource",
    "multi": "backbone.sources.multi:MultiSource",
    "yahoo": "backbone.sources.yahoo.source:YahooSource",
}
_BUILT_IN = {**_FILES, **_PROVIDERS}


def available_sources() -> tuple[str, ...]:
    """The kinds that can be opened, ascending."""
    return tuple(sorted({*_BUILT_IN, *(point.name for point in entry_points(group=GROUP))}))


def built_in(kind: str) -> bool:
    """Whether a kind is one of ours, not a plugin's."""
    return kind.strip().lower() in _BUILT_IN


def reads_file(kind: str) -> bool:
    """Whether a kind of ours reads a file; of a plugin's that is not known."""
    return kind.strip().lower() in _FILES


def load(kind: str) -> None:
    """Import what a kind is made of: the first time that takes from 50 to 200 ms, which is for a thread.

    Raises:
        SourceError: there is no such kind, or it can't be loaded.
    """
    _load(kind.strip().lower())


def open_source(kind: str, offered: Mapping[str, Any] | None = None, **options: Any) -> Source:
    """Make a source.

    Args:
        kind: one of `available_sources`, in any case.
        offered: what the source is given where it takes it.
        options: what the source has to take, such as ``path`` and ``dimension``; those that are None count as not
            given.

    Raises:
        SourceError: there is no such kind, it can't be loaded or made, or it does not take these options.
        ValueError: an option has a value that is not allowed.
    """
    name = kind.strip().lower()
    make = _load(name)
    if not callable(make):
        raise SourceError(f"source {name!r} is {shown(make)}; its package has to name what makes a source")
    takes = inspect.signature(make).parameters
    everything = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in takes.values())
    given = {option: value for option, value in (offered or {}).items() if everything or option in takes} | options
    given = {option: value for option, value in given.items() if value is not None}
    try:
        inspect.signature(make).bind(**given)
    except TypeError as error:
        raise SourceError(f"source {name!r}: {error}; it takes {', '.join(takes)}") from error
    outside: tuple[type[Exception], ...] = () if built_in(name) else (Exception,)
    try:
        return _named(name, make(**given))
    except ValueError:
        raise
    except outside as error:
        raise SourceError(f"source {name!r} can't be made: {type(error).__name__}: {error}") from error


def _named(name: str, source: Source) -> Source:
    if not isinstance(getattr(source, "name", None), str) or not callable(getattr(source, "chunks", None)):
        raise SourceError(f"source {name!r} made {shown(source)}; a source has a name and chunks")
    return source


def _load(name: str) -> Callable[..., Source]:
    if name in _BUILT_IN:
        module, _, attribute = _BUILT_IN[name].partition(":")
        return cast("Callable[..., Source]", getattr(import_module(module), attribute))
    points = [point for point in entry_points(group=GROUP) if point.name == name]
    if not points:
        known = available_sources()
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise SourceError(f"there is no source {name!r}; there are {', '.join(known)}{hint}")
    outside: tuple[type[Exception], ...] = (Exception,)  # a package may fall over anything
    try:
        return cast("Callable[..., Source]", points[0].load())
    except outside as error:
        raise SourceError(
            f"source {name!r} ({points[0].value}) can't be loaded: {type(error).__name__}: {error}; "
            "reinstall its package"
        ) from error
