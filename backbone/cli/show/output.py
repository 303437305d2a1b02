"""Where output goes and how it looks: stdout or a file, in colour on a terminal, plain everywhere else."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import msgspec

from backbone.cli.failures import UsageError
from backbone.cli.process.streams import put
from backbone.domain.text import json_text
from backbone.files import deliver, fresh_file, replace

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["console", "folder_for", "page", "refusing", "replace_file", "show", "write", "write_data", "write_json"]

_PIPE_WIDTH = 100


def console(stream: TextIO | None = None, *, no_color: bool = False) -> Console:
    """A rich console without any guessing of markup: what is printed may come from anywhere.

    Args:
        stream: None: stdout.
        no_color: as the option says; NO_COLOR, TERM=dumb and anything that is no terminal do the same.
    """
    from backbone.cli.show.terminal import Terminal

    target = sys.stdout if stream is None else stream
    plain = no_color or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    width = None if target.isatty() or os.environ.get("COLUMNS", "").isdigit() else _PIPE_WIDTH
    return Terminal(
        file=target,
        color_system=None if plain or not target.isatty() else "auto",
        width=width,
        markup=False,
        emoji=False,
        highlight=False,
        soft_wrap=False,
    )


def page(draw: Callable[[Console], None], output: Path | None, *, no_color: bool) -> None:
    """Draw for a person: on a terminal, or as plain text without trailing blanks elsewhere."""
    if output is None and sys.stdout.isatty():
        draw(console(no_color=no_color))
        put("")
        return
    encoding = sys.stdout.encoding if output is None else None
    sheet = io.TextIOWrapper(io.BytesIO(), encoding=encoding or "utf-8", errors="backbone.ascii")
    draw(console(sheet, no_color=True))
    sheet.seek(0)
    text = "".join(f"{line.rstrip()}\n" for line in sheet.read().split("\n")[:-1])
    if output is None:
        put(text)
    else:
        _deliver(output, text.encode())


def write(text: str | bytes, output: Path | None) -> None:
    """Write data: to stdout, or into a file, at once or not at all."""
    data = text.encode() if isinstance(text, str) else text
    data = data if data.endswith(b"\n") else data + b"\n"
    if output is None:
        put(data)
    else:
        _deliver(output, data)


def write_data(data: bytes, output: Path | None) -> None:
    """Write what is no text, as it is: to stdout, or into a file, at once or not at all.

    Raises:
        UsageError: stdout is a terminal.
    """
    if output is not None:
        _deliver(output, data)
    elif sys.stdout.isatty():
        raise UsageError("this format is no text, and stdout is a terminal; give --output FILE, or a pipe")
    else:
        put(data)


def write_json(body: Mapping[str, Any], output: Path | None) -> None:
    """Write an object as JSON, its schema first; foreign text in it steers no terminal."""
    encoded = msgspec.json.encode({"schema": 1, **body}, enc_hook=str)
    write(json_text(msgspec.json.format(encoded, indent=2)), output)


def show(report: Any, draw: Callable[[Console], None], how: str, output: Path | None, *, no_color: bool) -> None:
    """A report in the format asked for."""
    if how == "human":
        page(draw, output, no_color=no_color)
    else:
        write(report.to_json() if how == "json" else report.to_markdown(), output)


def say_done(title: str, text: str, body: Mapping[str, Any], how: str, *, no_color: bool) -> None:
    """What was done, in a line, as JSON or as a page of Markdown."""
    if how == "json":
        write_json(body, None)
    elif how == "markdown":
        write(f"# {title}\n\n{text}", None)
    else:
        page(lambda console: console.print(text), None, no_color=no_color)


def _deliver(path: Path, data: bytes) -> None:
    with refusing(path):
        deliver(path, data)


def folder_for(path: Path) -> Path:
    """Make a folder and prove that files can be made in it, before any work is done for them.

    Raises:
        UsageError: it can't be written to.
    """
    with refusing(path):
        path.mkdir(parents=True, exist_ok=True)
        with fresh_file(path / "report"):
            pass
    return path


def replace_file(path: Path, data: bytes) -> None:
    """Write a report at once or not at all; see `backbone.files.replace`.

    Raises:
        UsageError: it can't be written there.
    """
    with refusing(path):
        replace(path, data)


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Tell what can't be written as a wrong place that was given.

    Raises:
        UsageError: it can't be written there.
    """
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"--output {path}: can't be written ({error.strerror or error}); give another place"
        ) from error
