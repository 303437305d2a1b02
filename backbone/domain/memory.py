"""Memory that the process has done with, back to the system."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

import pyarrow as pa

__all__ = ["give_back", "give_back_own"]


def _trimmer() -> Callable[[int], object] | None:
    """Glibc's own way; musl and other systems have none, and give back by themselves or not at all."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None


_TRIM = _trimmer()


def give_back() -> None:
    """Let the allocators return what they keep for next time.

    Each worker thread has an arena of its own, in which freed memory stays: a file that was read leaves some 50 MB of
    it. Takes about 10 ms, without the interpreter's lock; call it in a worker thread. Of what Arrow keeps, that of
    other threads that live goes back by `give_back_own` in these alone; that of threads that have ended goes with it.
    """
    give_back_own()
    if _TRIM is not None:
        _TRIM(0)


def give_back_own() -> None:
    """Let Arrow return what it keeps for the calling thread; takes less than a millisecond, so it may be the loop's."""
    pa.default_memory_pool().release_unused()
