"""What an annotation means that was written as a text."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from typing import Any

_NOTHING: Mapping[str, Any] = types.MappingProxyType({})


def meaning(
    text: str, method: Callable[..., Any], frame: types.FrameType | None, names: Mapping[str, Any] = _NOTHING
) -> Any:
    """What an annotation means among `names`, in the frames that define the class, and in the method's module.

    Raises:
        NameError: nothing there has this name (yet).
    """

    def carrier() -> None: ...

    carrier.__annotations__ = {"": text}  # this one alone: the others may name what is not there yet
    home = getattr(inspect.unwrap(method), "__globals__", None)
    for _ in range(4):
        # a mixin means the names of its own module, whatever the module of the class calls by them
        local: Mapping[str, Any] = {}
        if frame is not None and (home is None or frame.f_globals is home):
            local = frame.f_locals
        spaces: dict[str, Any] = {"globals": home or {}, "locals": {**local, **names}}
        try:
            return inspect.get_annotations(carrier, eval_str=True, **spaces)[""]
        except NameError:
            frame = frame.f_back if frame is not None else None
    raise NameError(text)
