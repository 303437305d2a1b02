"""Progress, on a terminal and elsewhere."""

import asyncio
import io
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from actors import EventStream
from backbone.cli.show.progress import following
from backbone.ingest.messages import IngestProgress


def follow(
    monkeypatch: pytest.MonkeyPatch,
    seconds: Sequence[float],
    *,
    quiet: bool = False,
    known: int = 0,
    ends: type[BaseException] | None = None,
) -> None:
    """Follow a backbone that reports 1,000 rows more at each of these seconds, some of them known, until it ends."""
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
                    rows_known=known,
                )
            )
        if ends is not None:
            raise ends


def test_a_quick_run_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    follow(monkeypatch, [0.1, 0.2])
    assert capsys.readouterr().err == "backbone: ingest: 2,000 rows read, 2,000 committed, 100% of the file\n"


@pytest.mark.parametrize(
    ("known", "words"),
    [(2000, "2,000 known"), (500, "1,500 committed, 500 known"), (0, "2,000 committed")],
)
def test_rows_that_were_there_are_known(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], known: int, words: str
) -> None:
    follow(monkeypatch, [0.1, 0.2], known=known)
    assert capsys.readouterr().err == f"backbone: ingest: 2,000 rows read, {words}, 100% of the file\n"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        ([0.1, 0.2], "at least 2,000 rows are in the store, 100% of the file; they stay, and the same command goes on"),
        ([], "stopped before its first rows were in; the same command begins anew"),
    ],
)
def test_an_interruption_says_what_is_in_and_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], seconds: list[float], words: str
) -> None:
    with pytest.raises(asyncio.CancelledError):
        follow(monkeypatch, seconds, ends=asyncio.CancelledError)
    assert words in capsys.readouterr().err.splitlines()[-1]
    with pytest.raises(asyncio.CancelledError):
        follow(monkeypatch, seconds, ends=asyncio.CancelledError, quiet=True)
    assert capsys.readouterr().err == ""


def test_a_long_run_is_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    follow(monkeypatch, [1, 2.5, 3, 4, 5])
    said = [line.split(", ")[-1] for line in capsys.readouterr().err.splitlines()]
    assert said == ["40% of the file", "100% of the file"]


def test_quiet_says_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    follow(monkeypatch, [1, 5], quiet=True)
    assert capsys.readouterr().err == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(sys, "stderr", screen)
    follow(monkeypatch, [0.1, 0.2])
    assert "2,000 rows" in screen.getvalue()
    assert screen.getvalue().endswith("\x1b[2K")


def test_a_terminal_that_can_not_move_its_cursor_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys, "stderr", screen)
    follow(monkeypatch, [0.1, 0.2])
    assert screen.getvalue() == "backbone: ingest: 2,000 rows read, 2,000 committed, 100% of the file\n"
