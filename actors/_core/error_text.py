"""What remains of an error: words that can't fail and are never long. Its frames go, for they hold whole actors."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Iterator
from contextlib import suppress

_WORDS = 2_000  # characters of an error's text: a driver may put the rows that it was given into one
_TRACE = 8_000  # characters of a traceback: the innermost frames and the error come last, so the end is kept
_CAUSES = 10  # errors told of one chain
_CHAIN = 100  # errors looked at along causes, contexts and groups
_NOTE = "Traceback of the crash"


def words(error: object) -> str:
    """The own text of an error, or of what an author has made, whatever its `__str__` does."""
    try:
        text = str(error)
    except BaseException as fault:  # noqa: BLE001 - an error that can't be printed is reported all the same
        return f"(its text can't be had: {type(fault).__name__})"
    return text if len(text) <= _WORDS else f"{text[:_WORDS]}… ({len(text):,} characters)"


def describe(error: BaseException) -> str:
    """The class and at most about 2 kB of the text, as in "LookupError: no such symbol"; never raises."""
    return f"{type(error).__name__}: {words(error)}"


def trace(error: BaseException) -> str:
    """The traceback as text, its end where it is long; empty where there is no fault in the code to be found by it."""
    if error.__traceback__ is None or isinstance(error, asyncio.CancelledError):
        return ""
    try:
        text = "".join(traceback.format_exception(error)).rstrip()
    except BaseException as fault:  # noqa: BLE001 - causes and notes are an author's objects, too
        return f"{describe(error)} (its traceback can't be had: {type(fault).__name__})"
    return text if len(text) <= _TRACE else f"… {text[-_TRACE:]}"


def places(error: BaseException) -> str:
    """Where an error came from, a line for each call: for a hundredth of what a whole traceback costs."""
    lines: list[str] = []
    frames = error.__traceback__
    while frames is not None and len(lines) < _CHAIN:
        code = frames.tb_frame.f_code
        lines.append(f'  File "{code.co_filename}", line {frames.tb_lineno}, in {code.co_name}')
        frames = frames.tb_next
    return "\n".join(lines)


def causes(error: BaseException) -> tuple[str, ...]:
    """The error and what caused it, the error itself first."""
    found: list[str] = []
    each: BaseException | None = error
    while each is not None and len(found) < _CAUSES:
        found.append(describe(each))
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
    return tuple(found)


def release(error: BaseException, trace: str, where: str) -> None:
    """Drop the frames of an error and of all that it came from; `trace` stays in it as a note for whoever prints it.

    Not by clearing the frames: that of the actor's own task still runs, and through it they hold the actor.
    """
    for each in _chain(error):
        BaseException.with_traceback(each, None)  # not by assignment, which a frozen class of errors refuses
    if trace:
        with suppress(BaseException):  # so does its adding of a note
            BaseException.add_note(error, f"{_NOTE} in {where}:\n{trace}")


def forget_notes(error: BaseException) -> None:
    """Drop what an earlier crash by the same object has left in it: an error may be a constant that many raise."""
    with suppress(BaseException):  # the notes are an author's, too
        notes = error.__notes__
        notes[:] = [note for note in notes if not str(note).startswith(_NOTE)]


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    stack: list[BaseException | None] = [error]
    while stack and len(seen) < _CHAIN:
        each = stack.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        stack += (each.__cause__, each.__context__)
        if isinstance(each, BaseExceptionGroup):
            stack += each.exceptions


def ending(error: BaseException) -> KeyboardInterrupt | SystemExit | None:
    """The error by which somebody ends the program, also out of a group; None: it is an actor's own failure."""
    members: list[BaseException] = [error]
    for _ in range(_CHAIN):
        if not members:
            break
        each = members.pop()
        if isinstance(each, KeyboardInterrupt | SystemExit):
            return each
        if isinstance(each, BaseExceptionGroup):  # not its causes: those have been dealt with
            members += each.exceptions
    return None
