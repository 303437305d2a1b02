"""The pool of connections, and the one way to use it: a piece of work, with a deadline, its errors explained.

For example `run(work)` on a connection that the server has closed meanwhile: the work fails at its first statement,
nothing can have come of it, the idle connections are cut as well, and the work is done again on a new one. Where it was
COMMIT that got no answer, it is not done again: `UnknownOutcome` says that the chunk has to be looked up.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import urlsplit

import anyio
import asyncpg

from backbone.settings import Secret, SettingsError
from backbone.settings.discretion import discreetly
from backbone.settings.servers import postgres_servers
from backbone.settings.transport import refusal_of_store, unsafe_store
from backbone.store.errors import StoreError, StoreUnavailable, UnknownOutcome
from backbone.store.timescale.bounds import Bounds
from backbone.store.timescale.failures import (
    BROKEN,
    EXPLAINED,
    beaten,
    connection_lost,
    explained,
    forbidden,
    plan_is_stale,
)
from backbone.store.timescale.session import Session
from backbone.store.timescale.tls import reached, require_files
from backbone.store.timescale.warm import Warm

__all__ = ["Database", "place_of"]

T = TypeVar("T")
Work = Callable[[Session], Awaitable[T]]

_RELEASE_SECONDS = 2.0
_CLOSE_SECONDS = 3.0
_PING_SECONDS = 2.0
_ATTEMPTS = 3
_TRUSTED_SECONDS = 1.0
_UNREADABLE = (
    "store.url given, but it can't be read; give postgresql://user:password@host:port/database, "
    "with everything but letters and digits in user and password percent-encoded"
)


class Database:
    """Connections to one database.

    Args:
        dsn: connection URL, with the password; it may be a `Secret`.
        bounds: how long anything may take.
        application_name: how the server lists the connections.
        insecure: another machine may be asked without verified TLS.

    Attributes:
        place: host, port and database, for messages.
        exposed: the servers on other machines that are asked without verified TLS, which `insecure` allows; "" for
            none.
        reads_only: the role may not write to the tables, as was found when it was asked for.
    """

    def __init__(self, dsn: str, bounds: Bounds, application_name: str, *, insecure: bool = False) -> None:
        self._dsn = Secret(dsn)
        self._insecure = insecure
        self._bounds = bounds
        self._application_name = application_name
        self._pool: Any = None
        self._warm: Warm | None = None
        self._connections: dict[int, Any] = {}
        self._busy: set[int] = set()
        self._worked_at = -_TRUSTED_SECONDS
        self._longest_wait = 0.0
        place = place_of(self._dsn.reveal())
        self.place = place or "the store"
        self.reads_only = False
        self.exposed = unsafe_store(self._dsn.reveal()) if place else ""

    async def open(self) -> None:
        """Connect.

        Raises:
            StoreUnavailable: the server does not answer or refuses; the message says what to do.
            SettingsError: it is on another machine, and not asked by verified TLS.
        """
        if self._pool is not None:
            return
        if not place_of(self._dsn.reveal()):
            raise StoreUnavailable(_UNREADABLE)
        if self.exposed and not self._insecure:
            raise SettingsError(refusal_of_store(self.exposed))
        require_files(self._dsn)
        bounds = self._bounds
        try:
            with anyio.fail_after(bounds.connect_timeout + bounds.pool_timeout):
                self._pool = await asyncpg.create_pool(
                    connect=self._connect,
                    # no floor: a task of the client's own would keep it, and print a traceback at each try while the
                    # server is down; connections are made when they are wanted
                    min_size=0,
                    init_size=bounds.pool_size,
                    max_size=bounds.most_connections,
                    max_inactive_connection_lifetime=bounds.pool_recycle,
                    timeout=bounds.connect_timeout,
                    command_timeout=bounds.command_timeout,
                    server_settings=bounds.server_settings(self._application_name),
                    init=self._prepare,
                    reset=_leave,
                    setup=self._ping if bounds.pre_ping else None,
                )
        except EXPLAINED as error:
            raise self.explained(error) from error
        self._warm = Warm(self._connections, bounds.pool_recycle)

    async def _connect(self, _: None, **options: Any) -> Any:
        """For the pool, which so knows no password, and whose errors have no frame that does."""
        return await discreetly(
            lambda: asyncpg.connect(self._dsn.reveal(), **{**options, **reached(self._dsn.reveal())})
        )

    async def apart(self, timeout: float) -> Any:
        """A connection beside the pool, for who holds something for as long as the connection lives.

        Args:
            timeout: seconds for each statement.
        """
        bounds = self._bounds
        connection = await self._connect(
            None,
            timeout=bounds.connect_timeout,
            command_timeout=timeout,
            server_settings=bounds.server_settings(self._application_name),
        )
        _keep_alive(connection, bounds.statement_timeout)
        return connection

    async def close(self) -> None:
        """Close the connections politely within a bound, then by force."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        with anyio.CancelScope(shield=True):
            with suppress(*BROKEN), anyio.move_on_after(_CLOSE_SECONDS):
                for connection in self._cooled():
                    await _given_back(pool, connection)
                await pool.close()
            pool.terminate()
        self._connections.clear()

    def _cooled(self) -> list[Any]:
        """The connections that lay at hand; from now on none does."""
        warm, self._warm = self._warm, None
        return [] if warm is None else warm.close()

    def let_go(self) -> None:
        """Cut the connections without waiting."""
        pool, self._pool = self._pool, None
        self._cooled()
        if pool is not None:
            pool.terminate()
            self._connections.clear()

    async def run(self, work: Work[T], *, deadline: float | None = None) -> T:
        """Do a piece of work on a connection of its own.

        It is begun anew, twice at most, where its connection turns out to be gone, a table to have changed, or another
        one to have won a deadlock, before its COMMIT was sent: nothing has come of it then.

        Raises:
            StoreUnavailable: the server is down, silent, full, or busy; nothing was written.
            UnknownOutcome: the answer to a COMMIT was lost.
            SchemaMismatch: a table is missing.
        """
        bound = self._bounds.deadline if deadline is None else deadline
        sessions: list[Session] = []
        with anyio.move_on_after(bound):
            return await self._attempts(work, sessions, deadline)
        self.drop_idle()
        if any(session.committing for session in sessions):
            raise self._unknown()
        text = f"{self.place}: no answer within {bound:g} s, given up; see `backbone status`"
        raise StoreUnavailable(text, passing=True)

    async def _attempts(self, work: Work[T], sessions: list[Session], timeout: float | None) -> T:
        """Try, and try again where nothing can have come of it: the connection was lost, or its plans are stale.

        Whether COMMIT was sent is asked of all sessions of the call, not of the last one alone: an attempt that may
        have committed is never followed by another, whatever that one would say.
        """
        attempt = 0
        while True:
            attempt += 1
            try:
                result = await self._tried(work, sessions, timeout)
            except Exception as error:  # of any class: what breaks the client while COMMIT is out leaves it in doubt
                if any(session.committing for session in sessions):
                    raise self._unknown() from error
                lost, stale = connection_lost(error), plan_is_stale(error)
                if lost or isinstance(error, TimeoutError):
                    self.drop_idle()  # the others may be half open as well, and each would cost a wait
                if stale:
                    await self.expire()
                if attempt == _ATTEMPTS or not (lost or stale or beaten(error)):
                    raise self.explained(error) from error
            else:
                self._worked_at = time.monotonic()
                return result

    async def _tried(self, work: Work[T], sessions: list[Session], timeout: float | None) -> T:
        """Work on a connection of the pool; one whose state is not certain is never given back to others."""
        pool, warm = self._pool, self._warm
        if pool is None or warm is None:
            raise StoreUnavailable(
                f"{self.place} is not open now: a running backbone opens it again by itself; else open the store first"
            )
        connection = await self._taken(pool, warm)
        number = connection.get_server_pid()
        self._busy.add(number)
        session = Session(connection, timeout)
        sessions.append(session)
        sound = False
        try:
            result = await work(session)
            sound = True
        except (asyncpg.PostgresError, StoreError, ValueError):
            sound = True
            raise
        finally:
            self._busy.discard(number)
            if connection.is_closed() or not sound or connection.is_in_transaction():
                connection.terminate()
                await _given_back(pool, connection)
            elif not warm.lay(connection, number):
                await _given_back(pool, connection)
        return result

    async def _taken(self, pool: Any, warm: Warm) -> Any:
        """A connection that works, as far as is known."""
        while (connection := warm.take()) is not None:
            if connection.is_closed():
                await _given_back(pool, connection)
                continue
            if self._bounds.pre_ping:
                await self._pinged(connection)
            return connection
        began = time.monotonic()
        warm.wanted += 1
        try:
            connection = await pool.acquire(timeout=self._bounds.pool_timeout)
        finally:
            warm.wanted -= 1
        self._longest_wait = max(self._longest_wait, time.monotonic() - began)
        return connection

    async def _pinged(self, connection: Any) -> None:
        """Try a connection; one that does not answer ends, and so goes back to the pool."""
        answered = False
        try:
            await self._ping(connection)
            answered = True
        finally:
            if not answered:
                connection.terminate()

    async def expire(self) -> None:
        """Renew all connections when they are next used: plans and types they remember may be out of date."""
        pool, warm = self._pool, self._warm
        if pool is not None and warm is not None:
            await pool.expire_connections()
            for connection in warm.give_up():
                await _given_back(pool, connection)

    def drop_idle(self) -> None:
        """Cut the connections that nobody uses: after an outage they may be half open, and each would cost a wait."""
        for number, connection in list(self._connections.items()):
            if number not in self._busy:
                self._connections.pop(number)  # its listeners are told only in the next turn of the loop
                connection.terminate()

    def facts(self) -> dict[str, str]:
        """The pool for the operator; the longest wait is that since the last time it was asked for."""
        pool = self._pool
        waited, self._longest_wait = self._longest_wait, 0.0
        if pool is None:
            return {}
        at_hand = 0 if self._warm is None else len(self._warm)
        return {
            "pool_connections": str(pool.get_size()),
            "pool_idle": str(pool.get_idle_size() + at_hand),
            "pool_most": str(pool.get_max_size()),
            "pool_longest_wait_s": f"{waited:.3f}",
        }

    async def _prepare(self, connection: Any) -> None:
        number = connection.get_server_pid()
        self._connections[number] = connection
        connection.add_termination_listener(lambda _: self._connections.pop(number, None))
        _keep_alive(connection, self._bounds.statement_timeout)

    async def _ping(self, connection: Any) -> None:
        if time.monotonic() - self._worked_at >= _TRUSTED_SECONDS:
            await connection.execute("SELECT 1", timeout=min(_PING_SECONDS, self._bounds.pool_timeout))

    def explained(self, error: Exception) -> Exception:
        """The error to raise for what the client raised; itself, where it is a bug of ours."""
        if self.reads_only and isinstance(error, asyncpg.InsufficientPrivilegeError):
            return forbidden(error, self.place)
        return explained(error, self.place, self._bounds.statement_timeout) or error

    def _unknown(self) -> UnknownOutcome:
        return UnknownOutcome(f"{self.place}: the answer to COMMIT was lost; look the chunk up before a retry")


