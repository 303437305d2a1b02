"""Known weaknesses of what the locks pin, by pip-audit. What its data could not be asked about is said.

pip-audit calls a package that its service does not know "skipped", and ends well; behind a mirror that is all of them.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.audit.locks import LOCKS, ROOT, normal, pinned
from tests.audit.result import Result

__all__ = ["advisories"]

SERVICES = ("pypi", "osv")
"""Asked in turn, until one knows the packages."""

_TIMEOUT = 60
Ask = Callable[[str, Path], "Answer"]
Answer = dict[str, dict[str, Any]] | str
"""By name and version, what is known; or why nothing is."""


def advisories(ask: Ask | None = None) -> Result:
    """Each pin of each lock, asked once.

    Args:
        ask: asks a service about a file of pins; None: pip-audit does.
    """
    pins = {(each.name, each.version) for lock in LOCKS for each in pinned((ROOT / lock).read_text())}
    unknown, problems, reasons = set(pins), list[str](), list[str]()
    with tempfile.TemporaryDirectory() as folder:
        for service in SERVICES:
            for group in _apart(unknown):
                path = Path(folder) / "pins.txt"
                path.write_text("".join(f"{name}=={version}\n" for name, version in group))
                answer = (ask or _asked)(service, path)
                if isinstance(answer, str):
                    reasons.append(f"{service}: {answer}")
                    continue
                unknown -= {(name, known["version"]) for name, known in answer.items() if "version" in known}
                problems += [line for name, known in answer.items() for line in _found(name, known)]
    not_asked = []
    if unknown:
        names = ", ".join(sorted(f"{name} {version}" for name, version in unknown)[:5])
        why = f" ({'; '.join(dict.fromkeys(reasons))})" if reasons else " (no service knows them)"
        not_asked = [f"{len(unknown)} of {len(pins)} packages: {names}, …{why}"]
    return Result("advisories", f"{len(pins) - len(unknown)} of {len(pins)} pins", sorted(set(problems)), not_asked)


def _found(name: str, known: dict[str, Any]) -> Iterable[str]:
    for each in known.get("vulns", ()):
        mended = ", ".join(each.get("fix_versions") or ["no release yet"])
        yield f"{name} {known['version']}: {each['id']}; mended in {mended}: make lock UPGRADE=--upgrade"


def _apart(pins: Iterable[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """Groups in which no name is twice."""
    groups: list[dict[str, str]] = []
    for name, version in sorted(pins):
        group = next((group for group in groups if name not in group), None)
        if group is None:
            groups.append(group := {})
        group[name] = version
    return [list(group.items()) for group in groups]


def _asked(service: str, path: Path) -> Answer:
    tool = ROOT / ".venv-audit/bin/pip-audit"
    command = [str(tool), "--vulnerability-service", service, "--requirement", str(path)]
    command += ["--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off", "--timeout", "5"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
        listed = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        return f"no answer within {_TIMEOUT} s"
    except (ValueError, KeyError):
        return (done.stderr.strip().splitlines() or ["no answer"])[-1].partition(":")[0][:200]
    return {normal(each["name"]): each for each in listed}
