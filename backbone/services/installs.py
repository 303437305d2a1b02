"""Install once: a folder in the cache is either whole or not there."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio

from backbone.services.locks import exclusive
from backbone.services.machine import Say, Unavailable

_INSTALL_SECONDS = 900.0
_FREE_BYTES = 1_500_000_000


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
