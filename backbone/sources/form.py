"""What a caller says about a file, where the file itself does not show it."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from typing import Final, Literal, get_args

import msgspec

from backbone.domain import arguments
from backbone.sources.text.written import format_pattern

__all__ = ["Decimal", "Form", "Stamps", "TimeUnit"]

TimeUnit = Literal["s", "ms", "us", "ns"]
Decimal = Literal[".", ","]
Stamps = Literal["start", "end"]


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a file beside its content. What is None is read off the file, or asked for.

    Attributes:
        columns: the file's columns to ours, by header or by position, counted from 1; two that make one are joined by
            a plus sign: ``"<DATE>+<TIME>"``, ``"1+2"``.
        time_format: of times, in the letters of `datetime.datetime.strptime`, such as "%d.%m.%Y %H:%M".
        time_unit: of times that are numbers since 1970.
        decimal: the decimal sign of numbers.
        encoding: of the text, such as "cp1252".
        stamps: whether the time of a bar is its start or its end.
        zone: IANA name of the zone of times without an offset.
    """

    columns: Mapping[str, str] = {}
    time_format: str | None = None
    time_unit: TimeUnit | None = None
    decimal: Decimal | None = None
    encoding: str | None = None
    stamps: Stamps | None = None
    zone: str | None = None

    def __post_init__(self) -> None:
        """Refuse what can't be meant.

        Raises:
            TypeError, ValueError: says what was given, what is allowed, what to do.
        """
        _check_columns(self.columns)
        for name, allowed in _CHOICES.items():
            _check_choice(name, getattr(self, name), allowed)
        _check_format(self.time_format)
        _check_encoding(self.encoding)


_CHOICES: Final = {"time_unit": get_args(TimeUnit), "decimal": get_args(Decimal), "stamps": get_args(Stamps)}
_NO_TEXTS: Final = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "utf-7"})
_SAMPLE: Final = "ts,close;\n0123456789.+-"


def _check_columns(given: object) -> None:
    if not isinstance(given, Mapping):
        raise TypeError(f"columns={arguments.shown(given)} given; allowed is a mapping from their names to ours")
    for name in (*given, *given.values()):
        arguments.text("columns", name)


def _check_choice(name: str, given: object, allowed: tuple[str, ...]) -> None:
    if given is not None and given not in allowed:
        listed = " or ".join(map(repr, allowed)) if len(allowed) < 3 else ", ".join(map(repr, allowed))
        raise ValueError(f"{name}={arguments.shown(given)} given; allowed is {listed}")


def _check_format(given: object) -> None:
    if given is None:
        return
    text = arguments.text("time_format", given)
    if "%" not in text:
        raise ValueError(f"time_format={text!r} given, which names no part of a time; allowed is such as '%d.%m.%Y'")
    try:
        format_pattern(text)
    except ValueError as error:
        raise ValueError(f"time_format={text!r} given, which can't be read: it {error}") from error


def _check_encoding(given: object) -> None:
    if given is None:
        return
    name = arguments.text("encoding", given)
    try:
        fits = codecs.lookup(name).name not in _NO_TEXTS and _SAMPLE.encode(name).decode(name) == _SAMPLE
    except (LookupError, UnicodeError, ValueError):
        fits = False
    if not fits:
        raise ValueError(
            f"encoding={name!r} given, which is none of texts; allowed is such as utf-8, utf-16, cp1252, latin-1"
        )
