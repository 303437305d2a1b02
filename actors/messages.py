"""Typed messages."""

from __future__ import annotations

from typing import ClassVar, Generic, TypeVar, dataclass_transform

import msgspec

from actors.stop_reason import StopReason

R = TypeVar("R", covariant=True)


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
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
