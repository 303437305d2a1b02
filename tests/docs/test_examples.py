"""What the pages tell a reader to type works as typed: Python examples run, command lines are accepted."""

import functools
import importlib.util
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from backbone import Backbone, Dimension, Frame
from backbone.cli.main import main
from backbone.cli.table import COMMANDS
from backbone.sources.text.layout import match_columns
from tests.programs import lean

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
WRITTEN = [path for path in sorted(DOCS.rglob("*.md")) if not {"api", "generated"} & set(path.parts)]
PAGES = [*WRITTEN, ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
RUN = [
    "index.md",
    "explanation/delivery.md",
    "how-to/actors/tracing.md",
    "how-to/backfill.md",
    "how-to/bars.md",
    "how-to/export.md",
    "how-to/instruments.md",
    "how-to/low-latency.md",
    "how-to/own-files.md",
    "how-to/quarantine.md",
    "how-to/providers.md",
    "how-to/read-without-our-code.md",
    "how-to/repairs.md",
    "how-to/retention.md",
    "how-to/schedule.md",
    "how-to/sql.md",
    "how-to/subscribe.md",
    "how-to/trade-gate.md",
    "reference/configuration.md",
    "reference/data-model.md",
    "reference/telemetry.md",
]
ELSEWHERE = [
    "tests/lakes/test_lakes.py",
    "tests/backbone/test_docs.py",
    "tests/actors/test_docs.py",
    "tests/services/test_kafka_reader.py",
    "tests/spark/test_docs.py",
]
SHELL = {"", "console", "sh", "bash", "shell"}
BLOCK = re.compile(r"```python\n(.*?)```\n", re.DOTALL)
OUTPUT = re.compile(r"```python\n.*?```\n\n```text\n(.*?)```\n", re.DOTALL)
COMMAND = re.compile(r"^(?:\$ |    )?(?:\.venv/bin/)?backbone ((?:[^\n\\]|\\\n)+)$", re.MULTILINE)


@pytest.mark.parametrize("page", RUN)
def test_the_examples_of_a_page_run_and_print_what_it_says(page: str, tmp_path: Path) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    blocks = BLOCK.findall(text)
    assert blocks
    printed = "".join(_run(block, tmp_path) for block in blocks)
    assert printed == "".join(OUTPUT.findall(text))


def _run(code: str, folder: Path) -> str:
    command = [sys.executable, "-W", "error", "-c", code]
    environment = None if "import pandas" in code else lean()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_page_with_python_is_run_by_a_test() -> None:
    others = "".join((ROOT / path).read_text() for path in ELSEWHERE)
    for path in WRITTEN:
        page = str(path.relative_to(DOCS))
        if "```python" in path.read_text(encoding="utf-8"):
            assert page in RUN or page == "how-to/fastapi.md" or f'"{page}"' in others, f"nothing runs {page}"


class HTTPException(Exception):
    """FastAPI's, as far as the page uses it."""

    def __init__(self, status_code: int, detail: str) -> None:
        super().__init__(status_code, detail)
        self.status_code = status_code


class StandIn:
    """An application that keeps its routes' functions as they are, as FastAPI does."""

    def __init__(self, lifespan: object) -> None:
        self.state = SimpleNamespace()

    def get(self, path: str) -> Any:
        return lambda function: function


@pytest.fixture
def fastapi(monkeypatch: pytest.MonkeyPatch) -> None:
    """FastAPI where it is installed; else what the page needs of it, for it is no dependency."""
    if importlib.util.find_spec("fastapi") is None:
        module = ModuleType("fastapi")
        vars(module).update(FastAPI=StandIn, HTTPException=HTTPException, Request=object, Query=lambda **_: None)
        monkeypatch.setitem(sys.modules, "fastapi", module)


@pytest.mark.usefixtures("fastapi")
async def test_the_fastapi_application_serves_bars_and_health(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = BLOCK.findall((DOCS / "how-to/fastapi.md").read_text())
    page: dict[str, Any] = {"__name__": "app"}
    exec(compile(code, "app.py", "exec"), page)  # noqa: S102  it is our own page
    application = page["app"]
    request = SimpleNamespace(app=application)
    async with page["lifespan"](application):
        await _fill(application.state.backbone)
        assert [bar["close"] for bar in (await page["bars"](request, "EURUSD", limit=1))["bars"]] == [1.5]
        with pytest.raises(sys.modules["fastapi"].HTTPException) as refused:
            await page["bars"](request, "EURUSD", interval="7m")
        assert refused.value.status_code == 422
        assert set((await page["health"](request))["parts"]) == {"store", "cache", "stream"}


def test_the_names_of_columns_that_the_page_lists_are_understood() -> None:
    text = (DOCS / "how-to/own-files.md").read_text()
    rows = re.findall(r"^\| ((?:`\w+` ?)+)\| ([\w, ]+) \|$", text, re.MULTILINE)
    assert len(rows) > 10
    for columns, names in rows:
        for column, name in _paired(re.findall(r"\w+", columns), names.split(", ")):
            (dimension, *_) = [each for each in Dimension if column in each.columns]
            header = [name if each == column else each for each in dimension.columns]
            places, _ = match_columns("file.csv", header, dimension)
            assert places[column] == header.index(name), f"{name} is not read as {column}"


def _paired(columns: list[str], names: list[str]) -> list[tuple[str, str]]:
    """Each name with its column; where a cell has several columns, their names follow in the same order."""
    return [(columns[place * len(columns) // len(names)], name) for place, name in enumerate(names)]


def test_every_target_named_on_a_page_is_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        for names in re.findall(r"(?:`|^\$ )make ((?:[a-z-]+ ?)+)(?:`|$)", text, re.MULTILINE):
            for target in names.split():
                assert f"\n{target}:" in makefile, f"{path.name}: make {target}"


async def _fill(backbone: Backbone) -> None:
    from datetime import UTC, datetime

    prices = {"open": 1.0, "high": 2.0, "low": 0.5, "close": 1.5}
    row = {"symbol": "EURUSD", "interval": "1h", "ts": datetime(2020, 1, 6, tzinfo=UTC), **prices}
    await backbone.record(Frame.from_records(Dimension.INTRADAY_BARS, [row]))


def command_lines() -> list[tuple[str, str]]:
    """Each line of a page that begins with `backbone` or a prompt, where it stands in a block of code."""
    found = []
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        fences = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
        blocks = [block for language, block in fences if language in SHELL]
        indented = [] if "```python" in text else re.findall(r"^    backbone .*$", text, re.MULTILINE)
        inline = [each for each in re.findall(r"`(backbone [a-z][^`…]*)`", text) if " -" in each]
        lines = [match for block in [*blocks, *indented, *inline] for match in COMMAND.findall(block)]
        found += [(path.name, line.replace("\\\n", " ")) for line in lines]
    return found


def test_every_command_named_in_passing_exists() -> None:
    known = {" ".join(command.words[:depth]) for command in COMMANDS for depth in (1, 2)} | {"help exit-codes"}
    for path in PAGES:
        for name in re.findall(r"`backbone ([a-z][a-z -]*?)`", path.read_text(encoding="utf-8")):
            assert name.partition(" -")[0] in known, f"{path.name}: backbone {name}"


def test_every_command_line_on_a_page_is_accepted_as_typed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    called: list[str] = []
    for command in COMMANDS:
        module = import_module(command.module)
        monkeypatch.setattr(module, command.function, _noting(getattr(module, command.function), called))
    monkeypatch.chdir(tmp_path)
    lines = command_lines()
    assert len(lines) >= 20
    for page, line in lines:
        before = len(called)
        words = shlex.split(line, comments=True)
        code = main(words)
        assert code == 0, f"{page}: backbone {line}"
        assert len(called) == before + (words[0] not in {"help", "--help"}), f"{page}: backbone {line}"


def _noting(function: Any, called: list[str]) -> Any:
    @functools.wraps(function)
    def noted(*_: object, **__: object) -> int:
        called.append(function.__name__)
        return 0

    return noted
