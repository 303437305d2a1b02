"""Whose the tables are, and what the role of this connection may do with them."""

from __future__ import annotations

from backbone.domain.dimension import Dimension
from backbone.store.errors import SchemaMismatch
from backbone.store.timescale.session import Session
from backbone.store.timescale.tables import Tables

__all__ = ["reads_only", "refuse_foreign"]

# Whoever owns a table may hang a trigger on it, which runs with the rights of who writes: ours. A superuser counts as a
# member of every role, so what he may do says nothing of whose it is.
_FOREIGN = """
    WITH found(what, owner) AS (
        SELECT format('schema %I', nspname), nspowner FROM pg_namespace WHERE nspname IN ($1, 'telemetry')
        UNION ALL
        SELECT format('%I.%I', nspname, relname), relowner
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind <> 'i' AND (nspname = 'telemetry' OR nspname = $1 AND relname = ANY($2))
        UNION ALL
        SELECT format('function %I.%I', nspname, proname), proowner
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE nspname IN ($1, 'telemetry')
        UNION ALL
        SELECT format('operator %I.%s', nspname, oprname), oprowner
        FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace WHERE nspname IN ($1, 'telemetry')
    )
    SELECT what, pg_get_userbyid(owner), current_user, (
        SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()
    )
    FROM found CROSS JOIN (SELECT oid, rolsuper FROM pg_roles WHERE rolname = current_user) AS me
    WHERE owner <> me.oid
        AND NOT (pg_has_role(me.oid, owner, 'USAGE') AND NOT me.rolsuper)
        AND NOT EXISTS (
            SELECT FROM pg_roles WHERE oid = owner AND (rolsuper OR rolname = 'pg_database_owner')
        )
        AND NOT EXISTS (SELECT FROM pg_database WHERE datname = current_database() AND datdba = owner)
    ORDER BY starts_with(what, 'schema ') DESC, what LIMIT 1
"""

_MAY_WRITE = "SELECT has_table_privilege(to_regclass('telemetry.ledger'), 'INSERT')"


async def refuse_foreign(session: Session, tables: Tables) -> None:
    """Look whose the schemas, the tables and what is beside them are.

    They may be this role's, those of a group of it, the owner's of the database, or a superuser's.

    Raises:
        SchemaMismatch: something is somebody else's, who could run code as this role by it.
    """
    ours = [name for dimension in Dimension for name in (dimension.value, f"{dimension.value}_revisions")]
    found = await session.row(_FOREIGN, tables.schema, ours)
    if found is not None:
        what, owner, role, database_owner = found
        raise SchemaMismatch(
            f"{what} belongs to {owner}, who could run code as {role} by it; allowed are {role}, a group of that role, "
            f"and {database_owner}, who owns the database; nothing was written: find out who made it, drop it or "
            "ALTER its OWNER, or give another database"
        )


async def reads_only(session: Session) -> bool:
    """Whether the tables are there and this role may not write to them."""
    return await session.value(_MAY_WRITE) is False
