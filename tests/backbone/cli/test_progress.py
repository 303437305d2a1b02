"""Progress, on a terminal and elsewhere."""

import io
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from actors import EventStream
from backbone.cli.progress import following
from backbone.messages import IngestProgress


def follow(monkeypatch: pytest.MonkeyPatch, seconds: Sequence[float], *, quiet: bool = False) -> None:
    """Follow a backbone that reports 1,000 rows more at each of these seconds."""
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    events = EventStream(lambda: pytest.fail("nobody waits"))
    backbone: Any = SimpleNamespace(system=SimpleNamespace(events=events))
    with following(backbone, "ingest", quiet=quiet, no_color=False):
        for place, now in enumerate(seconds, start=1):  # noqa: B007  the clock reads it
            events.publish(
                IngestProgress(
                    path="/x/ingest",
                    at=datetime(2024, 3, 1, tzinfo=UTC),
                    run_id="r",
                    rows_read=1000 * place,
                    rows_committed=1000 * place,
                    bytes_read=place,
                    bytes_total=len(seconds),
                )
            )


def test_a_quick_run_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    follow(monkeypatch, [0.1, 0.2])
    assert capsys.readouterr().err == "backbone: ingest: 2,000 rows read, 2,000 committed, 100% of the file\n"


def test_a_long_run_is_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    follow(monkeypatch, [1, 2.5, 3, 4, 5])
    said = [line.split(", ")[-1] for line in capsys.readouterr().err.splitlines()]
    assert said == ["40% of the file", "100% of the file"]


def test_quiet_says_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    follow(monkeypatch, [1, 5], quiet=True)
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(sys, "stderr", screen)
    follow(monkeypatch, [0.1, 0.2])
    assert "2,000 rows" in screen.getvalue()
    assert screen.getvalue().endswith("\x1b[2K")
