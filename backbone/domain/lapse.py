"""How long one process may be silent until another takes over what it did; one place, so that both count alike."""

from __future__ import annotations

from typing import Final

__all__ = ["BEAT", "HELD", "LAPSE", "TRY"]

LAPSE: Final = 3.0
"""Seconds of silence after which the holder of a lease is put out."""

HELD: Final = 2.0
"""Seconds, by its own clock, for which a holder goes on after it last asked: it stops before another one begins."""

BEAT: Final = 0.5
"""Seconds between the questions of a holder."""

TRY: Final = 0.25
"""Seconds between the tries of who waits: a process that was killed is followed as soon."""
