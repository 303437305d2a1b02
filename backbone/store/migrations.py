"""Numbered SQL files and what a database says of them.

A migration is a file `NNNN_name.sql` in the folder of its backend. A database remembers the checksum of each file it
has applied; a file that was edited since is refused, for nobody could say what that database looks like.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import blake2b
from pathlib import Path

import msgspec

from backbone.store.errors import SchemaMismatch

__all__ = ["Migration", "pending", "shipped"]

_FOLDER = Path(__file__).with_name("migrations")


class Migration(msgspec.Struct, frozen=True):
    """One file: its name without the ending, its statements, and a checksum that line endings do not change."""

    name: str
    sql: str
    checksum: str


def shipped(backend: str, folder: Path = _FOLDER) -> list[Migration]:
    """The migrations of a backend that come with this version, in order."""
    return list(_shipped(backend)) if folder == _FOLDER else _read(folder / backend)


@cache
def _shipped(backend: str) -> tuple[Migration, ...]:
    return tuple(_read(_FOLDER / backend))


def _read(folder: Path) -> list[Migration]:
    return [_load(path) for path in sorted(folder.glob("*.sql"))]


def _load(path: Path) -> Migration:
    sql = path.read_text(encoding="utf-8")
    checksum = blake2b("\n".join(sql.splitlines()).encode(), digest_size=16).hexdigest()
    return Migration(name=path.stem, sql=sql, checksum=checksum)


def pending(migrations: Sequence[Migration], applied: Mapping[str, str]) -> list[Migration]:
    """The migrations still to be applied, in order.

    Args:
        migrations: those shipped.
        applied: checksum by name of those in force.

    Raises:
        SchemaMismatch: one in force was edited since, is not known, or would come after one still to be applied.
    """
    known = {migration.name: migration for migration in migrations}
    unknown = sorted(set(applied) - set(known))
    if unknown:
        raise SchemaMismatch(
            f"migration {unknown[0]} is in force, but this version ends at {migrations[-1].name}; "
            "a newer backbone wrote this database: use that version or newer"
        )
    for name, checksum in applied.items():
        if known[name].checksum != checksum:
            raise SchemaMismatch(
                f"migration {name} is in force with checksum {checksum}, but the file has {known[name].checksum}; "
                "restore the file and put the change into a new migration"
            )
    missing = [migration for migration in migrations if migration.name not in applied]
    if missing and applied and missing[0].name < max(applied):
        raise SchemaMismatch(
            f"migration {missing[0].name} is not in force, but the later {max(applied)} is; "
            "give the new migration the next free number"
        )
    return missing
