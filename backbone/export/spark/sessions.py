"""Who belongs to a session: all that a child has started, also in groups of their own."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

__all__ = ["living"]


def living(session: int) -> list[int]:
    """The processes of a session that are not dead yet, by their numbers."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            fields = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] not in "ZX":
                found.append(int(entry.name))
    return found
