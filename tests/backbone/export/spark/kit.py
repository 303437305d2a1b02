"""A child that stands in for Spark's: a program of a few lines, which gets its job and says what a test has it say."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from backbone import Settings, load_settings
from backbone.domain.status import Status
from backbone.export.messages import RunExport
from tests.backbone.export.kit import Bench, trades

_HEAD = """#!{python}
import json, os, subprocess, sys, time
job = json.loads(sys.stdin.readline())

def say(kind, **more):
    print(json.dumps(dict(type=kind, **more)), flush=True)

def wait():
    sys.stdin.read()

"""
STARTED = 'say("started", version="4.3.0", seconds=0.5)\n'
DONE = 'say("done", rows=7, files=2)\n'


def fake(folder: Path, body: str) -> Path:
    """An interpreter that does just that, whatever module it is to run."""
    path = folder / "python"
    path.write_text(_HEAD.format(python=sys.executable) + body)
    path.chmod(0o700)
    return path


class Spark:
    """A Spark that works here and now, for what a job does beside Spark."""

    version = "4.3.0"
    defaultParallelism = 2  # noqa: N815 - as Spark has it

    @property
    def sparkContext(self) -> Self:  # noqa: N802 - as Spark has it
        return self

    def parallelize(self, values: Sequence[Any], slices: int) -> Self:
        assert 0 < slices <= len(values)
        self._values = list(values)
        return self

    def map(self, function: Callable[[Any], Any]) -> Self:
        self._values = [function(value) for value in self._values]
        return self

    def collect(self) -> list[Any]:
        return self._values


def settings(root: Path, python: Path | None, **spark: object) -> Settings:
    overrides: dict[str, object] = {"export.path": str(root), "control.enabled": False}
    overrides |= {f"export.spark.{name}": value for name, value in spark.items()}
    if python is not None:
        overrides["export.spark.python"] = str(python)
    return load_settings(profile="embedded", env={}, overrides=overrides)


async def exported(bench: Bench) -> Path:
    """An export of a few trades; returns the folder of exports."""
    await bench.put(trades(range(50)))
    report = await bench.export(RunExport())
    assert report.status is Status.OK
    return bench.root
