"""The connections to Redis: so many at most, each call bounded, none used again of which an answer is outstanding."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import anyio
from redis.asyncio.connection import Connection
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.exceptions import TimeoutError as NoAnswer

from backbone.cache.errors import CacheUnavailable
from backbone.cache.redis.address import Address
from backbone.cache.redis.wire import Word, packed
from backbone.settings.sections.cache import CacheSettings

__all__ = ["Bounds", "Connections"]

_CLOSE_TIMEOUT = 1.0
_LONGEST_PAUSE = 0.05  # seconds before the one further try, less a random part


class Bounds(NamedTuple):
    """How much of Redis one process takes, and for how long it is waited for.

    Attributes:
        connections: at most so many.
        wait: seconds for a free one of them.
        answer: seconds for an answer.
        total: seconds for a call, with another try.
        again: whether a call that had no answer in time is tried once more. One whose connection was lost always is.
    """

    connections: int = 8
    wait: float = 0.5
    answer: float = 0.5
    total: float = 1.0
    again: bool = True

    @classmethod
    def of(cls, settings: CacheSettings) -> Bounds:
        """The bounds that the settings give."""
        total = max(settings.connect_timeout, 2 * settings.socket_timeout)
        return cls(settings.pool_size, settings.pool_timeout, settings.socket_timeout, total, settings.retry_on_timeout)


class Connections:
    """Sends commands and gives their answers; what it sends may be carried out twice.

    A connection that broke, was cancelled or gave no answer in time is closed: its next answer may be that of another
    question. Waiting for a free one is by a limiter of ours: the client's own pool either raises at once, or waits in a
    way in which a cancelled scope spins.

    Args:
        address: where, as whom.
        bounds: how many, how long.
    """

    def __init__(self, address: Address, bounds: Bounds) -> None:
        self.address = address
        self._bounds = bounds
        self._limiter = anyio.CapacityLimiter(bounds.connections)
        self._idle: list[Connection] = []
        self._is_open = False
        self._again: tuple[type[RedisError], ...] = (NotConnected, NoAnswer) if bounds.again else (NotConnected,)

    def open(self) -> None:
        """From now on connections are kept for the next call."""
        self._is_open = True

    async def call(self, words: Sequence[Word]) -> Any:
        """The answer to one command; see `exchange`."""
        return (await self.exchange(packed(words), 1))[0]

    async def exchange(self, commands: bytes, answers: int) -> list[Any]:
        """The answers to commands that are sent together.

        Args:
            commands: packed.
            answers: how many commands they are.

        Raises:
            NoScriptError: one is a script that Redis does not know, or not any more.
            CacheUnavailable: no answer in time, no way to one, or a refusal.
        """
        try:
            self._limiter.acquire_nowait()
        except anyio.WouldBlock:
            await self._wait()
        try:
            return await self._tried(commands, answers, anyio.current_time() + self._bounds.total)
        except NoScriptError:
            raise
        except RedisError as error:
            raise self._unavailable(str(error)) from None
        finally:
            self._limiter.release()

    async def close(self) -> None:
        """Close all that nobody uses; the rest is closed by who uses it."""
        self._is_open = False
        with anyio.move_on_after(_CLOSE_TIMEOUT, shield=True):
            await self._drop_idle()

    async def _wait(self) -> None:
        with anyio.move_on_after(self._bounds.wait):
            return await self._limiter.acquire()
        most = self._bounds.connections
        text = f"none of the {most} connections came free within {self._bounds.wait:g} s; raise cache.pool_size"
        raise self._unavailable(text)

    async def _tried(self, commands: bytes, answers: int, until: float) -> list[Any]:
        """One try, and where that may help, another one on a new connection."""
        try:
            return await self._attempt(commands, answers, until)
        except self._again as error:
            if isinstance(error, NotConnected):  # where one connection broke, the others most likely did, too
                await self._drop_idle()
            await anyio.sleep(_LONGEST_PAUSE * random.random())  # noqa: S311  jitter, not secrecy
            return await self._attempt(commands, answers, until)

    async def _attempt(self, commands: bytes, answers: int, until: float) -> list[Any]:
        connection = self._idle.pop() if self._idle else self.address.connection()
        seconds = self._bounds.answer if connection.is_connected else self._bounds.total
        whole = False
        try:
            with anyio.CancelScope(deadline=min(until, anyio.current_time() + seconds)):
                if connection.is_connected and await connection.can_read():  # closed by Redis, or out of step
                    await connection.disconnect(nowait=True)
                if not connection.is_connected:
                    await connection.connect()  # type: ignore[no-untyped-call]
                await connection.send_packed_command(commands)
                read = [await _answer(connection) for _ in range(answers)]
                whole = True
                await self._give_back(connection)
                return _unless_refused(read)
        finally:
            if not whole:
                with anyio.move_on_after(_CLOSE_TIMEOUT, shield=True):
                    await connection.disconnect(nowait=True)
        raise NoAnswer(f"no answer within {seconds:g} s")

    async def _give_back(self, connection: Connection) -> None:
        self._idle.append(connection)
        if not self._is_open:
            await self._drop_idle()

    async def _drop_idle(self) -> None:
        while self._idle:
            await self._idle.pop().disconnect(nowait=True)

    def _unavailable(self, why: str) -> CacheUnavailable:
        return CacheUnavailable(f"Redis at {self.address}: {why}")


async def _answer(connection: Connection) -> Any:
    """The next answer; a refusal is one, too: those behind it are still to be read."""
    try:
        return await connection.read_response()
    except ResponseError as refusal:
        return refusal


def _unless_refused(answers: list[Any]) -> list[Any]:
    for answer in answers:
        if isinstance(answer, ResponseError):
            raise answer
    return answers
