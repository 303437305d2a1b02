from __future__ import annotations

import pytest

from backbone.domain import Status

OK, DEGRADED, FAILED, OFF, UNKNOWN = Status


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("ok", "OK", " healthy ", "pass"), OK),
        (("degraded", "warn", "Warning"), DEGRADED),
        (("failed", "fail", "ERROR", "critical"), FAILED),
        (("off",), OFF),
        (("unknown",), UNKNOWN),
        ((DEGRADED,), DEGRADED),
    ],
)
def test_a_status_is_read_from_its_word_or_an_alias(words: tuple[str, ...], expected: Status) -> None:
    assert {Status.parse(word) for word in words} == {expected}


@pytest.mark.parametrize("word", ["", "fine", None, 1])
def test_an_unknown_word_is_refused_with_what_is_allowed(word: object) -> None:
    with pytest.raises(ValueError, match="use one of: ok, degraded, failed, off, unknown"):
        Status.parse(word)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("statuses", "required", "expected"),
    [
        ([], False, UNKNOWN),
        ([], True, UNKNOWN),
        ([OK, OK], False, OK),
        ([OK, DEGRADED, OK], False, DEGRADED),
        ([DEGRADED, FAILED, OK], False, FAILED),
        ([OFF], False, OK),
        ([OFF, OK], False, OK),
        ([OFF, OK], True, FAILED),
        ([UNKNOWN], False, DEGRADED),
        ([UNKNOWN, OK], True, DEGRADED),
        ([UNKNOWN, FAILED], False, FAILED),
    ],
)
def test_the_worst_status_wins(statuses: list[Status], required: bool, expected: Status) -> None:
    assert Status.worst(iter(statuses), required=required) is expected


def test_severity_orders_ok_before_degraded_before_failed() -> None:
    assert OK.severity < DEGRADED.severity < FAILED.severity
    assert (OFF.severity, UNKNOWN.severity) == (OK.severity, DEGRADED.severity)
