"""What a benchmark hands back, and how it looks: machine, versions, tables, floors."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Table:
    """Rows of text under a heading."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True)
class Floor:
    """A promise and what was measured."""

    what: str
    wanted: str
    measured: str
    met: bool


@dataclass(frozen=True)
class Report:
    """One benchmark's outcome; `page` is the file it is kept in."""

    title: str
    tables: Sequence[Table]
    floors: Sequence[Floor] = ()
    packages: Sequence[str] = ()
    page: str = ""
    intro: str = ""
    notes: Sequence[str] = field(default_factory=tuple)


def flat(what: str, before: float, after: float, *, of: str, allowed: float) -> Floor:
    """That memory, in MiB, did not grow by more than a share.

    Args:
        what: was measured.
        before, after: first, and later on.
        of: whose memory `before` was: "the first one".
        allowed: 0.1 is a tenth.
    """
    most = f"at most {allowed:.0%} above {of}'s {before:.1f} MiB"
    return Floor(what, most, f"{after:.1f} MiB", after <= before * (1 + allowed))


def machine() -> str:
    """Processor, cores, load and Python."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        named = [line for line in info.read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
        model = named[0].partition(":")[2].strip() if named else model
    load = f"; load average {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{model}, {os.cpu_count()} cores; {platform.system()}; {python}{load}"


def versions(packages: Iterable[str]) -> str:
    """The versions of what was measured."""
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)


def markdown(report: Report) -> str:
    """The whole report as a page."""
    lines = [f"# {report.title}", "", report.intro, "", f"Machine: {machine()}", ""]
    if report.packages:
        lines += [f"Versions: {versions(report.packages)}", ""]
    for table in report.tables:
        lines += [f"## {table.title}", "", *_grid(table.head, table.rows), ""]
        if table.note:
            lines += [table.note, ""]
    if report.floors:
        rows = [(each.what, each.wanted, each.measured, "yes" if each.met else "NO") for each in report.floors]
        lines += ["## Floors", "", *_grid(("what", "floor", "measured", "met"), rows), ""]
    lines += [line for note in report.notes for line in (note, "")]
    return "\n".join(lines).rstrip() + "\n"


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [
        "| " + " | ".join(head) + " |",
        "|" + "|".join(" --- " for _ in head) + "|",
        *("| " + " | ".join(row) + " |" for row in rows),
    ]