async def _given_back(pool: Any, connection: Any) -> None:
    """Let the pool have a connection again; that this fails, which ends the connection, changes nothing for who did."""
    with suppress(*BROKEN, TimeoutError), anyio.move_on_after(_RELEASE_SECONDS, shield=True):
        await pool.release(connection, timeout=_RELEASE_SECONDS)


async def _leave(connection: Any) -> None:
    """Nothing to be undone, and no message for it: all that a piece of work sets or locks ends with its transaction."""


def place_of(dsn: str) -> str:
    """Host, port and database of a connection URL, for messages: never user or password; "" for no such URL.

    A password with `@`, `/`, `?` or brackets in it that are not percent-encoded makes the rest of the URL say something
    else: then nothing of it can be shown.
    """
    try:
        parts = urlsplit(dsn)
        servers = postgres_servers(dsn)
    except ValueError:
        return ""
    shown = [each for each in servers if not each.host.startswith("/")] or servers
    hidden = parts.scheme not in {"postgres", "postgresql"} or "@" in parts.path + parts.query + parts.fragment
    return "" if hidden else f"{','.join(map(str, shown))}{parts.path}"


def _keep_alive(connection: Any, seconds: float) -> None:
    """Notice a network that is gone: by itself the kernel would go on sending for a quarter of an hour."""
    transport = getattr(connection, "_transport", None)
    raw = transport.get_extra_info("socket") if transport is not None else None
    if raw is None or raw.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", 10),
        ("TCP_KEEPINTVL", 5),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", round(1000 * seconds)),
    ):
        if hasattr(socket, option):
            raw.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
