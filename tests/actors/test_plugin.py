"""The pytest plugin in suites that know nothing of it, and in those that use it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {missing}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
import pytest
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-p", "actors.testing.plugin", *{plugins}, "."]))
"""

FOREIGN = """
import sys

def test_nothing_of_the_runtime_is_loaded():
    assert sorted(name for name in sys.modules if name.partition(".")[0] in ("actors", "backbone", "msgspec")) == [
        "actors", "actors.testing", "actors.testing.plugin"
    ]
"""

ANYIO = """
import pytest
from actors import ChildSpec, Message
from actors.testing import Probe, TestSystem

class Note(Message):
    pass

@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.mark.anyio
async def test_uses_the_fixtures(actor_system, probe):
    assert isinstance(actor_system, TestSystem)
    await probe.ref.tell(Note())
    await probe.expect(Note)
"""


def run(folder: Path, test: str, missing: tuple[str, ...], plugins: tuple[str, ...] = ()) -> str:
    (folder / "test_it.py").write_text(test, encoding="utf-8")
    options = [part for plugin in plugins for part in ("-p", plugin)]
    code = WITHOUT.format(missing=missing, plugins=options)
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_suite_without_pytest_asyncio_runs_as_if_it_were_not_there(tmp_path: Path) -> None:
    missing = ("pytest_asyncio", "anyio", "msgspec", "structlog")
    assert "1 passed" in run(tmp_path, FOREIGN, missing)


def test_a_suite_with_pytest_asyncio_loads_nothing_of_the_runtime_either(tmp_path: Path) -> None:
    assert "1 passed" in run(tmp_path, FOREIGN, (), ("pytest_asyncio.plugin",))


def test_without_pytest_asyncio_the_fixtures_work_by_the_plugin_of_anyio(tmp_path: Path) -> None:
    assert "1 passed" in run(tmp_path, ANYIO, ("pytest_asyncio",), ("anyio.pytest_plugin",))


@pytest.mark.parametrize("module", ["actors", "actors.testing"])
def test_every_public_name_can_be_imported(module: str) -> None:
    code = f"import {module} as m; print([n for n in m.__all__ if getattr(m, n, None) is None or n not in dir(m)])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="has no attribute 'Nobody'"):
        sys.modules[module].Nobody  # noqa: B018 - it is the access that is tested
