"""The bare yield: lets other tasks run once, without a checkpoint's cost."""

from __future__ import annotations

import types
from collections.abc import Generator


@types.coroutine
def pause() -> Generator[None, None, None]:
    """Give the loop one turn."""
    yield
