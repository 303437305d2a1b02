"""The class that authors derive from."""

from __future__ import annotations

from typing import Any, cast

from actors._core.incarnation import Incarnation
from actors.context import Context
from actors.hooks import Hooks


class _TooEarly:
    """Stands in for the context until an instance has one: a class attribute, so that it costs nothing later."""

    def __get__(self, actor: object, owner: type) -> Any:
        if actor is None:
            return self
        raise AttributeError(f"{owner.__name__}.context is not there in __init__; use it from on_start on")


class Actor(Hooks):
    """State that one message at a time may touch. Each incarnation is a fresh instance with the spec's arguments."""

    context: Context = cast("Context", _TooEarly())  # from on_start on

    def __bind__(self, run: Incarnation) -> None:
        self.context = Context(run)
