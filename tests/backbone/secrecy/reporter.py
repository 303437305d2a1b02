"""A crash reporter as there are many: it records an error, all that it came from, and the variables of all frames."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from types import TracebackType

__all__ = ["recorded"]

_DEPTH = 3


def recorded(error: BaseException, *, but: str) -> str:
    """All that can be found from an error, as text.

    Args:
        error: the error.
        but: the file whose frames are left out: that of the test, which has to know the password.
    """
    seen: set[int] = set()
    texts = ["".join(traceback.format_exception(error))]
    found: list[BaseException | None] = [error]
    while found:
        each = found.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        texts += [str(each), repr(each), repr(each.args), *map(str, getattr(each, "__notes__", ())), repr(vars(each))]
        texts += _variables(each.__traceback__, but)
        found += (each.__cause__, each.__context__)
        if isinstance(each, BaseExceptionGroup):
            found += each.exceptions
    return "\n".join(texts)


def _variables(frames: TracebackType | None, but: str) -> Iterator[str]:
    while frames is not None:
        if frames.tb_frame.f_code.co_filename != but:
            for name, value in frames.tb_frame.f_locals.items():
                yield from (f"{frames.tb_frame.f_code.co_qualname} {name} = {text}" for text in _shown(value, _DEPTH))
        frames = frames.tb_next


def _shown(value: object, depth: int) -> Iterator[str]:
    yield repr(value)
    if depth and hasattr(value, "__dict__") and not isinstance(value, type):
        for each in list(vars(value).values()):
            yield from _shown(each, depth - 1)
