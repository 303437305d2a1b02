"""What a stranger gets: the sources in a folder of their own, made once."""

from __future__ import annotations

import re
import sys
import tarfile
from pathlib import Path

import pytest

from tests.install.kit import MAKEFILE, ROOT, run


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, unpacked; built by the locked builder in an environment of its own."""
    folder = tmp_path_factory.mktemp("sources")
    (locked,) = re.findall(r"^LOCKED := (.*)$", MAKEFILE.read_text(), flags=re.MULTILINE)
    run(sys.executable, "-m", "venv", "builder", cwd=folder)
    builder = folder / "builder" / "bin" / "python"
    lock = ROOT / "requirements-build.lock"
    run(builder, "-m", "pip", "install", "--quiet", "--no-deps", *locked.split(), "-r", lock, cwd=folder)
    run(builder, "-m", "hatchling", "build", "-t", "sdist", "-d", folder / "dist", cwd=ROOT)
    (archive,) = (folder / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")
