"""Colours, files, texts and logs."""

import io
import json
import logging
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from actors.logs import logger
from backbone.cli.failures import UsageError
from backbone.cli.process.logs import configure
from backbone.cli.show.output import console, folder_for, page, replace_file, write
from backbone.cli.show.text import ago, one_line, seconds
from backbone.settings import load_settings


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def printed(stream: io.StringIO, **options: Any) -> str:
    console(stream, **options).print(Text("word", style="bold red"))
    return stream.getvalue()


def test_a_terminal_gets_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[" in printed(Terminal())


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_the_environment_can_refuse_colours(monkeypatch: pytest.MonkeyPatch, name: str, value: Any) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv(name, value)
    assert printed(Terminal()) == "word\n"


def test_the_option_refuses_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    assert printed(Terminal(), no_color=True) == "word\n"


def test_a_pipe_gets_no_colours() -> None:
    assert printed(io.StringIO()) == "word\n"


def test_text_from_elsewhere_is_not_read_as_markup() -> None:
    stream = io.StringIO()
    console(stream).print("[bold]x[/bold] :smile: [link=evil]")
    assert stream.getvalue() == "[bold]x[/bold] :smile: [link=evil]\n"


def test_a_file_is_replaced_at_once_and_nothing_else_is_left(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "report.json"
    replace_file(target, b"old")
    replace_file(target, b"new")
    assert target.read_bytes() == b"new"
    assert [path.name for path in target.parent.iterdir()] == ["report.json"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "report.json"
    replace_file(target, b"old")

    def refuse(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(UsageError, match="No space left on device"):
        replace_file(target, b"new")
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_a_link_in_the_place_of_the_partial_file_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    monkeypatch.setattr(secrets, "token_hex", lambda size: "guessed")
    (tmp_path / ".out.guessed.partial").symlink_to(victim)
    with pytest.raises(UsageError):
        replace_file(tmp_path / "out", b"theirs")
    assert victim.read_text() == "mine"


def piped(pipe: Path, work: Callable[[], object]) -> bytes:
    """What comes out of a named pipe while `work` writes to it."""
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        work()
        return os.read(reader, 1 << 16)
    finally:
        os.close(reader)


@pytest.mark.parametrize("linked", [False, True])
def test_an_output_that_is_no_file_is_written_to_and_never_replaced(tmp_path: Path, linked: bool) -> None:
    pipe = place = tmp_path / "pipe"
    os.mkfifo(pipe)
    if linked:
        place = tmp_path / "link"
        place.symlink_to(pipe)
    assert piped(pipe, lambda: write("a,b", place)) == b"a,b\n"
    assert piped(pipe, lambda: page(lambda console: console.print("a"), place, no_color=True)) == b"a\n"
    with pytest.raises(UsageError, match="it is no regular file"):
        replace_file(place, b"x")
    assert pipe.is_fifo()
    assert place.is_symlink() is linked


def test_a_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    assert list(folder_for(tmp_path / "a" / "b").iterdir()) == []


@given(st.text(max_size=80))
def test_one_line_is_one_line_and_steers_nothing(text: str) -> None:
    line = one_line(text)
    assert line.isprintable()
    assert line.splitlines() in ([], [line])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.417, "0.42 s"),
        (9.99, "9.99 s"),
        (12, "12 s"),
        (119, "119 s"),
        (180, "3 min"),
        (9000, "2 h"),
        (200_000, "2 d"),
    ],
)
def test_durations_are_read_at_a_glance(value: float, words: str) -> None:
    assert seconds(value) == words


@pytest.mark.parametrize(("value", "words"), [(0.2, "a moment"), (3.4, "3 s"), (40, "40 s"), (600, "10 min")])
def test_ages_are_whole(value: float, words: str) -> None:
    assert ago(value) == words


@pytest.mark.parametrize(
    ("options", "level"),
    [
        ({}, "WARNING"),
        ({"serves": True}, "INFO"),
        ({"verbose": 1}, "INFO"),
        ({"verbose": 2}, "DEBUG"),
        ({"quiet": True}, "ERROR"),
    ],
)
def test_how_much_is_logged(options: dict[str, Any], level: str) -> None:
    given_options = {"verbose": 0, "quiet": False, "serves": False} | options
    configure(load_settings(profile="embedded"), **given_options)
    assert logging.getLogger().level == getattr(logging, level)


def test_a_level_that_was_given_counts_for_every_command() -> None:
    configure(
        load_settings(profile="embedded", overrides={"logging.level": "debug"}), verbose=0, quiet=False, serves=False
    )
    assert logging.getLogger().level == logging.DEBUG


@pytest.mark.parametrize("how", ["console", "json"])
def test_log_lines_are_redacted_and_go_to_the_stderr_of_now(capsys: pytest.CaptureFixture[str], how: str) -> None:
    configure(
        load_settings(profile="embedded", overrides={"logging.format": how}), verbose=1, quiet=False, serves=False
    )
    logging.getLogger("somewhere").info("at %s", "postgres://u:hunter2@host/db")
    try:
        raise ValueError("password=hunter2")
    except ValueError:
        logging.getLogger("somewhere").exception("failed")
    err = capsys.readouterr().err
    assert "postgres://u:***@host/db" in err
    assert "hunter2" not in err
    if how == "json":
        assert [json.loads(line)["level"] for line in err.splitlines()] == ["info", "error"]


@pytest.mark.parametrize("how", ["console", "json"])
def test_fields_of_a_structured_line_are_fields_and_redacted(capsys: pytest.CaptureFixture[str], how: str) -> None:
    configure(
        load_settings(profile="embedded", overrides={"logging.format": how}), verbose=1, quiet=False, serves=False
    )
    line = logger().bind(path="/x/store", incarnation=3)
    line.info("store down", why="at postgres://u:hunter2@host/db", level=1, at=Path("x"), action="wait", empty=None)
    said = capsys.readouterr().err
    assert "hunter2" not in said
    if how == "json":
        found = json.loads(said)
        assert (found["message"], found["path"], found["incarnation"]) == ("store down", "/x/store", 3)
        assert (found["level"], found["field_level"], found["at"]) == ("info", 1, "x")
        assert (found["why"], found["action"]) == ("at postgres://u:***@host/db", "wait")
    else:
        assert said.endswith(
            "actors: store down /x/store incarnation=3 why='at postgres://u:***@host/db' level=1 at=x\n"
        )


def test_reports_are_for_their_owner(tmp_path: Path) -> None:
    replace_file(tmp_path / "x", b"")
    assert Path(tmp_path / "x").stat().st_mode & 0o007 == 0
