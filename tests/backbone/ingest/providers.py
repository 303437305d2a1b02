"""A provider for tests: gives the rows of frames, and fails, or has its process killed, when it is told to."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from backbone import Dimension, Frame
from backbone.sources import registry
from backbone.sources.errors import SourceError
from backbone.sources.port import SourceChunk

KIND = "fake"


class Provider:
    """What stands behind the sources that `open` makes.

    Attributes:
        frames: all that there is.
        asked: what was asked for: symbol, start and end of each piece, as far as the source is told.
        failing: the numbers of pieces, from 1, that are refused.
        kill_at: the number of the chunk, from 1, in whose place the process is killed; None: never.
        break_at: likewise, in whose place the provider fails.
        chunk_rows: rows of a chunk.
    """

    def __init__(self, *frames: Frame, chunk_rows: int = 100_000) -> None:
        self.frames = {frame.dimension: frame for frame in frames}
        self.asked: list[str] = []
        self.failing: set[int] = set()
        self.kill_at: int | None = None
        self.break_at: int | None = None
        self.chunk_rows = chunk_rows
        self.chunks = 0

    def open(self, *, dimension: Dimension, **options: Any) -> _Source:
        """Stands for the entry point."""
        symbols = options.get("symbols") or ([options["symbol"]] if options.get("symbol") else [])
        self.asked.append(" ".join(symbols))
        frame = self.frames[dimension].select(symbols=list(symbols) or None, interval=options.get("interval"))
        bounds = {name: options[name] for name in ("start", "end") if isinstance(options.get(name), datetime)}
        return _Source(self, frame.select(**bounds) if bounds else frame)


class _Source:
    """One piece."""

    name = KIND

    def __init__(self, provider: Provider, frame: Frame) -> None:
        self._provider = provider
        self._frame = frame

    def describe(self) -> str:
        return KIND

    def chunks(self, *, progress: Callable[..., None] | None = None) -> Iterator[SourceChunk]:
        provider = self._provider
        if len(provider.asked) in provider.failing:
            raise SourceError("fake: 503 from the provider")
        for start in range(0, self._frame.num_rows, provider.chunk_rows):
            provider.chunks += 1
            if provider.chunks == provider.kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            if provider.chunks == provider.break_at:
                raise SourceError("fake: the answer ends in the middle")
            chunk = self._frame.slice(start, provider.chunk_rows)
            yield SourceChunk(chunk, (), str(start), start + chunk.num_rows)


def installed(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Provider:
    """Have the provider be found as an entry point, as long as the test lasts."""
    monkeypatch.setattr(registry, "entry_points", points(provider))
    return provider


def points(provider: Provider) -> Callable[..., list[Any]]:
    """What `entry_points` answers where the provider is installed."""

    class Point:
        name = KIND
        value = f"{__name__}:Provider"

        @staticmethod
        def load() -> Callable[..., _Source]:
            return provider.open

    return lambda *, group: [Point] if group == registry.GROUP else []
