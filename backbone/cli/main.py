"""The console script: finds the command, loads only what it needs, and turns every failure into a line and a code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from backbone.cli.exits import DONE, FAILED, INTERRUPTED, PIPE
from backbone.cli.failures import Stopped, UsageError, failed, say
from backbone.cli.order import path_of, reordered
from backbone.cli.process.leaving import leave
from backbone.cli.process.streams import Unwritten, abandon, put, ready
from backbone.cli.show.help import TOPICS, exit_codes, first_page
from backbone.cli.table import COMMANDS, NOT_BUILT, Command, names

if TYPE_CHECKING:
    from cyclopts import App

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line.

    Args:
        argv: the words after `backbone`; None: those of the process, which ends with it.

    Returns:
        The exit code; `backbone help exit-codes` lists them.
    """
    ready()
    code = _done(list(sys.argv[1:] if argv is None else argv))
    return leave(code) if argv is None else code


def _done(words: list[str]) -> int:
    """Run a command line to its exit code, whatever becomes of it."""
    try:
        _refuse_what_is_no_text(words)
        words = reordered(words)
        code = _dispatch(words)
        put("")
    except Stopped as stopped:
        return stopped.code
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        abandon()
        return PIPE
    except Unwritten as lost:
        abandon()
        say(f"error: the answer of backbone {' '.join(path_of(words))} can't be written to stdout: {lost}")
        return FAILED
    except Exception as error:  # noqa: BLE001  the last place: whatever it is becomes one line and a code
        return failed(error)
    return code


def _refuse_what_is_no_text(words: Sequence[str]) -> None:
    """Bytes that are no UTF-8 come as lone surrogates, which no store and no report can hold."""
    for word in words:
        if any("\ud800" <= char <= "\udfff" for char in word):
            raise UsageError(f"{word!r} is no UTF-8 text; give names that are, and rename files that have others")


def _dispatch(words: list[str]) -> int:
    first = words[0] if words else "--help"
    if first in {"-h", "--help"}:
        return _print(first_page())
    if first in {"-V", "--version"}:
        from backbone.domain.report import package_version

        return _print(f"backbone {package_version()}")
    if first == "help":
        return _help(words[1:])
    if first in names():
        return _run(first, words)
    _refuse_unbuilt(first)
    if first.startswith("-"):
        raise UsageError("options given without a command; backbone --help lists the commands")
    raise UsageError(f"unknown command {first!r}; there are {', '.join((*names(), 'help'))}{_near(first, names())}")


def _refuse_unbuilt(word: str) -> None:
    if word in NOT_BUILT:
        raise UsageError(f"{word} is not built yet; {NOT_BUILT[word]}")


def _print(text: str) -> int:
    put(f"{text}\n")
    return DONE


def _help(words: list[str]) -> int:
    if not words:
        return _print(first_page())
    if words[0] == "exit-codes":
        return _print(exit_codes())
    if words[0] in names():
        return _run(words[0], [*words, "--help"])
    _refuse_unbuilt(words[0])
    allowed = (*TOPICS, *names())
    raise UsageError(f"no help on {words[0]!r}; there is {', '.join(allowed)}{_near(words[0], allowed)}")


def _near(word: str, allowed: Sequence[str]) -> str:
    from backbone.settings.errors import suggestion

    return suggestion(word, allowed)


def _run(first: str, words: list[str]) -> int:
    """Let cyclopts read the words and call the command."""
    from cyclopts import CycloptsError

    _refuse_unknown_below(words)
    app = _app([command for command in COMMANDS if command.words[0] == first])
    call = partial(app, words, exit_on_error=False, print_error=False, result_action="return_value")
    try:
        code = _explained(call) if {"-h", "--help"} & {*words} else call()
    except CycloptsError as error:
        raise UsageError(f"{_problem(error)}; see backbone {' '.join(path_of(words))} --help") from error
    return code if isinstance(code, int) else DONE


def _explained(call: Callable[..., Any]) -> int:
    """A page of help, as any other page."""
    from backbone.cli.show.output import page

    page(lambda console: call(console=console), None, no_color=False)
    return DONE


def _refuse_unknown_below(words: list[str]) -> None:
    below = [command.words[1] for command in COMMANDS if command.words[0] == words[0] and len(command.words) > 1]
    if below and len(words) > 1 and not words[1].startswith("-") and words[1] not in below:
        allowed = ", ".join(f"{words[0]} {word}" for word in below)
        raise UsageError(f"unknown command '{words[0]} {words[1]}'; there are {allowed}{_near(words[1], below)}")


def _problem(error: Exception) -> str:
    from cyclopts import MissingArgumentError

    if isinstance(error, MissingArgumentError) and error.argument is not None:
        name = error.argument.name
        return f"{name} given without a value" if error.argument.index is None else f"{name[2:].upper()} is missing"
    unused = getattr(error, "unused_tokens", None)
    option = next((token for token in unused or () if token.startswith("-")), None)
    if option is not None:
        known = [name for each in getattr(error, "argument_collection", None) or () for name in each.names]
        return f"unknown option {option}{_near(option, known)}"
    if unused:
        return f"nothing more was expected, {' '.join(map(repr, unused))} given"
    text = str(error)
    return f"{text[:1].lower()}{text[1:]}".rstrip(".")


def _app(commands: Sequence[Command]) -> App:
    from cyclopts import App

    app = App(name="backbone", version_flags=(), help_on_error=False)
    grouped = any(len(command.words) > 1 for command in commands)
    for command in commands:
        group, word = app, command.words[0]
        if grouped:
            group = app[word] if word in app else _grown(app, App(name=word, version_flags=(), help=_about(commands)))
        if grouped and len(command.words) == 1:
            group.default(_function(command))  # the word alone is a command, too
        else:
            group.command(_function(command), name=command.words[-1], help=None)
    return app


def _grown(app: App, sub: App) -> App:
    app.command(sub)
    return sub


def _about(commands: Sequence[Command]) -> str:
    return "; ".join(f"{command.words[-1]}: {command.summary}" for command in commands) + "."


def _function(command: Command) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(import_module(command.module), command.function)
    return function
