"""One seed, as processes of a pool run it."""

from __future__ import annotations

import logging

from tests.simulation.mutants import mutated
from tests.simulation.play import Outcome, play

__all__ = ["run"]


def run(seed: int, mutant: str | None = None) -> Outcome:
    """One seed, with or without a bug; the log of the backbone is not what anybody wants to read of it."""
    logging.disable(logging.CRITICAL)
    try:
        with mutated(mutant):
            return play(seed)
    finally:
        logging.disable(logging.NOTSET)
