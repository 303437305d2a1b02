"""The locks install on any day: with any pip, whatever was published after they were made."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.install.kit import ROOT, make, run

SMALL = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "small"
version = "1"
dependencies = ["pytest-cov>=7"]
[project.optional-dependencies]
{extras}
[dependency-groups]
{groups}
[tool.hatch.build]
dev-mode-dirs = ["."]
[tool.hatch.build.targets.wheel]
only-include = ["pyproject.toml"]
[tool.uv]
constraint-dependencies = ["coverage<{newest}"]
"""


@pytest.fixture(scope="module")
def one_release_back(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project locked by `make lock` with the coverage before the newest: what a lock is some days later."""
    folder = tmp_path_factory.mktemp("small")
    offered = run(sys.executable, "-m", "pip", "index", "versions", "coverage", cwd=folder)
    newest = offered[offered.index("(") + 1 : offered.index(")")]
    makefile = (ROOT / "Makefile").read_text()
    named = dict.fromkeys(re.findall(r"--group (\w+)", makefile))
    extras = "\n".join(f"{name} = []" for name in dict.fromkeys(re.findall(r"--extra (\w+)", makefile)))
    groups = "\n".join(f'{name} = ["{"hatchling" if name == "build" else "pytest-xdist"}"]' for name in named)
    (folder / "pyproject.toml").write_text(SMALL.format(newest=newest, extras=extras, groups=groups))
    make("locks", cwd=folder)
    (locked,) = re.findall(r"^coverage\S*==(\S+)", (folder / "requirements.lock").read_text(), flags=re.MULTILINE)
    assert locked != newest
    return folder


def test_a_lock_that_a_release_has_overtaken_installs(one_release_back: Path, tmp_path: Path) -> None:
    project = Path(shutil.copytree(one_release_back, tmp_path / "project"))
    assert "No broken requirements found." in make(".venv/product", cwd=project)
    assert "pytest-cov" in _installed(project)
    assert "pytest-xdist" not in _installed(project)
    assert "No broken requirements found." in make(".venv/installed", cwd=project)
    assert {"pytest-xdist", "pytest-cov", "small"} <= _installed(project)
    assert make("-q", ".venv/product", cwd=project) == ""


def test_the_newest_pip_installs_it_too(one_release_back: Path, tmp_path: Path) -> None:
    project = Path(shutil.copytree(one_release_back, tmp_path / "project"))
    run(sys.executable, "-m", "venv", ".venv", cwd=project)
    run(project / ".venv/bin/python", "-m", "pip", "install", "--quiet", "--upgrade", "pip", cwd=project)
    assert "No broken requirements found." in make(".venv/product", cwd=project)
    assert "pytest-cov" in _installed(project)


def test_make_run_needs_the_product_alone(sources: Path, tmp_path: Path) -> None:
    project = Path(shutil.copytree(sources, tmp_path / "project"))
    out = make("run", cwd=project)
    assert "No broken requirements found." in out
    assert "rehearsal succeeded" in out
    locked = set(re.findall(r"^([\w.-]+)\S*==", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE))
    assert _installed(project) == locked | {"backbone"}


def _installed(project: Path) -> set[str]:
    """The packages of the project's environment, without what every environment begins with."""
    listed = json.loads(run(project / ".venv/bin/python", "-m", "pip", "list", "--format", "json", cwd=project))
    return {package["name"].lower().replace("_", "-") for package in listed} - {"pip", "setuptools"}
