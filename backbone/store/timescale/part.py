"""A question to the store, written as what is done in a session of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

from backbone.store.timescale.bounds import Bounds
from backbone.store.timescale.database import Database
from backbone.store.timescale.session import Session
from backbone.store.timescale.tables import Tables
from backbone.store.timescale.workers import Workers

__all__ = ["Part", "long_question", "question"]

P = ParamSpec("P")
T = TypeVar("T")


class Part:
    """One subject of the store: the methods of the port that belong together, with their SQL."""

    _bounds: Bounds
    _clock: Callable[[], datetime]
    _database: Database
    _tables: Tables
    _workers: Workers


S = TypeVar("S", bound=Part)
InSession = Callable[Concatenate[S, Session, P], Awaitable[T]]
Asked = Callable[Concatenate[S, P], Coroutine[Any, Any, T]]


def question(method: InSession[S, P, T]) -> Asked[S, P, T]:
    """Make a method of the port of what takes a session: see `Database.run` for what that means."""

    async def asked(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._database.run(lambda session: method(self, session, *args, **kwargs))

    asked.__doc__ = method.__doc__
    return asked


def long_question(method: InSession[S, P, T]) -> Asked[S, P, T]:
    """The same for what may take minutes."""

    async def asked(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        deadline = self._bounds.long_deadline
        return await self._database.run(lambda session: method(self, session, *args, **kwargs), deadline=deadline)

    asked.__doc__ = method.__doc__
    return asked
