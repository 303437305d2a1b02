import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from backbone.cli.main import main
from tests.backbone import logs

STRAY = (
    "BACKBONE_",
    "REDIS",
    "KAFKA",
    "TIMESCALE",
    "DATABASE_URL",
    "PG",
    "DATA_BACKBONE",
    "CACHE_",
    "EMP_",
    "RUN_MODE",
    "CONFIRM_LIVE",
    "CONNECTION_PROTOCOL",
    "NO_COLOR",
    "COLUMNS",
    "LANG",
    "LC_",
)


class Done(NamedTuple):
    """What one command line gave."""

    code: int
    out: str
    err: str


Cli = Callable[..., Done]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No stray settings, and the root logger as it was."""
    for name in list(os.environ):
        if name.startswith(STRAY):
            monkeypatch.delenv(name)
    with logs.restored():
        yield


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs a command line in this process, in an empty folder, where the store will be."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Done:
        capsys.readouterr()
        code = main(words)
        return Done(code, *capsys.readouterr())

    return run


BARS = (
    "ts,symbol,open,high,low,close\n2020-01-06T00:00:00Z,EURUSD,1,2,0.5,1.5\n2020-01-06T01:00:00Z,EURUSD,1.5,2,1,1.25\n"
)


@pytest.fixture
def bars(cli: Cli) -> str:
    """A small file of two hourly bars, in the folder of the command line."""
    Path("bars.csv").write_text(BARS)
    return "bars.csv"
