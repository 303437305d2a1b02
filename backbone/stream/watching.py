"""Tells the hook for observation of one piece of work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from actors import Reject
from backbone.domain.errors import BackboneError
from backbone.domain.observing import Observe

__all__ = ["watched"]


@contextmanager
def watched(observe: Observe | None, clock: Callable[[], float], what: str) -> Iterator[None]:
    """Measure the body, and say how it ended.

    Args:
        observe: whom to tell; None: nobody.
        clock: monotonic seconds.
        what: the name of the work.
    """
    began, outcome = clock(), "failed"
    try:
        yield
        outcome = "ok"
    except (Reject, BackboneError) as error:
        outcome = f"refused:{error.code}"
        raise
    finally:
        if observe is not None:
            observe(what, clock() - began, outcome)
