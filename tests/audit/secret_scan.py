"""Secrets that were committed, or are about to be: the files as they are, and as the last commit has them.

In tests, docs and examples passwords are made up, so that words beside `password` and addresses that hold one mean
nothing there; keys and tokens of a shape that somebody gives out, and random-looking texts, count everywhere.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.audit.locks import ROOT
from tests.audit.result import Result

__all__ = ["KNOWN", "judge", "secrets"]

KNOWN = Path(__file__).with_name("known_secrets.txt")
"""What was looked at and is none: `PATH TYPE HASH`, the hash as the scanner prints it."""

_MADE_UP = ("tests/", "docs/")
_MEANS_NOTHING = frozenset({"Secret Keyword", "Basic Auth Credentials"})
_TIMEOUT = 300
_UNREAD = (".lock", ".cdx.json", KNOWN.name)  # hashes of public files, one by one


def secrets() -> Result:
    """All files that git knows or would take."""
    listed = _git("ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
    files = [name for name in listed if name and (ROOT / name).is_file()]
    changed = [name for name in _git("diff", "--name-only", "-z", "HEAD").split("\0") if name]
    found = _scanned(ROOT, files)
    if changed:
        with tempfile.TemporaryDirectory() as folder:
            found += _scanned(Path(folder), _committed(changed, Path(folder)))
    return Result("secrets", f"{len(files)} files, {len(changed)} of them also as they are committed", judge(found))


def judge(found: list[dict[str, Any]]) -> list[str]:
    """What of the scanner's findings is one."""
    known = {line.partition("#")[0].strip() for line in KNOWN.read_text().splitlines()}
    problems = []
    for each in found:
        made_up = each["type"] in _MEANS_NOTHING and each["filename"].startswith(_MADE_UP)
        name = f"{each['filename']} {each['type']} {each['hashed_secret']}"
        if not made_up and name not in known:
            problems.append(f"line {each['line_number']} of {name}; if it is none, put that into {KNOWN.name}")
    return problems


def _scanned(folder: Path, files: list[str]) -> list[dict[str, Any]]:
    scanner = str(ROOT / ".venv-audit/bin/detect-secrets")
    read = [name for name in files if not name.endswith(_UNREAD)]
    if not read:
        return []
    command = [scanner, "--cores", "2", "scan", "--no-verify", "--all-files", *read]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=True, cwd=folder)
    return [each for rows in json.loads(done.stdout)["results"].values() for each in rows]


def _committed(names: list[str], folder: Path) -> list[str]:
    """Write files as the last commit has them; those that it has not are left out."""
    there = set(_git("ls-tree", "-r", "--name-only", "-z", "HEAD").split("\0"))
    for name in there.intersection(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(subprocess.check_output(["git", "show", f"HEAD:{name}"], cwd=ROOT))
    return sorted(there.intersection(names))


def _git(*arguments: str) -> str:
    return subprocess.check_output(["git", *arguments], cwd=ROOT, text=True)
