"""What a lock pins: names, versions, hashes, where it is meant for, and who wants it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

__all__ = ["LOCKS", "ROOT", "Pinned", "normal", "pinned"]

ROOT = Path(__file__).parents[2]
LOCKS = tuple(sorted(path.name for path in ROOT.glob("requirements*.lock")))

_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?==(?P<version>[^\s;\\]+)\s*(?:;(?P<marker>[^\\]*))?")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_VIA = re.compile(r"^    #   (?:via )?(\S+)|^    # via (\S+)")


class Pinned(NamedTuple):
    """One package of a lock; `via` are the packages that want it, "" for the project itself."""

    name: str
    version: str
    hashes: tuple[str, ...]
    marker: str
    via: tuple[str, ...]


def pinned(lock: str) -> list[Pinned]:
    """All that a lock pins, in its order, by name.

    Raises:
        ValueError: a line is neither a pin with hashes nor a comment.
    """
    found: list[Pinned] = []
    for block in re.split(r"\n(?=[A-Za-z0-9])", lock.strip()):
        match = _PIN.match(block)
        hashes = tuple(_HASH.findall(block))
        if match is None or not hashes:
            raise ValueError(f"{block.splitlines()[0]!r} given; allowed is NAME==VERSION with hashes: make lock")
        wanted = (one or other for line in block.splitlines() for one, other in _VIA.findall(line))
        via = tuple("" if name.startswith("backbone") else normal(name) for name in wanted)
        marker = (match["marker"] or "").strip()
        found.append(Pinned(normal(match["name"]), match["version"], hashes, marker, via))
    return found


def normal(name: str) -> str:
    """The one spelling of a package's name."""
    return re.sub(r"[-_.]+", "-", name.partition("[")[0]).lower()
