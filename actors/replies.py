"""Whether a handler is annotated to return what its request asks for, judged when the class is made.

Only what no type checker would take either is refused: what can't be judged here passes.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Mapping
from typing import Any

from actors.annotations import meaning
from actors.messages import Request


def check_replies(cls: type, table: Mapping[type, Callable[[Any, Any], Any]], frame: types.FrameType) -> None:
    """Compare return annotations with what is asked for; each function once, by the first class that has it."""
    answered: dict[types.FunctionType, list[type]] = {}
    for kind, handler in table.items():
        # of a decorated function (__wrapped__) the annotation is known, but not what its decorator makes of the value
        if isinstance(handler, types.FunctionType) and not {"__wrapped__", "__replies__"} & handler.__dict__.keys():
            answered.setdefault(handler, []).append(kind)
    for handler, kinds in answered.items():
        given = handler.__annotations__.get("return")
        if given not in (None, "None") and any(issubclass(kind, Request) for kind in kinds):
            _check_reply(cls, handler, kinds, given, frame)
        handler.__replies__ = True  # type: ignore[attr-defined]


def _check_reply(cls: type, handler: types.FunctionType, kinds: list[type], given: Any, frame: types.FrameType) -> None:
    owner = next((base for base in cls.__mro__ if vars(base).get(handler.__name__) is handler), cls)
    text = given if isinstance(given, str) else inspect.formatannotation(given)
    if isinstance(given, str):
        try:
            given = meaning(given, handler, frame, vars(owner))
        except Exception:  # noqa: BLE001 - what stands under TYPE_CHECKING has no meaning here: nothing to compare
            return
    replies = {kind: _reply(kind) for kind in kinds if issubclass(kind, Request)}
    returned = _members(given)
    if not inspect.iscoroutinefunction(handler):
        returned = tuple(kind for each in returned for kind in _members(_awaited(each)))
    fit = [any(_fits(kind, reply) for reply in replies.values()) for kind in returned if kind is not None]
    enough = all if len(replies) == len(kinds) else any  # what is returned for a message that asks nothing is no reply
    if fit and not enough(fit):
        asked = ", ".join(kind.__name__ for kind in replies)
        allowed = " | ".join(dict.fromkeys(inspect.formatannotation(reply) for reply in replies.values()))
        raise TypeError(
            f"{owner.__qualname__}.{handler.__name__}: got the return annotation {text}; allowed: {allowed}, which "
            f"{asked} asks for, or None where the reply is deferred"
        )


def _reply(kind: type) -> Any:
    """What a class of requests says that it is answered with; a TypeVar where that is left open."""
    for base in kind.__mro__:
        for written in vars(base).get("__orig_bases__", ()):
            if typing.get_origin(written) is Request:
                return typing.get_args(written)[0]
    return Any


def _awaited(kind: Any) -> Any:
    """What an annotation is once it was awaited, as a handler's result is; itself, if it can't be."""
    origin = typing.get_origin(kind) or kind
    if not isinstance(origin, type) or not issubclass(origin, Awaitable):
        return kind
    args = typing.get_args(kind)
    return args[-1] if args and origin in (Awaitable, Coroutine) else Any


def _members(kind: Any) -> tuple[Any, ...]:
    """The alternatives of a union or of a Literal; None for None; otherwise the annotation itself."""
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        return _members(kind.__origin__)
    if origin is typing.Union or origin is types.UnionType:
        return tuple(member for each in typing.get_args(kind) for member in _members(each))
    if origin is typing.Literal:
        return tuple(None if value is None else typing.Literal[value] for value in typing.get_args(kind))
    return (None,) if kind is None or kind is types.NoneType else (kind,)


def _fits(given: Any, allowed: Any) -> bool:
    """False only where no type checker would take a `given` for an `allowed`; true of all that can't be judged."""
    if given is allowed:
        return True
    return all(any(_is(each, other) for other in _members(allowed)) for each in _members(given))


def _is(given: Any, allowed: Any) -> bool:
    if typing.get_origin(given) is typing.Literal:
        (value,) = typing.get_args(given)
        return given == allowed if typing.get_origin(allowed) is typing.Literal else _fits(type(value), allowed)
    if typing.get_origin(allowed) is typing.Literal:  # one may know better than one's annotation says
        wider = type(typing.get_args(allowed)[0])
        return _fits(wider, given) or _fits(given, wider)
    kind, other = (typing.get_origin(each) or (types.NoneType if each is None else each) for each in (given, allowed))
    if not isinstance(kind, type) or not isinstance(other, type) or {kind, other} & {object, Any, Hashable}:
        return True  # a TypeVar, Never, a NewType, a name in quotes; or what says nothing
    if not _derives(kind, other):
        return False
    inner, outer = typing.get_args(given), typing.get_args(allowed)
    if kind is not other or len(inner) != len(outer):
        return True
    return all(_fits(a, b) or _fits(b, a) for a, b in zip(inner, outer, strict=True))  # whatever its variance


def _derives(kind: type, other: type) -> bool:
    by_shape = getattr(kind, "_is_protocol", False) or getattr(other, "_is_protocol", False)
    unknown = any(base is Any or "__getattr__" in vars(base) for base in kind.__mro__)
    if by_shape or unknown or kind.__qualname__ == other.__qualname__:  # the same one, loaded anew
        return True
    try:
        return issubclass(kind, (other, *_PROMOTED.get(other, ())))
    except TypeError:  # a TypedDict, for one
        return True


_PROMOTED: dict[type, tuple[type, ...]] = {float: (int,), complex: (int, float), bytes: (bytearray, memoryview)}
