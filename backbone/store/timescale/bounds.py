"""How long anything may take, and how many connections there may be."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Bounds"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Every wait on the server has one of these as its end. Durations in seconds.

    Attributes:
        pool_size: connections made at the start; later ones when they are wanted.
        max_overflow: further connections under load.
        pool_timeout: wait for a free connection; making one is part of it.
        pool_recycle: a connection idle for so long is closed.
        pre_ping: try a connection before use, unless another one has worked within the last second.
        connect_timeout: wait for a new connection.
        statement_timeout: one statement lasts at most; the server enforces it, and the client where the server is
            silent.
    """

    pool_size: int = 5
    max_overflow: int = 5
    pool_timeout: float = 5.0
    pool_recycle: float = 1800.0
    pre_ping: bool = True
    connect_timeout: float = 5.0
    statement_timeout: float = 10.0

    @property
    def most_connections(self) -> int:
        """Connections at most."""
        return self.pool_size + self.max_overflow

    @property
    def command_timeout(self) -> float:
        """The client gives up a little after the server should have: its answer says more than silence."""
        return self.statement_timeout + 1.0

    @property
    def deadline(self) -> float:
        """A call, from taking a connection to the last answer, ends by then."""
        return self.pool_timeout + 1.5 * self.statement_timeout

    @property
    def long_deadline(self) -> float:
        """Likewise for what walks through whole tables: migrations, retention."""
        return 60 * self.statement_timeout

    def server_settings(self, application_name: str) -> dict[str, str]:
        """What each session asks of the server.

        They travel with the connection's start, so that a reset of the session brings them back instead of wiping
        them out.
        """
        statement_ms = str(max(1, round(1000 * self.statement_timeout)))
        return {
            "application_name": application_name,
            "statement_timeout": statement_ms,
            "lock_timeout": str(max(1, round(800 * self.statement_timeout))),
            "idle_in_transaction_session_timeout": statement_ms,
            # the server notices a client that is gone, and lets go of its locks
            "client_connection_check_interval": "2000",
            "tcp_keepalives_idle": "10",
            "tcp_keepalives_interval": "5",
            "tcp_keepalives_count": "3",
            "tcp_user_timeout": statement_ms,
            "timezone": "UTC",
            "client_encoding": "UTF8",
            "client_min_messages": "warning",
            # every name is written out; nothing that anybody puts into public or pg_temp can take its place
            "search_path": "pg_catalog, pg_temp",
            # a plan made for the parameters at hand touches only the chunks it needs
            "plan_cache_mode": "force_custom_plan",
            "jit": "off",
            "max_parallel_workers_per_gather": "0",
            "work_mem": "32MB",
            "temp_buffers": "32MB",
        }
