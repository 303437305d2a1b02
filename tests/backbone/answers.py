"""A question that a test asks beside its own course."""

from __future__ import annotations

from typing import Generic, TypeVar, cast

import anyio

from actors import ActorRef, AskRejected, Request

T = TypeVar("T")


class Answer(Generic[T]):
    """What one who asked is told, once they are."""

    def __init__(self) -> None:
        self.scope = anyio.CancelScope()
        self._done = anyio.Event()
        self._value: T | None = None
        self._error: Exception | None = None

    async def ask(self, ref: ActorRef, message: Request[T]) -> None:
        with self.scope:
            try:
                self._value = await ref.ask(message, 60.0)
            except Exception as error:
                self._error = error
        self._done.set()

    @property
    def is_there(self) -> bool:
        return self._done.is_set()

    async def get(self) -> T:
        """The answer, within a bound."""
        with anyio.fail_after(10):
            await self._done.wait()
        if self._error is not None:
            raise self._error
        return cast("T", self._value)

    async def refusal(self) -> str:
        """The code by which they were refused."""
        try:
            await self.get()
        except AskRejected as error:
            return error.code
        raise AssertionError("answered, not refused")
