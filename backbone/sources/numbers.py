"""Columns of numbers as providers give them: a list with gaps, in which some values may be none at all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import numpy.typing as npt

__all__ = ["doubles", "number"]


def doubles(values: Sequence[object]) -> tuple[npt.NDArray[np.float64], dict[int, str]]:
    """The values as doubles, NaN where there is none; by position, why one is no number.

    Text is read where it is a plain decimal number, as some providers write them.
    """
    if not any(isinstance(each, str) for each in values):  # numpy would read them, and "1e999" as infinite
        with suppress(OverflowError):
            return np.array([math.nan if each is None else each for each in values], dtype=np.float64), {}
    found = np.full(len(values), math.nan)
    wrong: dict[int, str] = {}
    for at, value in enumerate(values):
        try:
            found[at] = math.nan if value is None else number(value)
        except ValueError as error:
            wrong[at] = str(error)
    return found, wrong


def number(value: object) -> float:
    """A finite number.

    Raises:
        ValueError: it is none; says what was given.
    """
    text = str(value).strip()
    try:
        read = float(text) if text.isascii() and "_" not in text else math.nan
    except (ValueError, OverflowError):
        read = math.nan
    if isinstance(value, bool) or not math.isfinite(read):
        shown = text if len(text) <= 40 else f"{text[:40]}…"
        raise ValueError(f"{shown!r} is no number that can be stored")
    return read
