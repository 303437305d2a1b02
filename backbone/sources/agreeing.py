"""How far providers of the same rows agree: what each lacks, how old it is, how far its closes are from the first's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from backbone.domain import Frame
from backbone.domain.clock import from_us
from backbone.domain.values import python_of
from backbone.settings.sections.providers import MultiSettings

__all__ = ["compared"]

_VALUE = ("close", "price", "actual")


def compared(frames: Mapping[str, Frame], whole: Frame, limits: MultiSettings) -> Iterator[str]:
    """What is to be said of the rows of one symbol: whose they are, and words that begin with warn or error.

    Args:
        frames: by provider, the first before all others.
        whole: the rows that any of them has.
        limits: from which on something is said.
    """
    moments = _moments(whole)
    if not len(moments):
        return
    first = next(iter(frames))
    yield from _filled(frames)
    for kind, frame in frames.items():
        own = _moments(frame)
        share = len(own) / len(moments)
        if share < limits.warn_coverage:
            level = "error" if share < limits.fail_coverage else "warn"
            yield f"{level}: {kind} has {len(own):,} of {len(moments):,} rows that any provider has ({share:.0%})"
        late = timedelta(microseconds=int(moments[-1] - own[-1])) if len(own) else None
        if late is not None and late > timedelta(days=limits.stale_days):
            yield f"warn: the newest row of {kind} is {late.days} days older than that of another provider"
        if kind != first:
            yield from _drift(first, frames[first], kind, frame, limits.drift)


def _filled(frames: Mapping[str, Frame]) -> Iterator[str]:
    """Whose rows those are that the first lacks."""
    had = np.array([], dtype=np.int64)
    for number, (kind, frame) in enumerate(frames.items()):
        own = _moments(frame)
        more = np.setdiff1d(own, had)
        if number and len(more):
            first, last = (f"{from_us(int(each)):%Y-%m-%d %H:%M}" for each in more[[0, -1]])
            yield f"{len(more):,} moments are those of {kind}, from {first} to {last}"
        had = np.union1d(had, own)


def _drift(first: str, one: Frame, kind: str, other: Frame, most: float) -> Iterator[str]:
    name = next((name for name in _VALUE if name in one.dimension.columns), None)
    if name is None or "sequence" in one.dimension.key:
        return
    mine, theirs = _values(one, name), _values(other, name)
    both = sorted(mine.keys() & theirs.keys())
    if not both:
        return
    a, b = np.array([mine[each] for each in both]), np.array([theirs[each] for each in both])
    with np.errstate(divide="ignore", invalid="ignore"):
        drift = np.abs(a - b) / np.abs(a)
    apart = int((drift > most).sum())
    if apart:
        worst = float(np.nanmax(drift[np.isfinite(drift)], initial=0.0))
        which = f"{apart:,} of {len(both):,} values of {kind}"
        yield f"warn: {which} differ from {first} by over {most:.2%}, at most {worst:.2%}"


def _moments(frame: Frame) -> npt.NDArray[np.int64]:
    return np.unique(frame.column("ts").view(np.int64))


def _values(frame: Frame, name: str) -> dict[tuple[object, ...], float]:
    table = frame.to_arrow()
    keys = zip(*(python_of(table.column(each)) for each in frame.dimension.key), strict=True)
    return {key: value for key, value in zip(keys, python_of(table.column(name)), strict=True) if value is not None}
