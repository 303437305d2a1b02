"""A TimescaleDB to measure on."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from backbone.services import native
from tests.services.stores import drop_database, make_database

__all__ = ["database"]


@asynccontextmanager
async def database() -> AsyncIterator[tuple[str, Path]]:
    """The URL of a fresh database, and a folder for more; server, database and folder go with the context.

    Raises:
        Unavailable, StartError: there is no server to be had.
    """
    folder = Path(tempfile.mkdtemp(prefix="backbone-bench-"))
    try:
        services = await native.up(["timescale"], data=folder / "services", die_with_parent=True)
        dsn = await make_database(services, "timescale")
        yield dsn, folder
        await drop_database(services, dsn)
    finally:
        await native.down(folder / "services")
        shutil.rmtree(folder, ignore_errors=True)
