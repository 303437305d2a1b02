"""`backbone services` on the real launcher: one small server, from nothing to nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from backbone.services import native, processes

BACKBONE = (sys.executable, "-c", "import sys; from backbone.cli.main import main; sys.exit(main())")


def backbone(*words: str) -> subprocess.CompletedProcess[str]:
    command = [*BACKBONE, "services", *words, "--format", "json"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_up_status_and_down_of_one_service(services: native.Services, tmp_path: Path) -> None:
    words = ("redis", "--data", str(tmp_path))
    try:
        up = backbone("up", *words, "--with", "native")
        assert up.returncode == 0, up.stderr
        (redis,) = json.loads(up.stdout)["services"]
        assert redis["ready"]
        assert (tmp_path / ".env").read_text().startswith("BACKBONE_CACHE_URL=redis://backbone:")
        assert backbone("status", *words).returncode == 0
        assert backbone("status", "timescale", "--data", str(tmp_path)).returncode == 3
    finally:
        down = backbone("down", "--data", str(tmp_path))
    assert down.returncode == 0
    assert not processes.residents(tmp_path / "redis")
    assert backbone("status", *words).returncode == 3
