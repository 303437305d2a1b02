"""The options that commands share, and the settings that they choose."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from backbone.cli.failures import UsageError, note
from backbone.settings import Settings, load_settings, parse_overrides, read_env_file

__all__ = [
    "AS_SHOWN",
    "COMMON",
    "Common",
    "Folder",
    "Format",
    "Limit",
    "Output",
    "Symbols",
    "Written",
    "columns_of",
    "environment",
    "moment",
    "newest",
    "prepare",
    "settings_of",
    "span",
    "symbols_of",
]

Format = Annotated[Literal["human", "json", "markdown"], Parameter(name="--format")]
Output = Annotated[Path | None, Parameter(name="--output", validator=lambda _, path: _place(path))]
Folder = Annotated[Path | None, Parameter(name="--output")]
Limit = Parameter(name="--limit", converter=lambda _, tokens: _whole(tokens[0].value))
Symbols = Annotated[tuple[str, ...], Parameter(name=("--symbols", "--symbol"), negative="", show_default=False)]

_MOST_ROWS = 2**63 - 1  # what stores count with


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"--limit {text}: allowed is a whole number") from None


def _place(path: Path | None) -> None:
    """Refuse, before any work is done for it, a place where a file can't come to be."""
    if path is None:
        return
    if path.is_dir():
        raise UsageError(f"--output {path}: can't be written (it is a folder); give the name of a file in it")
    if not path.parent.is_dir():
        why = f"there is no folder {path.parent}"
        raise UsageError(f"--output {path}: can't be written ({why}); make it first, or give another place")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Common:
    """Which settings, and how much is said.

    Attributes:
        profile: the settings that travel with the package: embedded, dev or institutional.
        config: a YAML file with settings, instead of a profile.
        env_file: a file of NAME=value lines; what is set in the environment wins.
        set: one setting; may be repeated. Never a secret.
        verbose: log more; twice: everything.
        quiet: no progress, no notes, errors only.
        no_color: no colours; NO_COLOR=1 and a pipe do the same.
    """

    profile: Annotated[str | None, Parameter(name="--profile")] = None
    config: Annotated[Path | None, Parameter(name="--config")] = None
    env_file: Annotated[Path | None, Parameter(name="--env-file")] = None
    set: Annotated[tuple[str, ...], Parameter(name="--set", negative="", show_default=False)] = ()
    verbose: Annotated[int, Parameter(name=("--verbose", "-v"), count=True, negative="", show_default=False)] = 0
    quiet: Annotated[bool, Parameter(name=("--quiet", "-q"), negative="", show_default=False)] = False
    no_color: Annotated[bool, Parameter(name="--no-color", negative="", show_default=False)] = False


COMMON = Common()


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Written:
    """How a file is written, where it does not show it.

    Attributes:
        columns: what its columns are, by header or by position, counted from 1: "Gmt time=ts,Open=open" or "1=ts";
            two that make one are joined: "1+2=ts". May be repeated.
        time_format: of its times, such as "%d.%m.%Y %H:%M".
        time_unit: of times that are numbers since 1970.
        decimal: the decimal sign.
        encoding: of its text, such as cp1252.
        stamps: whether the time of a bar is its start or its end.
    """

    columns: Annotated[tuple[str, ...], Parameter(name="--columns", negative="", show_default=False)] = ()
    time_format: Annotated[str | None, Parameter(name="--time-format")] = None
    time_unit: Annotated[Literal["s", "ms", "us", "ns"] | None, Parameter(name="--time-unit")] = None
    decimal: Annotated[Literal[".", ","] | None, Parameter(name="--decimal")] = None
    encoding: Annotated[str | None, Parameter(name="--encoding")] = None
    stamps: Annotated[Literal["start", "end"] | None, Parameter(name="--stamps")] = None


AS_SHOWN = Written()


def environment(common: Common) -> Mapping[str, str]:
    """The process environment over the env file."""
    chosen = common.env_file or os.environ.get("BACKBONE_ENV_FILE")
    return {**read_env_file(chosen), **os.environ} if chosen else os.environ


