"""Reading booleans and numbers from text: the one parser of each, for YAML, the environment and the command line."""

from __future__ import annotations

import math

__all__ = ["NOTHING", "TRUTH", "parse_bool", "parse_float", "parse_int"]

TRUTH = {
    **dict.fromkeys(("true", "1", "yes", "y", "on"), True),
    **dict.fromkeys(("false", "0", "no", "n", "off"), False),
}
NOTHING = frozenset({"none", "null", "off", "disable", "disabled"})
"""Words that mean "no limit" or "not set" where a value is optional."""


def parse_bool(text: str) -> bool:
    """Read a truth value, whatever the case and the blanks around it.

    Raises:
        ValueError: the text is none of the words for true or false.
    """
    value = TRUTH.get(text.strip().lower())
    if value is None:
        raise ValueError(f"{text!r} given; allowed are {', '.join(TRUTH)}")
    return value


def parse_int(text: str) -> int:
    """Read a whole number in decimal digits; underscores may group them.

    Raises:
        ValueError: the text is no whole number.
    """
    try:
        return int(text.strip())
    except ValueError as error:
        raise ValueError(f"{text!r} given; allowed is a whole number") from error


def parse_float(text: str) -> float:
    """Read a finite number.

    Raises:
        ValueError: the text is no number, or infinite, or NaN.
    """
    try:
        value = float(text.strip())
    except ValueError as error:
        raise ValueError(f"{text!r} given; allowed is a number") from error
    if not math.isfinite(value):
        raise ValueError(f"{text!r} given; allowed is a finite number")
    return value
