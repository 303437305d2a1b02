"""Campaigns: batches of damaged bytes, each in a child, and the bounds that all keep."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

__all__ = ["MOST_GROWTH", "MOST_SECONDS", "Campaign", "campaign"]

MOST_SECONDS: Final = 1.0
"""Processor time of one case."""
MOST_GROWTH: Final = {
    "payload": 64 * 2**20,
    **dict.fromkeys(("csv", "csv.gz", "csv.zip", "csv.zst"), 128 * 2**20),
    "parquet": 512 * 2**20,
}
"""Bytes that a process grows by while it reads."""

_BATCH: Final = 5_000


@dataclass
class Campaign:
    """What became of all of a kind; `wrong` is "" where every bound was kept."""

    kind: str
    found: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    grown: int = 0
    wrong: str = ""

    def __str__(self) -> str:
        counts = ", ".join(f"{count:,} {what}" for what, count in self.found.most_common())
        memory = f"grown by {self.grown / 2**20:.0f} MiB of {MOST_GROWTH[self.kind] // 2**20}"
        told = f"{self.kind:<8} {self.found.total():>7,}: {counts}; slowest {self.slowest:.3f} s, {memory}"
        return f"{told}; {self.wrong}" if self.wrong else told


def campaign(kind: str, seed: int, count: int, first: int = 0) -> Campaign:
    """Damage and read so many of a kind, until one goes wrong."""
    result = Campaign(kind)
    for start in range(first, first + count, _BATCH):
        _run(result, seed, start, min(_BATCH, first + count - start))
        if result.wrong:
            break
    return result


def _run(result: Campaign, seed: int, start: int, count: int) -> None:
    command = [sys.executable, "-m", "tests.fuzz.child", result.kind, *map(str, (seed, start, count))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"ended by {done.returncode}"]
        result.wrong = f"case {lines[-1] if lines else start} and later of seed {seed}: {last[0]}"
        return
    told = json.loads(lines[-1])
    result.found.update(told["found"])
    result.slowest = max(result.slowest, told["slowest"])
    result.grown = max(result.grown, told["grown"])
    if told["slowest"] > MOST_SECONDS:
        result.wrong = f"case {told['at']} of seed {seed} took {told['slowest']:.1f} s"
    elif told["grown"] > MOST_GROWTH[result.kind]:
        result.wrong = f"cases {start} to {start + count} of seed {seed} grew too much"
