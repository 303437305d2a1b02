"""Numbers of texts: a whole column at once, or one by itself, with the same answers.

A price is read to the nearest double, as Python does. Beside plain numbers there are those with separators between
thousands, which are never the decimal sign, with a currency's sign, and volumes such as ``1.2K``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backbone.domain.arrays import array_of
from backbone.domain.values import nulls_of, numpy_of
from backbone.sources.casting import Mask
from backbone.sources.text.spelled import Untold

__all__ = ["MISSING", "NumberForm", "Numbers", "number", "numbers", "recognised", "whole", "wholes"]

MISSING: Final = frozenset(
    {
        "",
        "-",
        "--",
        "---",
        ".",
        "na",
        "n/a",
        "n.a.",
        "#n/a",
        "#n/a n/a",
        "<na>",
        "nan",
        "nat",
        "null",
        "none",
        "nil",
        "\\n",
    }
)
"""Words that stand for no number, in any case."""

_BLANKS: Final = "\u00a0\u2007\u2009\u202f '\u2019"
"""Thin spaces and the like, which nowhere are a decimal sign."""
_CURRENCIES: Final = "$€£¥₹"
_PLAIN: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_MANY: Final = {"k": "e3", "m": "e6", "b": "e9"}
_WHOLE: Final = r"^[+-]?\d{1,18}$"
_MOST: Final = 2**63
_DIGITS_ALIKE: Final = str.maketrans(dict.fromkeys("23456789", "1"))


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberForm:
    """How the numbers of a column are written.

    Attributes:
        decimal: the decimal sign; None: not looked at yet, and a comma before three digits leaves it open.
        missing: words for no number, in lower case.
        shortened: whether K, M and B behind a number stand for thousands, millions and billions, as in volumes.
    """

    decimal: Literal[".", ","] | None = None
    missing: frozenset[str] = MISSING
    shortened: bool = False


class Numbers(NamedTuple):
    """The numbers of a column, null where nothing stands, and which texts are none."""

    values: pa.Array
    failed: Mask


def number(text: str, form: NumberForm) -> float | None:
    """Read one text; None is a missing number.

    Raises:
        ValueError: it is no number, or not a finite one; the words follow the name of a column.
    """
    plain = text.strip()
    if plain.lower() in form.missing:
        return None
    cleaned = plain if form.decimal != "," and _PLAIN.fullmatch(plain) else _cleaned(plain, form)
    if cleaned is None:
        raise ValueError(f"is not a {'finite ' if _endless(plain) else ''}number: {text[:40]!r}")
    value = float(cleaned)
    if not math.isfinite(value):
        raise ValueError(f"is not a finite number: {text[:40]!r}")
    return value


def _endless(text: str) -> bool:
    return text.lower().lstrip("+-") in ("inf", "infinity", "nan")


def _cleaned(text: str, form: NumberForm) -> str | None:
    """The same number in Python's letters; None where it is none."""
    match = _written(form.decimal or ".").fullmatch(text)
    if match is None or not (match["whole"] or match["part"]):
        return None
    if match["many"] and (match["power"] or not form.shortened):
        return None
    if form.decimal is None and match["gap"] == "," and match["part"] is None and text.count(",") == 1:
        raise Untold(f"is not a number: {_open(text)}")
    if match["gap"] in ("'", "\u2019") and match["part"] is None and not form.shortened and len(match["whole"]) <= 7:
        raise ValueError(f"leaves open whether it has thousands or 32nds of a point: {text[:40]!r}; write plain digits")
    whole, part = re.sub(r"\D", "", match["whole"] or "0"), match["part"] or "0"
    power = match["power"] or _MANY.get((match["many"] or "").lower(), "")
    return f"{match['sign'] or ''}{whole}.{part}{power}"


def _open(text: str) -> str:
    return (
        f"{text[:40]!r} leaves open whether the comma is the decimal sign or stands between "
        "thousands; say --decimal . or --decimal ,"
    )


@lru_cache(maxsize=2)
def _written(decimal: str) -> re.Pattern[str]:
    """The pattern of numbers with this decimal sign; the same separator stands between all thousands."""
    gaps = re.escape(_BLANKS + ("," if decimal == "." else "."))
    return re.compile(
        rf"(?P<sign>[+-])?[{_CURRENCIES}]?(?P<whole>[1-9]\d{{0,2}}(?P<gap>[{gaps}])\d{{3}}(?:(?P=gap)\d{{3}})*|\d+)?"
        rf"(?:{re.escape(decimal)}(?P<part>\d*))?(?P<power>e[+-]?\d+)?(?P<many>[kmb])?[{_CURRENCIES}]?",
        re.IGNORECASE | re.ASCII,
    )


def whole(text: str, form: NumberForm) -> int | None:
    """Read one text as a whole number of 64 bits; None is a missing one.

    Raises:
        ValueError: it is none; the words follow the name of a column.
    """
    value = number(text, form)
    if value is None:
        return None
    plain = text.strip()
    exact = int(plain) if plain.lstrip("+-").isdecimal() else int(value)
    if not value.is_integer() or not -_MOST <= exact < _MOST:
        raise ValueError(f"is not a whole number of 64 bits: {text[:40]!r}")
    return exact


