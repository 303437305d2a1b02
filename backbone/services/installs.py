"""Install once: a folder in the cache is either whole or not there.

What is one version for ever has a name of its own. What changes with time (a distribution with its security updates)
has the moment of its making in its name: the newest one is used, and its age can be told.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import anyio

from backbone.services.locks import exclusive
from backbone.services.machine import Say, Unavailable

_INSTALL_SECONDS = 900.0
_FREE_BYTES = 1_500_000_000
_MOMENT = "%Y%m%dT%H%M%SZ"


def fingerprint(recipe: str) -> str:
    """Return a short name for a recipe, so that a changed recipe is a new installation beside the old one."""
    return hashlib.blake2b(recipe.encode(), digest_size=5).hexdigest()


async def install_once(target: Path, build: Callable[[Path], Awaitable[None]], *, say: Say) -> Path:
    """Build a folder unless it is there, safely against crashes and other processes.

    Args:
        target: the folder in the cache.
        build: fills the (missing) folder it is given; only a whole one is renamed to `target`.
        say: told about waiting for another process.

    Raises:
        Unavailable: the build can't be done on this machine.
        TimeoutError: another process has been building for too long.
    """
    if _is_there(target):
        return target
    lock = target.with_name(f".{target.name}.lock")
    async with exclusive(lock, what=f"the installation of {target.name}", say=say, timeout=_INSTALL_SECONDS):
        if not _is_there(target):
            await _build_aside(target, build)
    return target


async def install_newest(
    target: Path, build: Callable[[Path], Awaitable[None]], *, say: Say, since: datetime | None = None
) -> Path:
    """Return the newest installation of what changes with time, building one where there is none.

    Args:
        target: the folder in the cache, but for the moment in its name.
        build: as for `install_once`.
        say: told about waiting for another process.
        since: older ones don't count: one is built beside them.

    Raises:
        Unavailable: the build can't be done on this machine; what was there stays.
        TimeoutError: another process has been building for too long.
    """
    found = newest(target)
    if found is not None and _counts(found, since):
        return found
    lock = target.with_name(f".{target.name}.lock")
    async with exclusive(lock, what=f"the installation of {target.name}", say=say, timeout=_INSTALL_SECONDS):
        found = newest(target)
        if found is None or not _counts(found, since):
            found = target.with_name(f"{target.name}-{datetime.now(UTC).strftime(_MOMENT)}")
            await _build_aside(found, build)
    return found


def newest(target: Path) -> Path | None:
    """Return the newest installation, if there is one."""
    return max(all_of(target), default=None)


def all_of(target: Path) -> list[Path]:
    """Return all installations of what changes with time, the oldest first."""
    return sorted(path for path in target.parent.glob(f"{target.name}-*") if made(path) is not None)


def made(installation: Path) -> datetime | None:
    """Return when an installation was made (UTC); None where its name does not say: it is one version for ever."""
    with suppress(ValueError):
        return datetime.strptime(installation.name.rpartition("-")[2], _MOMENT).replace(tzinfo=UTC)
    return None


def superseded(installation: Path) -> bool:
    """Tell whether a newer one is installed."""
    target = installation.with_name(installation.name.rpartition("-")[0])
    return made(installation) is not None and newest(target) not in (None, installation)


def _counts(found: Path, since: datetime | None) -> bool:
    moment = made(found)
    return since is None or (moment is not None and moment >= since)


def _is_there(target: Path) -> bool:
    return target.is_dir()


async def _build_aside(target: Path, build: Callable[[Path], Awaitable[None]]) -> None:
    free = shutil.disk_usage(target.parent).free
    if free < _FREE_BYTES:
        raise Unavailable(
            f"{target.parent} has {free / 1e9:.1f} GB free, installing services needs {_FREE_BYTES / 1e9:.1f} GB: "
            "free some or choose another cache folder"
        )
    partial = target.with_name(f".{target.name}.partial")
    await anyio.to_thread.run_sync(shutil.rmtree, partial, True)
    try:
        await build(partial)
        partial.rename(target)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(shutil.rmtree, partial, True)
