"""Which server answers, and in which of its lives."""

from __future__ import annotations

import asyncpg

from backbone.store.timescale.session import Session

__all__ = ["NOT_TOLD", "SERVER", "server_of"]

# a standby that takes over, and a restore to a moment, begin another timeline: the first eight digits of a WAL file
SERVER = """
SELECT system_identifier || '/' || CASE WHEN pg_is_in_recovery() THEN '' ELSE
    left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) END
FROM pg_control_system()
"""

NOT_TOLD = (asyncpg.InsufficientPrivilegeError, asyncpg.FeatureNotSupportedError, asyncpg.UndefinedFunctionError)
"""What a hosted server refuses such a question with."""


async def server_of(session: Session) -> str:
    """System identifier and timeline; "" where a hosted server does not tell them. Outside of any transaction."""
    try:
        return str(await session.value(SERVER))
    except NOT_TOLD:
        return ""
