"""The programs of docs/examples/actors run, print what their pages say, and stay small; each is on a page."""

import importlib.util
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from anyio import fail_after
from anyio.lowlevel import checkpoint

import actors
import actors.testing
from actors import SystemFailed
from tests.docs.test_examples import HTTPException, StandIn

DOCS = Path(__file__).parents[2] / "docs"
FILES = sorted((DOCS / "examples" / "actors").glob("*.py"))
PROGRAMS = [path for path in FILES if "__main__" in path.read_text(encoding="utf-8")]
SUITE = ["conftest.py", "test_with_virtual_clock.py"]
SHOWN = re.compile(
    r'``` { .python }\n--8<-- "docs/examples/actors/(\w+\.py)"\n```\n(?:\n```text\n(.*?)```\n)?', re.DOTALL
)


"""A file in place of code. The fence is not `python` alone, or ruff would format the line that names the file."""


def shown() -> Iterator[tuple[str, str]]:
    """Each file that a page shows, and the output that the page gives for it."""
    for page in DOCS.rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        found = SHOWN.findall(text)
        assert len(found) == text.count("{ .python"), f"{page.name} has code that no file holds"
        yield from found


def test_each_example_is_on_one_page() -> None:
    assert sorted(name for name, _ in shown()) == [path.name for path in FILES]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_example_says_what_it_shows_and_fits_on_a_page(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith('"""')
    assert len(text.splitlines()) <= 60


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_a_program_prints_what_its_page_says(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out == dict(shown())[path.name]


def test_the_suite_is_green(tmp_path: Path) -> None:
    for name in SUITE:
        shutil.copy(DOCS / "examples" / "actors" / name, tmp_path / name)
    command = [sys.executable, "-m", "pytest", "-q", "-o", "asyncio_mode=auto", "-p", "no:cacheprovider", "."]
    environment = {**os.environ, "COVERAGE_PROCESS_START": ""}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


@pytest.fixture
def application(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The module of the FastAPI example; FastAPI where it is installed, else what the example needs of it."""
    if importlib.util.find_spec("fastapi") is None:
        module = ModuleType("fastapi")
        vars(module).update(FastAPI=StandIn, HTTPException=HTTPException, Request=object)
        monkeypatch.setitem(sys.modules, "fastapi", module)
    return runpy.run_path(str(DOCS / "examples/actors/fastapi_lifespan.py"))


async def test_the_application_counts_visits_and_shows_its_actors(application: dict[str, Any]) -> None:
    app = application["app"]
    request = SimpleNamespace(app=app)
    async with application["lifespan"](app):
        assert [await application["visit"](request, "home") for _ in range(2)] == [{"visits": 1}, {"visits": 2}]
        assert await application["health"](request) == {"/site": "running", "/site/counter": "running"}
        await app.state.counter.stop()
        with pytest.raises(sys.modules["fastapi"].HTTPException) as refused:
            await application["visit"](request, "home")
        assert refused.value.status_code == 503


async def test_a_failed_system_ends_the_server(application: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr(signal, "raise_signal", sent.append)
    with pytest.raises(SystemFailed):
        await _exceed_the_budget(application)
    assert sent == [signal.SIGTERM]


async def _exceed_the_budget(application: dict[str, Any]) -> None:
    app = application["app"]
    async with application["lifespan"](app):
        with fail_after(10):
            while True:
                await app.state.counter.kill()
                await checkpoint()


def test_every_public_name_is_on_a_page() -> None:
    pages = [
        path for path in DOCS.rglob("*.md") if not {"api", "generated", "project"} & set(path.relative_to(DOCS).parts)
    ]
    words = {word for path in [*pages, *FILES] for word in re.findall(r"\w+", path.read_text(encoding="utf-8"))}
    assert [name for name in [*actors.__all__, *actors.testing.__all__] if name not in words] == []
