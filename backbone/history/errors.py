"""What is wrong with files of an export."""

from __future__ import annotations

__all__ = ["Damaged"]


class Damaged(Exception):
    """A file of an export is missing, or is not the one that was written; the store is read instead."""
