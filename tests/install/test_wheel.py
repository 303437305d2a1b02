"""README's commands give a package that works in an empty folder, on every Python found."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest

from tests.install.kit import ROOT, each_python, run, typed

README = ROOT / "README.md"


@pytest.fixture(scope="module", params=each_python())
def installed(request: pytest.FixtureRequest, sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which a reader has typed README's commands, with the versions of our lock."""
    return typed(README, sources, tmp_path_factory.mktemp(f"python{request.param}"), request.param)


def test_the_example_runs_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    (tmp_path / "first_bars.py").write_text(code)
    first = run(installed / "env/bin/python", "-W", "error", "first_bars.py", cwd=tmp_path)
    again = run(installed / "env/bin/python", "-W", "error", "first_bars.py", cwd=tmp_path)
    assert first == "5000 rows came over the stream\n" + again
    assert again == "500 newest bars, last close 1.14657\n"


def test_a_rehearsal_succeeds_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    page = run(installed / "env/bin/backbone", "rehearse", "--profile", "embedded", cwd=tmp_path)
    assert "rehearsal succeeded" in page


def test_the_extra_for_institutions_brings_the_client_of_the_server_store(installed: Path, tmp_path: Path) -> None:
    python = installed / "env/bin/python"
    (wheel,) = (installed / "dist").glob("*.whl")
    pins = installed.parent / "pins.txt"
    run(python, "-m", "pip", "install", "--quiet", f"{wheel}[institutional]", cwd=tmp_path, PIP_CONSTRAINT=str(pins))
    run(python, "-c", "from backbone.store.timescale import TimescaleStore", cwd=tmp_path)
    assert "No broken requirements found." in run(python, "-m", "pip", "check", cwd=tmp_path)


def test_the_wheel_holds_the_packages_and_their_files_and_nothing_else(installed: Path) -> None:
    (wheel,) = (installed / "dist").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names} == {
        "actors",
        "backbone",
        "-".join(wheel.name.split("-")[:2]) + ".dist-info",
    }
    of_the_runtime = {name for name in names if name.startswith("actors/")}
    assert {name for name in of_the_runtime if not name.endswith(".py")} == {"actors/py.typed"}
    for path in ("py.typed", "_files/config/embedded.yaml", "_files/config/samples/eurusd_1h_tail.csv.gz"):
        assert f"backbone/{path}" in names
    assert not [name for name in names if name.endswith((".pyc", ".env.local", ".duckdb")) or "test_" in name]
