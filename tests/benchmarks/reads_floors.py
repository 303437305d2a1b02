"""What reads may take, beside the bare client of the same run."""

from __future__ import annotations

from collections.abc import Mapping

from tests.benchmarks.report import Floor

__all__ = ["BARE", "best", "group_of", "judged"]

BARE = {"TimescaleDB": ("asyncpg", "ADBC", "connectorx"), "DuckDB": ("bare DuckDB",)}
"""The bare clients of each store, by how its contestants' names end."""

Medians = Mapping[str, Mapping[str, float]]
"""Milliseconds by question and contestant."""

_RATIOS = (
    ("newest row of a symbol", 2.0),
    ("newest 500 trades of a symbol", 2.0),
    ("a year of hourly bars", 1.3),
    ("a day of trades of a symbol", 1.3),
    ("bars per minute of a day of trades", 1.5),
)
_ALL, _ALL_MS = "newest 500 trades of all symbols", 50.0
_AS_OF, _PLAIN, _AS_OF_RATIO = (
    "a day of trades, as of before 1 % of it was corrected",
    "a day of trades of a symbol",
    3.0,
)
_CACHED, _CACHED_MS = "newest 500 bars, cached", 0.060
_TAIL = "ArcticDB"
_SPANS = ("a year of hourly bars", "a day of trades of a symbol")
_PAST = (("Parquet", 2.0), ("mapped Arrow", 1.0))  # beside ArcticDB


def group_of(name: str) -> str:
    """The store that a contestant reads, "" for one that is nobody's measure."""
    for group, bare in BARE.items():
        if name in bare or name.endswith(group):
            return group
    return ""


def best(medians: Mapping[str, float], group: str) -> float | None:
    """The fastest bare client of a store; None: none was asked."""
    return min((medians[name] for name in BARE[group] if name in medians), default=None)


def judged(medians: Medians) -> list[Floor]:
    """Every floor of which both sides were measured."""
    found = []
    for group in BARE:
        ours = f"fetch, {group}"
        found += [_ratio(medians, each, ours, group, most) for each, most in _RATIOS if ours in medians[each]]
        found += [
            _past(medians[each], each, f"fetch from {name}, {group}", most) for each in _SPANS for name, most in _PAST
        ]
        if ours in medians[_ALL]:
            found.append(_limit(f"{_ALL}, {ours}", _ALL_MS, medians[_ALL][ours]))
        if ours in medians[_AS_OF]:
            beside = medians[_AS_OF][ours] / medians[_PLAIN][ours]
            found.append(Floor(f"{_AS_OF}, {ours}, beside now", f"<= {_AS_OF_RATIO:g}x", f"{beside:.2f}x", beside <= 3))
        if ours in medians[_CACHED]:
            found += _cached(medians[_CACHED], ours)
    return [each for each in found if each is not None]


def _ratio(medians: Medians, question: str, ours: str, group: str, most: float) -> Floor | None:
    measure = best(medians[question], group)
    if measure is None:
        return None
    beside = medians[question][ours] / measure
    return Floor(f"{question}, {ours}", f"<= {most:g}x", f"{beside:.2f}x", beside <= most)


def _past(medians: Mapping[str, float], question: str, ours: str, most: float) -> Floor | None:
    """A span out of an export, beside ArcticDB."""
    if ours not in medians or _TAIL not in medians:
        return None
    beside = medians[ours] / medians[_TAIL]
    return Floor(f"{question}, {ours}, beside ArcticDB", f"<= {most:g}x", f"{beside:.2f}x", beside <= most)


def _limit(what: str, most: float, taken: float) -> Floor:
    return Floor(what, f"<= {most:g} ms", f"{taken:.3g} ms", taken <= most)


def _cached(medians: Mapping[str, float], ours: str) -> list[Floor]:
    found = [_limit(f"{_CACHED}, {ours}", _CACHED_MS, medians[ours])]
    if _TAIL in medians:
        beside = medians[_TAIL] / medians[ours]
        found.append(Floor(f"{_CACHED}, {ours}: ahead of ArcticDB", ">= 1x", f"{beside:.1f}x", beside >= 1))
    return found
