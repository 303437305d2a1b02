"""Values on the command line: JSON, dates and moments, else text."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from backbone.cli.failures import UsageError
from backbone.cli.values import value_of


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("-5", -5),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("true", True),
        ("null", None),
        ('"5"', "5"),
        ('["AIG", 5]', ["AIG", 5]),
        ("[]", []),
        ("IBM", "IBM"),
        ("", ""),
        ("EUR/USD", "EUR/USD"),
        ("000001", "000001"),
        ("NaN", "NaN"),
        ("True", "True"),
        ("{not json", "{not json"),
        ("2024-01-02", date(2024, 1, 2)),
        ('"2024-01-02"', "2024-01-02"),
        ("2024-01-02T12:00:00Z", datetime(2024, 1, 2, 12, tzinfo=UTC)),
        ("2024-01-02 12:00:00.25+02:00", datetime(2024, 1, 2, 10, 0, 0, 250_000, tzinfo=UTC)),
    ],
)
def test_a_value_is_what_a_program_would_give(text: str, value: Any) -> None:
    found = value_of(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1}', "an object can't be bound"),
        ("[" * 20_000, "lists too deep"),
        ("2024-02-30", "day is out of range"),
        ("2024-01-02T12:00:00", "has no time zone"),
        ("2024-01-02 25:00Z", "is not a time"),
    ],
)
def test_what_looks_like_a_value_and_is_none_is_refused_and_may_be_given_as_text(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        value_of(text)
    assert text[:20] in str(refused.value)
