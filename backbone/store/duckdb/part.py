"""A question to the store, written as what is done with a connection."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

from backbone.store.duckdb.session import Session
from backbone.store.duckdb.sql import Connection

__all__ = ["Part", "question"]

P = ParamSpec("P")
T = TypeVar("T")


class Part:
    """One subject of the store: the methods of the port that belong together, with their SQL."""

    _session: Session
    _clock: Callable[[], datetime]


S = TypeVar("S", bound=Part)


def question(method: Callable[Concatenate[S, Connection, P], T]) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """Make a method of the port of what takes a connection: it is done alone, off the loop and within the deadline."""

    async def asked(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._session.run(lambda connection: method(self, connection, *args, **kwargs))

    asked.__doc__ = method.__doc__
    return asked
