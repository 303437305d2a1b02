import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.once import once

ROOT = Path(__file__).parents[2]
TAKEN = ("mkdocs.yml", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it, from a copy without anything that was generated before."""
    return once(tmp_path_factory, "docs", _build) / "site"


def _build(home: Path) -> None:
    shutil.copytree(ROOT / "docs", home / "docs", ignore=shutil.ignore_patterns("api", "generated", "__pycache__"))
    for name in TAKEN:
        shutil.copy(ROOT / name, home / name)
    for command in (["docs/generate.py"], ["-m", "zensical", "build", "--clean", "--strict"]):
        done = subprocess.run([sys.executable, *command], cwd=home, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
