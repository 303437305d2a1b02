"""What a stranger gets: the sources in a folder of their own, made once, and the wheel of the runtime out of them."""

from __future__ import annotations

import sys
import tarfile
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.install.kit import LOCKED, ROOT, found, run
from tests.once import once

LONGEST = ("test_actors_on_every_python.py", "test_locks.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, or all wait for it in the end."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Have tests of one file on one Python done by one process, which makes their environment once.

    The groups of xdist 3.8 are lost with pytest 9.2, whose items keep the ids that they had.
    """
    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = _together
    return scheduler


def _together(nodeid: str) -> str:
    file, _, test = nodeid.partition("::")
    return f"{file}{test[test.find('[') :]}" if "[" in test else file


@pytest.fixture(scope="session")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has the locked builder and nothing else."""
    return once(tmp_path_factory, "builder", _builder) / "bin" / "python"


def _builder(folder: Path) -> None:
    run(sys.executable, "-m", "venv", ".", cwd=folder)
    lock = ROOT / "requirements-build.lock"
    run(folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-deps", *LOCKED, "-r", lock, cwd=folder)


@pytest.fixture(scope="session")
def sources(builder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, unpacked."""

    def unpacked(folder: Path) -> None:
        run(builder, "-m", "hatchling", "build", "-t", "sdist", "-d", folder / "dist", cwd=ROOT)
        (archive,) = (folder / "dist").glob("*.tar.gz")
        with tarfile.open(archive) as opened:
            opened.extractall(folder, filter="data")
        (folder / archive.name.removesuffix(".tar.gz")).rename(folder / "unpacked")

    return once(tmp_path_factory, "sources", unpacked) / "unpacked"


@pytest.fixture(scope="session")
def runtime_wheel(builder: Path, sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that the runtime is alone."""

    def built(folder: Path) -> None:
        run(builder, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=sources / "actors")

    (wheel,) = once(tmp_path_factory, "wheel", built).glob("*.whl")
    return wheel


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Where an interpreter is lacking, no test is missed: so it is said."""
    terminalreporter.write_line(found())
