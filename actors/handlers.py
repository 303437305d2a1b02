"""Handlers, and the dispatch table that a class of actors builds once from them."""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from actors.annotations import meaning
from actors.messages import Message, Request
from actors.replies import check_replies

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
        TypeError: a handler lacks a message annotation, two handlers claim one type, or one is annotated to return
            what is no reply to its request.
    """
    frame = sys._getframe(depth)
    named: dict[type, str] = {}
    for base in reversed(cls.__mro__):
        seen: dict[type, str] = {}
        for name, member in vars(base).items():
            if getattr(member, "__handles__", False):
                for kind in _message_types(base, member, frame):
                    if kind in seen:
                        raise TypeError(
                            f"{base.__qualname__}.{name} and .{seen[kind]} both handle {kind.__name__}; keep one"
                        )
                    seen[kind] = name
        named.update(seen)
    table: dict[type, Handler] = {kind: getattr(cls, name) for kind, name in named.items()}
    check_replies(cls, table, frame)
    return table


def _message_types(cls: type, method: Handler, frame: types.FrameType) -> tuple[type, ...]:
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
        try:
            annotation = meaning(annotation, method, frame)
        except NameError:
            text = f"{where}: cannot resolve the annotation {annotation!r}; define the message class before the actor"
            raise TypeError(text) from None
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
