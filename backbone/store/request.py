"""What every request to the store is: one question, which knows the method of the port that answers it."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from actors import Request
from backbone.store.port import Store

__all__ = ["StoreRequest"]

R = TypeVar("R", covariant=True)


class StoreRequest(Request[R], frozen=True):
    """A question to the store that is answered with an `R`."""

    def on(self, store: Store) -> Coroutine[Any, Any, R]:
        """Ask a store."""
        raise NotImplementedError(f"{type(self).__name__} names no method of the store's port; define `on`")
