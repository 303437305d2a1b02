"""Being somebody else for a moment, as only root can."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

NOBODY = 65534

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="not root: there is no other user to be")


@contextmanager
def being(user: int | None) -> Iterator[None]:
    """A socket remembers who was it that listened or connected; nothing else is to be done meanwhile."""
    if user is None:
        yield
        return
    before = os.geteuid()
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(before)
