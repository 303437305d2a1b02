"""Workflows of the place that hosts the repository, by zizmor; where there are none, that is said."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.audit.locks import ROOT
from tests.audit.result import Result

__all__ = ["workflows"]

_TIMEOUT = 60


def workflows(root: Path = ROOT) -> Result:
    """Each file, without asking anybody."""
    files = sorted(path for kind in ("yml", "yaml") for path in root.glob(f".github/workflows/*.{kind}"))
    if not files:
        return Result("workflows", "none")
    command = [str(ROOT / ".venv-audit/bin/zizmor"), "--offline", "--no-progress", "--color", "never", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    problems = [] if done.returncode == 0 else (done.stdout or done.stderr).strip().splitlines()
    return Result("workflows", f"{len(files)} files", problems)
