"""What a client of a server says of an outage, many times a second, is said once a minute."""

from __future__ import annotations

import logging

from backbone.cli.process.repeats import Repeats


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def said(repeats: Repeats, name: str, text: str, *given: object) -> str | None:
    record = logging.LogRecord(name, logging.ERROR, "", 0, text, given, None)
    return record.getMessage() if repeats.filter(record) else None


def test_a_line_of_a_client_is_said_once_a_minute_and_then_with_how_many_there_were() -> None:
    clock = Clock()
    repeats = Repeats(clock)
    lines = []
    for tenth in range(1201):
        clock.now = tenth / 10
        lines.append(said(repeats, "aiokafka.cluster", "Topic %s not found", f"t{tenth % 7}"))
    assert [(at, line) for at, line in enumerate(lines) if line] == [
        (0, "Topic t0 not found"),
        (600, f"Topic t{600 % 7} not found (and 599 lines like it since the last)"),
        (1200, f"Topic t{1200 % 7} not found (and 599 lines like it since the last)"),
    ]


def test_other_lines_of_the_client_and_all_lines_of_others_are_said() -> None:
    repeats = Repeats(Clock())
    lines = [said(repeats, name, text) for name in ("aiokafka", "aiokafka.x", "backbone", "host") for text in "aab"]
    assert lines == ["a", None, "b", "a", None, "b", "a", "a", "b", "a", "a", "b"]


def test_however_many_different_lines_there_are_few_are_kept() -> None:
    repeats = Repeats(Clock())
    assert all(said(repeats, "aiokafka", f"line {number}") for number in range(5000))
    assert said(repeats, "aiokafka", "line 4999") is None
