"""The root logger in tests that have the command line set it up."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["restored"]


@contextmanager
def restored() -> Iterator[None]:
    """Put its handlers and its level back at the end; loggers remember whether they were enabled until it is set."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
