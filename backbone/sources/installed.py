"""What the packages of this environment add: looked up once, and again where one was installed or removed meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["entry_points"]

_Folders = tuple[tuple[str, int], ...]


def entry_points(*, group: str) -> Sequence[EntryPoint]:
    """All of a group, as packages are found; to read the notes of all of them takes a hundredth of a second."""
    return _found(group, tuple((path, _changed(path)) for path in sys.path))


def _changed(path: str) -> int:
    """When something was put into a folder, or taken out of it; 0: there is none."""
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=16)
def _found(group: str, folders: _Folders) -> Sequence[EntryPoint]:  # noqa: ARG001  the folders are the key
    from importlib import metadata  # slow to load, and a program that ingests nothing asks for no packages

    return tuple(metadata.entry_points(group=group))
