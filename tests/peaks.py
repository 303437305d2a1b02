"""The most memory of a process."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

__all__ = ["peak"]

_STATUS = Path("/proc/self/status")


def peak() -> int:
    """The most memory, in bytes, that this process has held since its program began.

    Where the kernel tells it: `ru_maxrss` of a child begins with what its parent held when it was started, so that all
    that stays below that looks flat.
    """
    if _STATUS.exists():
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
