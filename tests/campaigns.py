"""Campaigns over chance: a part of each in every run of the tests, the whole by `make test-seeds`.

The part is large enough to find the bugs that the tests speak of; the whole hunts for those that nobody knows.
"""

from __future__ import annotations

import os

__all__ = ["WHOLE", "so_many"]

WHOLE = bool(os.environ.get("WHOLE_CAMPAIGNS"))
"""Whether all is asked for."""


def so_many(whole: int, *, part: int) -> int:
    """How many of a campaign's seeds, points or examples are tried in this run."""
    return whole if WHOLE else part
