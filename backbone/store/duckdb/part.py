"""A question to the store, written as what is done with a connection."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

from backbone.store.duckdb.session import Purpose, Session
from backbone.store.duckdb.sql import Connection

__all__ = ["Part", "question"]

P = ParamSpec("P")
T = TypeVar("T")


class Part:
    """One subject of the store: the methods of the port that belong together, with their SQL."""

    _session: Session
    _clock: Callable[[], datetime]


S = TypeVar("S", bound=Part)


Method = Callable[Concatenate[S, Connection, P], T]
Asked = Callable[Concatenate[S, P], Coroutine[Any, Any, T]]


def question(purpose: Purpose, *, looks: bool = False) -> Callable[[Method[S, P, T]], Asked[S, P, T]]:
    """Make a method of the port of what takes a connection: it is done off the loop and within the deadline.

    Args:
        purpose: whose turn it takes; what serves another purpose is not held up.
        looks: it changes nothing, and its answer follows from what is stored and what was asked alone.
    """

    def made(method: Method[S, P, T]) -> Asked[S, P, T]:
        async def asked(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
            key = (method.__name__, args, *kwargs.items()) if looks else None
            return await self._session.run(lambda c: method(self, c, *args, **kwargs), purpose, key)

        asked.__doc__ = method.__doc__
        return asked

    return made
