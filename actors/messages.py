"""Typed messages, and the dispatch table that a class of actors builds once from its handlers."""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from actors.stop_reason import StopReason

R = TypeVar("R", covariant=True)


@typing.dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class Message(msgspec.Struct, frozen=True):
    """Base of all messages: an immutable struct whose fields are the payload."""

    __asks__: ClassVar[bool] = False


class Request(Message, Generic[R], frozen=True):
    """A message that `ask` answers with an `R`."""

    __asks__: ClassVar[bool] = True


class Terminated(Message, frozen=True):
    """A watched actor has ended for good; unhandled, it crashes the watcher."""

    path: str
    incarnation: int
    reason: StopReason


A = TypeVar("A")
M = TypeVar("M", bound=Message)
Result = TypeVar("Result")
Handler = Callable[[Any, Any], Any]
Table = Mapping[type, Handler]


def handles(method: Callable[[A, M], Result]) -> Callable[[A, M], Result]:
    """Mark a method as the handler of the message type(s) that its parameter is annotated with."""
    method.__handles__ = True  # type: ignore[attr-defined]
    return method


def build_table(cls: type, depth: int = 2) -> dict[type, Handler]:
    """The dispatch table of `cls`: exact message class to function, base classes' handlers included.

    Raises:
        TypeError: a handler lacks a message annotation, or two handlers claim one type.
    """
    named: dict[type, str] = {}
    for base in reversed(cls.__mro__):
        seen: dict[type, str] = {}
        for name, member in vars(base).items():
            if getattr(member, "__handles__", False):
                for kind in _message_types(base, member, depth):
                    if kind in seen:
                        raise TypeError(
                            f"{base.__qualname__}.{name} and .{seen[kind]} both handle {kind.__name__}; keep one"
                        )
                    seen[kind] = name
        named.update(seen)
    return {kind: getattr(cls, name) for kind, name in named.items()}


def _message_types(cls: type, method: Handler, depth: int) -> tuple[type, ...]:
    cached: tuple[type, ...] | None = getattr(method, "__message_types__", None)
    if cached is not None:
        return cached
    if inspect.isasyncgenfunction(method) or inspect.isgeneratorfunction(method):
        raise TypeError(f"{cls.__qualname__}.{method.__name__}: a handler can't yield; return one reply, or tell many")
    parameters = list(inspect.signature(method).parameters.values())
    where = f"{cls.__qualname__}.{method.__name__}"
    if len(parameters) != 2 or parameters[1].annotation is inspect.Parameter.empty:
        raise TypeError(f"{where}: a handler takes (self, message: MessageType); annotate exactly one message")
    annotation = parameters[1].annotation
    if isinstance(annotation, str):
        annotation = _resolve(annotation, method, where, depth + 2)
    union = isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union
    kinds = typing.get_args(annotation) if union else (annotation,)
    for kind in kinds:
        if not (isinstance(kind, type) and issubclass(kind, Message)):
            raise TypeError(
                f"{where}: {kind!r} is not a Message; handlers take subclasses of Message or a union of them"
            )
        if kind in (Message, Request):
            raise TypeError(
                f"{where}: {kind.__name__} itself is never sent, and handlers go by the exact class; name it"
            )
    method.__message_types__ = kinds  # type: ignore[attr-defined]
    return kinds


def _resolve(text: str, method: Handler, where: str, depth: int) -> Any:
    """What an annotation means in the module's globals and the locals of the frames that define the class."""

    def carrier() -> None: ...

    carrier.__annotations__ = {"message": text}  # that of the message alone: the others may name what is not there yet
    frame: types.FrameType | None = sys._getframe(depth)
    spaces = getattr(method, "__globals__", {})
    for _ in range(4):
        local = frame.f_locals if frame is not None else {}
        try:
            found = inspect.get_annotations(carrier, globals=dict(spaces), locals=dict(local), eval_str=True)
        except NameError:
            frame = frame.f_back if frame is not None else None
        else:
            return found["message"]
    raise TypeError(f"{where}: cannot resolve the annotation {text!r}; define the message class before the actor")
