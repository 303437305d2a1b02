"""The tables, and the pieces of SQL that depend on a dimension.

Every identifier comes from `Dimension`, or is the schema, which is checked; every value is a parameter.
"""

from __future__ import annotations

import re

from backbone.domain.dimension import Dimension
from backbone.store.sql import quoted

__all__ = ["SQL_TYPES", "Tables", "identifier"]

SQL_TYPES = {
    "string": 'text COLLATE "C"',
    "timestamp": "timestamptz",
    "double": "double precision",
    "int64": "bigint",
}

_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_RESERVED = re.compile(r"pg_|information_schema\Z|telemetry\Z|_timescaledb")


def identifier(name: str) -> str:
    """The name itself, if it may stand in SQL.

    Raises:
        ValueError: it may not.
    """
    if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name) or _RESERVED.match(name):
        raise ValueError(
            f"schema {name!r} given; allowed are small letters, digits and _, not a digit first, at most 63 "
            "characters, and none of the server's own names"
        )
    return name


class Tables:
    """Where the rows are.

    Args:
        schema: of the tables of rows; ledger, journal and outbox are in `telemetry`.

    Raises:
        ValueError: the schema's name may not stand in SQL.
    """

    def __init__(self, schema: str = "market_data") -> None:
        self.schema = identifier(schema)

    def rows(self, dimension: Dimension) -> str:
        """The table of a dimension."""
        return f"{quoted(self.schema)}.{quoted(dimension.value)}"

    def revisions(self, dimension: Dimension) -> str:
        """The table of former versions of a dimension."""
        return f"{quoted(self.schema)}.{quoted(dimension.value + '_revisions')}"

    def stage(self, dimension: Dimension) -> str:
        """The table of this session in which rows wait to be compared."""
        return f"stage_{dimension.value}"
