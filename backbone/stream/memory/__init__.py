"""The stream of a laptop and of tests: a log within the process, gone with it."""

from __future__ import annotations

from backbone.stream.memory.stream import MemoryStream

__all__ = ["MemoryStream"]