def settings_of(common: Common) -> Settings:
    """The settings that the options and the environment choose.

    Raises:
        SettingsError: they can't be used.
    """
    return load_settings(
        common.config,
        profile=common.profile,
        env=environment(common),
        overrides=parse_overrides(common.set),
    )


def prepare(common: Common, *, serves: bool = False) -> Settings:
    """Load the settings, say what was passed over, and set logging up.

    Args:
        common: the options.
        serves: a long-running command logs as the settings say; others only warnings.
    """
    from backbone.cli.process.logs import configure

    settings = settings_of(common)
    if not common.quiet:
        _say_why(common, settings)
        for line in settings.ignored:
            note(f"not used: {line}")
    configure(settings, verbose=common.verbose, quiet=common.quiet, serves=serves)
    return settings


def _say_why(common: Common, settings: Settings) -> None:
    """A profile that nobody named surprises: say which variable led to it."""
    from backbone.settings.loading import indicator

    env = environment(common)
    named = common.profile or common.config or env.get("BACKBONE_PROFILE") or env.get("BACKBONE_CONFIG")
    sign = indicator(env)
    if sign and not named and settings.profile == "institutional":
        note(f"{sign} is set and no profile is named, so this is the institutional one; --profile embedded ignores it")


def symbols_of(given: tuple[str, ...]) -> tuple[str, ...]:
    """Symbols, given one by one or comma-separated.

    Raises:
        UsageError: none is named; a variable of a script may be empty, and all was not what it meant.
    """
    names = tuple(dict.fromkeys(part.strip() for text in given for part in text.split(",") if part.strip()))
    if given and not names:
        raise UsageError(f"--symbols {given[0]!r} names no symbol; leave it out for all")
    return names


def columns_of(given: tuple[str, ...]) -> dict[str, str]:
    """Columns, given as ``theirs=ours``, one by one or comma-separated; a comma in a header stays in it.

    Raises:
        UsageError: one of them says nothing, or two say different things of the same.
    """
    found: dict[str, str] = {}
    for text in given:
        held = ""
        if not text.strip():
            raise UsageError(f"--columns {text!r} names no column; leave it out")
        for piece in text.split(","):
            held = f"{held},{piece}" if held else piece
            theirs, equals, ours = held.rpartition("=")
            if not equals or not ours.strip().isidentifier():
                continue
            if found.setdefault(theirs.strip(), ours.strip()) != ours.strip() or not theirs.strip():
                raise UsageError(f"--columns {text}: {theirs.strip()!r} can't be {ours.strip()}; name each column once")
            held = ""
        if held.strip():
            raise UsageError(f'--columns {text}: allowed is such as "Gmt time=ts,Open=open", "1=ts" or "1+2=ts"')
    return found


def moment(name: str, text: str | None) -> datetime | None:
    """A moment given on the command line: ISO-8601 with a zone; a date alone is midnight UTC.

    Raises:
        UsageError: it is no moment.
    """
    if text is None:
        return None
    from backbone.domain.clock import parse_time

    try:
        return parse_time(text, "UTC" if len(text.strip()) == len("2018-12-31") else None)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from error


def span(start: str | None, end: str | None) -> tuple[datetime | None, datetime | None]:
    """Two moments given on the command line.

    Raises:
        UsageError: one is no moment, or they stand the wrong way round.
    """
    first, last = moment("--start", start), moment("--end", end)
    if first is not None and last is not None and first > last:
        raise UsageError(f"--start {start} is after --end {end}; exchange them")
    return first, last


def newest(limit: int, least: int, meaning: str) -> int:
    """A number of rows given on the command line.

    Raises:
        UsageError: it is none that can be counted.
    """
    if not least <= limit <= _MOST_ROWS:
        raise UsageError(f"--limit {limit}: allowed is {meaning}, at most {_MOST_ROWS}")
    return limit
