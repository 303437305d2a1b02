"""How moments are written: patterns, whose groups say what each digit of a text means.

No pattern looks at which digit stands where, only that there is one. So texts that have their digits in the same places
are read alike, and a whole column is read by looking at one text of each shape; see `backbone.sources.text.times`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal, NamedTuple

__all__ = [
    "EPOCH_DIGITS",
    "FINER_DIGITS",
    "MONTHS",
    "Looks",
    "clock_of",
    "digits_of_epoch",
    "find",
    "format_pattern",
    "is_epoch",
    "shape_of",
    "why_not",
]

MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_FLAGS: Final = re.IGNORECASE | re.ASCII
_NAMES: Final = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    "|nov(?:ember)?|dec(?:ember)?"
)
_NAME: Final = rf"(?P<name>{_NAMES})"
_WEEKDAY: Final = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?"
_YEAR, _DAY = r"(?P<year>\d{4})", r"(?P<day>\d{1,2})"
_SHORT_DATE: Final = r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)"
_DATES: Final = (
    rf"{_YEAR}(?P<gap>[-./])(?P<month>\d{{1,2}})(?P=gap){_DAY}",
    _SHORT_DATE,
    rf"(?:{_WEEKDAY}\.?,?\s+)?{_DAY}[-\s/.]+{_NAME}[-\s/.,]+{_YEAR}",
    rf"(?:{_WEEKDAY}\.?,?\s+)?{_NAME}[-\s.]+{_DAY}(?:st|nd|rd|th)?[-\s,]+{_YEAR}",
    rf"{_YEAR}[-\s/]{_NAME}[-\s/]{_DAY}",
)
_DAY_FIRST: Final = rf"{_DAY}\.(?P<month>\d{{1,2}})\.{_YEAR}"
_CLOCK: Final = r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,:](?P<fraction>\d{1,18}))?)?"
_FULL_CLOCK: Final = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,18}))?"
_FOUR_DIGITS: Final = r"(?P<four>(?P<hour>\d\d)(?P<minute>\d\d))"
_SIX_DIGITS: Final = r"(?P<six>(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d))(?:[., ]?(?P<fraction>\d{1,9}))?"
_HALF: Final = r"(?P<half>[ap])\.?m\.?"
_BETWEEN: Final = r"(?:t|,?\s*;\s*|,\s*|\s+)"
_ZONE: Final = (
    r"(?:\s*(?P<zulu>z|utc|gmt)|\s*(?:utc|gmt)?\s*"
    r"(?P<sign>[+-])(?P<off_hour>\d\d?)(?::?(?P<off_minute>\d\d)(?::?(?P<off_second>\d\d))?)?)"
)
_ZONE_AND_REMARK: Final = rf"(?:{_ZONE}(?:\s*\[[\w/+-]+\]|\s*\([\w\s/+-]+\))?)?"
_TIMES: Final = (
    rf"{_BETWEEN}{_CLOCK}(?:\s*{_HALF})?{_ZONE_AND_REMARK}",
    rf"{_BETWEEN}{_SIX_DIGITS}{_ZONE}?",
    rf"{_BETWEEN}{_FOUR_DIGITS}{_ZONE}?",
    rf"t(?P<hour>\d\d){_ZONE}?",
    rf"\s+(?P<hour>\d\d?)[\s-]*{_HALF}{_ZONE}?",
    r"\s*(?P<zulu>z|utc|gmt)",
    "",
)

_EPOCH: Final = re.compile(r"(?P<minus>[+-])?(?P<whole>\d+)(?:\.(?P<part>\d*))?", _FLAGS)

_OPEN_ORDER: Final = re.compile(r"\d{1,2}([-./ ])\d{1,2}\1(\d{4}|\d{2})(\D.*)?", _FLAGS)
_LOST_ZEROS: Final = re.compile(r"\d{4}[-./]?\d\d[-./]?\d\d[ ;T](\d{1,3}|\d{5})", _FLAGS)
_SHORT_YEAR: Final = re.compile(rf"\d{{1,2}}[-\s/.]*(?:{_NAMES})[-\s/.,]*\d\d(\D.*)?", _FLAGS)
_ZONE_NAME: Final = re.compile(r".*\d ?[\[(]?(?:(?!am|pm)[a-z]{2,4}|[a-z_]+(?:/[a-z_]+)+)[\])]?", _FLAGS)
_SCIENTIFIC: Final = re.compile(r"[+-]?\d+(\.\d*)?e[+-]?\d+", _FLAGS)
_DATE_DIGITS: Final = 8
_LONGEST: Final = 64
_DIGITS_ALIKE: Final = str.maketrans(dict.fromkeys("123456789", "0"))
EPOCH_DIGITS: Final = range(9, 21)
"""How many digits a number since 1970 has."""
FINER_DIGITS: Final = range(12, 21)
"""How many it has where it is finer than seconds."""


@lru_cache(maxsize=2)
def _known(day_first: bool) -> tuple[re.Pattern[str], ...]:
    dates = (*_DATES, _DAY_FIRST) if day_first else _DATES
    texts = [date + time for date in dates for time in _TIMES]
    texts.append(f"{_SHORT_DATE}-{_FULL_CLOCK}{_ZONE}?")
    return tuple(re.compile(text, _FLAGS) for text in texts)


_DIRECTIVES: Final = {
    "Y": _YEAR,
    "y": r"(?P<short>\d\d)",
    "m": r"(?P<month>\d{1,2})",
    "b": _NAME,
    "B": _NAME,
    "d": _DAY,
    "H": r"(?P<hour>\d{1,2})",
    "I": r"(?P<hour>\d{1,2})",
    "M": r"(?P<minute>\d{1,2})",
    "S": r"(?P<second>\d{1,2})",
    "f": r"(?P<fraction>\d{1,18})",
    "p": _HALF,
    "z": _ZONE,
    "Z": r"(?P<zulu>z|utc|gmt)",
    "a": _WEEKDAY,
    "A": _WEEKDAY,
    "%": "%",
}
_COMPOUND: Final = {"%F": "%Y-%m-%d", "%T": "%H:%M:%S", "%R": "%H:%M", "%D": "%m/%d/%y"}
_TOKEN: Final = re.compile(r"%(.)|(\s+)|([^%\s]+)", re.DOTALL)
_NUMERIC: Final = frozenset("YymdHIMSf")


@lru_cache(maxsize=64)
def format_pattern(given: str) -> re.Pattern[str]:
    """The pattern of a time format.

    Two directives of digits that touch have two digits each, as in ``%Y%m%d``: fewer would leave open whose they are.

    Args:
        given: in the letters of `datetime.datetime.strptime`, such as ``%d.%m.%Y %H:%M``.

    Raises:
        ValueError: it says no full date, or has what is not known; the words follow the format.
    """
    text = given.strip()
    for short, long in _COMPOUND.items():
        text = text.replace(short, long)
    tokens = list(_TOKEN.finditer(text))
    written = {token[1] for token in tokens if token[1]}
    if written - _DIRECTIVES.keys() or "".join(token[0] for token in tokens) != text:
        allowed = " ".join(f"%{letter}" for letter in _DIRECTIVES)
        raise ValueError(f"has what is not known; allowed are {allowed}")
    if not (written & set("Yy") and written & set("mbB") and "d" in written) or ("I" in written) != ("p" in written):
        raise ValueError(
            "names no whole moment; year, month and day are needed (%Y %m %d), and %p beside hours up to 12 (%I)"
        )
    try:
        return re.compile("".join(_pattern_of(tokens, n) for n in range(len(tokens))), _FLAGS)
    except re.error as error:
        raise ValueError("says a part of the moment twice; once is enough") from error


def _pattern_of(tokens: list[re.Match[str]], n: int) -> str:
    letter, blank, literal = tokens[n].groups()
    if blank:
        return r"\s+"
    if literal:
        return re.escape(literal)
    pattern = _DIRECTIVES[letter]
    beside = [tokens[place][1] for place in (n - 1, n + 1) if 0 <= place < len(tokens)]
    touches = letter in _NUMERIC and any(other in _NUMERIC for other in beside if other)
    return pattern.replace(r"\d{1,2}", r"\d\d") if touches else pattern


class Looks(NamedTuple):
    """What is known of how the times of a column look.

    Attributes:
        format: the only one that is allowed.
        unit: of numbers since 1970, which are then the only ones that are allowed.
        day_first: whether the day is the first number where all three are digits between dots.
        epochs: whether the others of the column are numbers since 1970; None: each stands by itself.
        clock: how many digits a time of day without colons has in the column; None: each stands by itself.
        finer: whether the numbers of the column are finer than seconds, so that few digits are no seconds.
    """

    format: str | None = None
    unit: str | None = None
    day_first: bool = False
    epochs: bool | None = None
    clock: Literal["four", "six"] | None = None
    finer: bool = False


def find(text: str, looks: Looks) -> re.Match[str] | None:
    """What the parts of a text without surrounding blanks mean, or None where it is no moment."""
    if len(text) > _LONGEST:
        return None
    if looks.format is not None:
        return format_pattern(looks.format).fullmatch(text)
    number = _EPOCH.fullmatch(text)
    if looks.unit is not None:
        return number
    if number is not None and not _is_date(text):
        known = FINER_DIGITS if looks.finer else EPOCH_DIGITS
        return number if looks.epochs is not False and digits_of_epoch(number["whole"]) in known else None
    if looks.epochs:
        return None
    pattern = _pattern_for(shape_of(text), looks.day_first)
    match = None if pattern is None else pattern.fullmatch(text)
    return match if match is None or looks.clock in (None, clock_of(match) or looks.clock) else None


def shape_of(text: str) -> str:
    """A text with zeros for its digits: no pattern tells them apart."""
    return text.translate(_DIGITS_ALIKE)


@lru_cache(maxsize=1024)
def _pattern_for(shape: str, day_first: bool) -> re.Pattern[str] | None:
    """The first pattern that fits a text with its digits in these places, whichever they are."""
    return next((pattern for pattern in _known(day_first) if pattern.fullmatch(shape)), None)


def clock_of(match: re.Match[str]) -> Literal["four", "six"] | None:
    """How many digits the time of day has, where there are no colons in it."""
    groups = match.groupdict()
    if groups.get("four"):
        return "four"
    return "six" if groups.get("six") else None


def _known_clock(text: str, looks: Looks) -> bool:
    return find(text, looks._replace(clock=None)) is not None


def digits_of_epoch(whole: str) -> int:
    """How many digits a number has, by which its unit is told."""
    return len(whole.lstrip("0"))


def is_epoch(text: str) -> bool:
    """Whether a text without surrounding blanks is a number since 1970, not a date of eight digits."""
    return _EPOCH.fullmatch(text) is not None and not _is_date(text)


def _is_date(text: str) -> bool:
    return len(text) == _DATE_DIGITS and text.isdecimal()


def why_not(text: str, looks: Looks) -> tuple[str, bool]:
    """What is wrong with a text that `find` does not understand.

    Returns:
        Words that follow the text, and whether the caller could help by telling more.
    """
    number = _EPOCH.fullmatch(text)
    if looks.format is not None:
        return f"is not a time written as {looks.format!r} (--time-format)", True
    if _SCIENTIFIC.fullmatch(text):
        return "is not a time: it is in scientific notation, which leaves digits out; give the whole number", True
    if looks.unit is not None:
        return f"is not a number of {looks.unit} since 1970 (--time-unit)", True
    if number is not None and looks.epochs is False:
        return "is not a time as the others of its column, which are dates, not numbers since 1970 (epochs)", False
    digits = 0 if number is None else digits_of_epoch(number["whole"])
    if looks.finer and digits in EPOCH_DIGITS and digits not in FINER_DIGITS:
        return (
            "is not a time as the others of its column, which are finer than seconds since 1970: it has too few "
            "digits; say what it counts (--time-unit ms)"
        ), False
    if number is not None and is_epoch(text):
        return (
            f"is not a time: a number since 1970 (an epoch) has 9 to 20 digits, it has {digits}; say what it counts "
            "(--time-unit s, ms, us or ns), or how it is written (--time-format)"
        ), True
    if looks.epochs:
        return "is not a time as the others of its column, which are numbers since 1970 (epochs)", False
    if _OPEN_ORDER.fullmatch(text):
        return (
            "is not a time: it leaves open which is the day and which the month; say how it is written "
            "(--time-format %d/%m/%Y or %m/%d/%Y)"
        ), True
    if _SHORT_YEAR.fullmatch(text):
        return (
            "is not a time: it leaves open which is the day and which the year; say how it is written "
            "(--time-format %d-%b-%y)"
        ), True
    if _LOST_ZEROS.fullmatch(text):
        return (
            "is not a time: a time of day without colons has four digits or six, with the zeros before it; put them "
            "back, or say how it is written (--time-format)"
        ), True
    if looks.clock is not None and _known_clock(text, looks):
        return "is not a time as the others of its column, whose times of day have another number of digits", False
    if _ZONE_NAME.fullmatch(text):
        return (
            "is not a time: letters such as EST name different zones; say them in --time-format, and the zone by --zone"
        ), True
    return "is not a time; give ISO-8601, such as 2024-03-01T14:30:00Z, or say how it is written (--time-format)", False
