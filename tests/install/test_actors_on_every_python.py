"""The tests of the runtime pass on every Python found, beside its wheel and what tests need, in locked versions."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import pytest

from tests.install.kit import LOCKED, ROOT, each_python, interpreters, part_of, run

TOOLS = {"hypothesis", "mypy", "opentelemetry-sdk", "uvloop"}
SUITES = ("tests/actors", "docs/examples/actors")


@pytest.fixture(scope="module", params=each_python())
def project(
    request: pytest.FixtureRequest, sources: Path, runtime_wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The sources, with an environment that has the runtime's wheel and what its tests import, and nothing else."""
    project = Path(shutil.copytree(sources, tmp_path_factory.mktemp(f"suite{request.param}") / "project"))
    declared = tomllib.loads((ROOT / "actors/pyproject.toml").read_text())["project"]
    needed = [*declared["dependencies"], *declared["optional-dependencies"]["test"], *TOOLS]
    (project / "tests.lock").write_text(part_of(ROOT / "requirements-dev.lock", needed))
    run(interpreters()[request.param], "-m", "venv", "env", cwd=project)
    pip = (project / "env/bin/python", "-m", "pip", "--disable-pip-version-check")
    run(*pip, "install", "--quiet", *LOCKED, "-r", "tests.lock", cwd=project)
    run(*pip, "install", "--quiet", "--no-deps", runtime_wheel, cwd=project)
    assert "No broken requirements found." in run(*pip, "check", cwd=project)
    for code in (project / "actors").rglob("*.py"):
        code.unlink()  # the wheel's is tested
    assert run(project / "env/bin/python", "-V", cwd=project).startswith(f"Python {request.param}.")
    return project


def test_the_tests_of_the_runtime_pass_and_none_is_left_out(project: Path) -> None:
    out = run(
        project / "env/bin/python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *SUITES, cwd=project, timeout=580
    )
    assert re.fullmatch(r"\d+ passed in \S+s( \(.*\))?", out.strip().splitlines()[-1]), out[-2000:]