def numbers(texts: pa.Array, form: NumberForm) -> Numbers:
    """Read a column of strings as doubles; the same answers as `number` gives for each."""
    texts = _present(texts, form)
    plain = pc.match_substring_regex(texts, rf"^(?:{_PLAIN.pattern})$")
    if form.decimal == ",":
        plain = pc.and_(plain, pc.invert(pc.match_substring(texts, ".")))
    values = pc.if_else(plain, texts, pa.NA).cast(pa.float64())
    if form.decimal is not None and pc.any(pc.invert(plain)).as_py():
        values = pc.coalesce(values, _regular(pc.if_else(plain, pa.NA, texts), form))
    values, failed = _singly(texts, values, lambda text: number(text, form))
    infinite: Mask = numpy_of(pc.is_inf(values), False)
    return Numbers(values, failed | infinite)


def wholes(texts: pa.Array, form: NumberForm) -> Numbers:
    """Read a column of strings as whole numbers of 64 bits; the same answers as `whole` gives for each."""
    texts = _present(texts, form)
    plain = pc.match_substring_regex(texts, _WHOLE)
    digits = pc.replace_substring_regex(pc.if_else(plain, texts, pa.NA), r"^\+", "")
    return Numbers(*_singly(texts, digits.cast(pa.int64()), lambda text: whole(text, form)))


def _present(texts: pa.Array, form: NumberForm) -> pa.Array:
    """Without surrounding blanks, and null where a word says that there is none."""
    texts = pc.utf8_trim_whitespace(texts.cast(pa.string()))
    words = array_of(sorted(form.missing), pa.string())
    return pc.if_else(pc.is_in(pc.utf8_lower(texts), words), pa.NA, texts)


def _regular(texts: pa.Array, form: NumberForm) -> pa.Array:
    """The numbers that are written with separators or a decimal comma, as most are; null for the others."""
    gap, mark = (".", ",") if form.decimal == "," else (",", ".")
    many = "[kKmMbB]?" if form.shortened else ""
    pattern = rf"^[+-]?(?:[1-9]\d{{0,2}}(?:{re.escape(gap)}\d{{3}})+|\d+)(?:{re.escape(mark)}\d*)?{many}$"
    texts = pc.if_else(pc.match_substring_regex(texts, pattern), texts, pa.NA)
    texts = pc.replace_substring(pc.replace_substring(texts, gap, ""), mark, ".")
    for letter, power in _MANY.items() if form.shortened else ():
        texts = pc.replace_substring_regex(texts, f"(?i){letter}$", power)
    return texts.cast(pa.float64())


def _singly(texts: pa.Array, values: pa.Array, read: Callable[[str], float | None]) -> tuple[pa.Array, Mask]:
    """The values with those that are not read yet, each distinct text read once; and which are no numbers."""
    open_ = pc.and_(texts.is_valid(), values.is_null())
    failed: Mask = numpy_of(open_).copy()
    rows = np.flatnonzero(failed)
    if rows.size:
        coded = texts.filter(open_).dictionary_encode()
        found = array_of([_or_none(read, text) for text in coded.dictionary.to_pylist()], values.type)
        found = found.take(coded.indices)
        failed[rows] = nulls_of(found)
        values = pc.replace_with_mask(values, open_, found)
    return values, failed


def _or_none(read: Callable[[str], float | None], text: str) -> float | None:
    try:
        return read(text)
    except ValueError:
        return None


def _of_each_shape(texts: Iterable[str]) -> Iterable[str]:
    """The first text of each shape: no pattern tells digits apart but zero from the others."""
    first: dict[str, str] = {}
    for text in map(str.strip, texts):
        first.setdefault(text.translate(_DIGITS_ALIKE), text)
    return first.values()


def recognised(texts: Iterable[str], form: NumberForm) -> NumberForm:
    """The form of a file's numbers, made out by some of its texts: which sign is the decimal one.

    Raises:
        ValueError: they leave it open, and it has to be told.
    """
    if form.decimal is not None:
        return form
    point = comma = either = dotted = ""
    for text in _of_each_shape(texts):
        with_point, with_comma = (_written(decimal).fullmatch(text) for decimal in (".", ","))
        dotted = dotted or (text if with_point and "." in text else "")
        point = point or (text if with_point and not with_comma else "")
        comma = comma or (text if with_comma and not with_point else "")
        either = either or (text if with_comma and with_point and "," in text else "")
    if point and comma:
        raise ValueError(
            f"numbers such as {point[:40]!r} and {comma[:40]!r} do not go together; say which is the decimal sign "
            "(--decimal . or --decimal ,)"
        )
    if either and not point and not comma:
        raise ValueError(f"the number {_open(either)}")
    if not dotted and not comma:
        return form  # whole numbers show nothing
    return replace(form, decimal="," if comma else ".")
