"""Calling a client with a secret: its errors hold no frame that knows it, and no text that tells it.

A traceback keeps frames, and pytest or a crash reporter that records their variables would print the password with
them. So an adapter calls its client through here wherever it hands it a secret, and reveals that inside the call:
`await discreetly(lambda: connect(url.reveal()))`.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import TypeVar

from backbone.settings.redaction import redact

__all__ = ["discreetly", "silence"]

T = TypeVar("T")

_BUILT_IN = ("strerror", "filename", "filename2", "object", "reason", "msg", "text")
"""What errors of the system, of encodings and of the parser tell beside their arguments."""


async def discreetly(call: Callable[[], Awaitable[T]]) -> T:
    """What `call` returns; what it raises, a cancellation included, comes without the frames it went through."""
    with _Silence(sys.exception()):
        return await call()


class _Silence:
    """Takes no error for its own: all that leave it go on, silent."""

    def __init__(self, handled: BaseException | None) -> None:
        self._handled = handled

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is not None:
            silence(error, self._handled)


def silence(error: BaseException, handled: BaseException | None = None) -> None:
    """Of an error, of what it came from and of the members of groups: forget the frames, and redact the texts.

    Args:
        error: what the client raised.
        handled: what the caller was handling before, which knows nothing of the call: it stays as it is.
    """
    for each in _chain(error, handled):
        BaseException.with_traceback(each, None)
        _change(each, "args", tuple(_redacted(value) for value in each.args))
        for name in _BUILT_IN:
            if isinstance(value := getattr(each, name, None), str):
                _change(each, name, redact(value))
        for name, value in vars(each).items():
            vars(each)[name] = [_redacted(note) for note in value] if name == "__notes__" else _redacted(value)


def _change(error: BaseException, name: str, value: object) -> None:
    with suppress(AttributeError, TypeError):  # where a class has made something else of it
        BaseException.__setattr__(error, name, value)  # an error may refuse to be changed


def _redacted(value: object) -> object:
    return redact(value) if isinstance(value, str) else value


def _chain(error: BaseException, handled: BaseException | None) -> Iterator[BaseException]:
    seen = {id(handled)}
    found: list[BaseException | None] = [error]
    while found:
        each = found.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        found += (each.__cause__, each.__context__)
        if isinstance(each, BaseExceptionGroup):
            found += each.exceptions
