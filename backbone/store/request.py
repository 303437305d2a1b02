"""What every request to the store is: one question, which knows the method of the port that answers it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Coroutine
from typing import Any, TypeVar

from actors import Request
from backbone.store.port import Store

__all__ = ["StoreRequest"]

R = TypeVar("R", covariant=True)


class StoreRequest(Request[R], frozen=True):
    """A question to the store that is answered with an `R`.

    Raises:
        TypeError: when a class is made that does not say which method of the port answers it.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.on is StoreRequest.on:
            raise TypeError(f"{cls.__name__} names no method of the store's port; define `on`")

    @abstractmethod
    def on(self, store: Store) -> Coroutine[Any, Any, R]:
        """Ask a store."""
