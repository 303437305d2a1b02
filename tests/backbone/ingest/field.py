"""Files as people have them, beside the project: the ingest commands of each case as plans."""

from __future__ import annotations

import argparse
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from backbone import IngestPlan
from backbone.cli.options import Written, symbols_of
from backbone.cli.plans import plan_of

SUFFIX = ".case.toml"
FOLDER = next((path.parent for path in Path(__file__).parents[4].glob(f"*/field/*{SUFFIX}")), None)
"""None: it is not there."""

_OF_FILE = ("interval", "source", "zone", "start", "end")
_OF_FORM = ("time_format", "time_unit", "decimal", "encoding", "stamps")


class Ingest(NamedTuple):
    """One ingest command of a case."""

    case: str
    line: str
    set: tuple[str, ...]

    def plan(self) -> IngestPlan:
        """What it asks for."""
        given = _PARSER.parse_args(shlex.split(self.line)[1:])
        written = Written(
            columns=tuple(given.columns),
            **{name: getattr(given, name) for name in _OF_FORM},
        )
        assert FOLDER is not None
        return plan_of(
            FOLDER / given.path,
            given.dimension,
            symbols=symbols_of(tuple(given.symbols)),
            written=written,
            **{name: getattr(given, name) for name in _OF_FILE},
        )

    def settings(self) -> dict[str, str]:
        """What it sets."""
        return dict(each.split("=", 1) for each in self.set)


def ingests() -> list[Ingest]:
    """All of them, each once."""
    if FOLDER is None:
        return []
    return list(dict.fromkeys(each for path in sorted(FOLDER.glob(f"*{SUFFIX}")) for each in _of(path)))


def _of(path: Path) -> Iterator[Ingest]:
    case = tomllib.loads(path.read_text(encoding="utf-8"))
    for check in (case, *case.get("also", [])):
        for way in check["allowed"]:
            for line in way.get("run", check.get("run", [])):
                if line.split()[0] == "ingest":
                    yield Ingest(path.name.removesuffix(SUFFIX), line, tuple(way.get("set", check.get("set", []))))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("path")
    parser.add_argument("--dimension", default="intraday_bars")
    for name in ("symbols", "columns"):
        parser.add_argument(f"--{name}", action="append", default=[])
    for name in (
        "interval",
        "source",
        "zone",
        "start",
        "end",
        "time-format",
        "time-unit",
        "decimal",
        "encoding",
        "stamps",
    ):
        parser.add_argument(f"--{name}")
    return parser


_PARSER = _parser()
