"""The commands of the runtime's own README give it alone, in an empty folder, on every Python found."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.install.kit import ROOT, each_python, run, typed

README = ROOT / "actors" / "README.md"
EXAMPLES = ROOT / "docs" / "examples" / "actors"
ALONE = {"backbone-actors", "anyio", "msgspec", "structlog"}
THEIR_OWN = {"idna", "typing-extensions"}
"""What anyio and structlog need, on some of the Pythons."""


@pytest.fixture(scope="module", params=each_python())
def installed(request: pytest.FixtureRequest, sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which a reader has typed the commands, with the versions of our lock."""
    return typed(README, sources, tmp_path_factory.mktemp(f"alone{request.param}"), request.param)


def test_it_brings_three_packages_and_what_those_need(installed: Path) -> None:
    python = installed / "env/bin/python"
    listed = json.loads(run(python, "-m", "pip", "list", "--format", "json", cwd=installed))
    names = {package["name"].lower().replace("_", "-") for package in listed} - {"pip", "setuptools"}
    assert names >= ALONE
    assert names - ALONE <= THEIR_OWN
    assert "No broken requirements found." in run(python, "-m", "pip", "check", cwd=installed)


def test_the_quick_start_and_the_examples_run_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    python, page = installed / "env/bin/python", README.read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    (tmp_path / "quick_start.py").write_text(code)
    printed = run(python, "-W", "error", "quick_start.py", cwd=tmp_path)
    assert f"```text\n{printed}```" in page
    for path in EXAMPLES.glob("*.py"):
        if "__main__" in path.read_text():
            assert run(python, "-W", "error", path, cwd=tmp_path), path.name


def test_the_wheel_holds_the_package_and_nothing_else(installed: Path) -> None:
    (wheel,) = (installed / "dist").glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    code = {str(path.relative_to(ROOT)) for path in (ROOT / "actors").rglob("*.py")} | {"actors/py.typed"}
    assert {name for name in names if ".dist-info/" not in name} == code
    assert {name.partition("/")[0] for name in names - code} == {"-".join(wheel.name.split("-")[:2]) + ".dist-info"}


def test_the_extra_for_spans_brings_opentelemetry_alone(installed: Path, tmp_path: Path) -> None:
    python = installed / "env/bin/python"
    (wheel,) = (installed / "dist").glob("*.whl")
    code = "import actors, actors.otel; print(actors.otel.instrument(actors.ActorSystem('s')).name)"
    without = "try: import actors.otel\nexcept ModuleNotFoundError as error: print(error)"
    assert "needs opentelemetry-api" in run(python, "-W", "error", "-c", without, cwd=tmp_path)
    pins = str(installed.parent / "pins.txt")
    before = run(python, "-m", "pip", "freeze", cwd=tmp_path).splitlines()
    run(python, "-m", "pip", "install", "--quiet", f"{wheel}[otel]", cwd=tmp_path, PIP_CONSTRAINT=pins)
    assert run(python, "-W", "error", "-c", code, cwd=tmp_path) == "s\n"
    added = set(run(python, "-m", "pip", "freeze", cwd=tmp_path).splitlines()) - set(before)
    assert {line.partition("==")[0].replace("_", "-") for line in added} - THEIR_OWN == {"opentelemetry-api"}


def test_the_extra_for_tests_brings_the_fixtures_and_both_wheels_bring_them_once(
    installed: Path, tmp_path: Path
) -> None:
    python = installed / "env/bin/python"
    (wheel,) = (installed / "dist").glob("*.whl")
    pins = str(installed.parent / "pins.txt")
    run(python, "-m", "pip", "install", "--quiet", f"{wheel}[test]", cwd=tmp_path, PIP_CONSTRAINT=pins)
    for name in ("conftest.py", "test_with_virtual_clock.py"):
        shutil.copy(EXAMPLES / name, tmp_path / name)
    settings = ("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")
    suite = (python, "-m", "pytest", "-q", "-W", "error", *settings, ".")
    assert "3 passed" in run(*suite, cwd=tmp_path)
    run(python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, installed, cwd=tmp_path)
    (other,) = tmp_path.glob("*.whl")
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", other, cwd=tmp_path)
    assert "3 passed" in run(*suite, cwd=tmp_path)
    (code,) = (installed / "env").glob("lib/python*/site-packages/actors/__init__.py")
    run(python, "-m", "pip", "uninstall", "--quiet", "--yes", "backbone", cwd=tmp_path)
    assert not code.exists(), "README says that whichever is removed takes the files along"
