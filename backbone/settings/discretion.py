"""Calling a client with a secret: its errors hold no frame that knows it, and no text that tells it.

A traceback keeps frames, and pytest or a crash reporter that records their variables would print the password with
them. So an adapter calls its client through here wherever it hands it a secret, and reveals that inside the call:
`await discreetly(lambda: connect(url.reveal()))`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import TypeVar

from backbone.settings.redaction import redact

__all__ = ["discreetly", "silence"]

T = TypeVar("T")


async def discreetly(call: Callable[[], Awaitable[T]]) -> T:
    """What `call` returns; what it raises, a cancellation included, comes without the frames it went through."""
    try:
        return await call()
    except BaseException as error:
        silence(error)
        raise


def silence(error: BaseException) -> None:
    """Of an error, of what it came from and of the members of groups: forget the frames, and redact the texts."""
    for each in _chain(error):
        BaseException.with_traceback(each, None)
        with suppress(AttributeError, TypeError):  # an error may refuse to be changed
            each.args = tuple(_redacted(value) for value in each.args)
            for name, value in vars(each).items():
                setattr(each, name, [_redacted(note) for note in value] if name == "__notes__" else _redacted(value))


def _redacted(value: object) -> object:
    return redact(value) if isinstance(value, str) else value


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
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
