"""Keeping Python's collector from walking over what is there for good, while a process serves."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["settled"]


@contextmanager
def settled() -> Iterator[None]:
    """Take all objects that there are for lasting ones: a full collection then looks at later ones alone.

    Modules and classes are some hundred thousand objects; to walk over them holds everything up for some 50 ms.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
