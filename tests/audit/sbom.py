"""The bill of materials of a release, CycloneDX 1.6: what `pip install backbone` brings, told from requirements.lock.

The same lock gives the same bytes: no moment, no serial number, no place from which something was downloaded.
"""

from __future__ import annotations

import json
import sys
import tomllib
from typing import Any

from tests.audit.locks import ROOT, Pinned, pinned
from tests.audit.result import Result

__all__ = ["SBOM", "bill", "is_current", "write"]

SBOM = ROOT / "sbom.cdx.json"


def bill() -> str:
    """The document."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return document(project, pinned((ROOT / "requirements.lock").read_text()))


def document(project: dict[str, Any], pins: list[Pinned]) -> str:
    """The document of a project and what it pins."""
    own = f"{project['name']}@{project['version']}"
    wanted = {own: [_ref(each) for each in pins if "" in each.via]}
    wanted |= {_ref(pin): [_ref(each) for each in pins if pin.name in each.via] for pin in pins}
    return (
        json.dumps(
            {
                "bomFormat": "CycloneDX",
                "specVersion": "1.6",
                "version": 1,
                "metadata": {
                    "component": {
                        "bom-ref": own,
                        "type": "library",
                        "name": project["name"],
                        "version": project["version"],
                        "description": project["description"],
                        "licenses": [{"license": {"id": project["license"]}}],
                    }
                },
                "components": [_component(pin) for pin in pins],
                "dependencies": [{"ref": each, "dependsOn": others} for each, others in wanted.items()],
            },
            indent=1,
            ensure_ascii=False,
        )
        + "\n"
    )


def _ref(pin: Pinned) -> str:
    return f"{pin.name}@{pin.version}"


def _component(pin: Pinned) -> dict[str, Any]:
    """One package; of its files, one is installed, and each has a hash."""
    hashes = [{"alg": "SHA-256", "content": each} for each in pin.hashes]
    return {
        "bom-ref": _ref(pin),
        "type": "library",
        "name": pin.name,
        "version": pin.version,
        "purl": f"pkg:pypi/{_ref(pin)}",
        "scope": "optional" if pin.marker else "required",
        **({"properties": [{"name": "backbone:marker", "value": pin.marker}]} if pin.marker else {}),
        "externalReferences": [{"type": "distribution", "url": "requirements.lock", "hashes": hashes}],
    }


def is_current() -> Result:
    """Whether the file is that of the lock."""
    made = bill()
    known = SBOM.read_text() if SBOM.exists() else ""
    problems = [] if made == known else [f"{SBOM.name} is not that of requirements.lock: make sbom"]
    return Result("sbom", f"{made.count('pkg:pypi/')} components in {SBOM.name}", problems)


def write() -> None:
    """Write the file anew."""
    SBOM.write_text(bill())


if __name__ == "__main__":
    write()
    sys.stdout.write(f"{SBOM.name}\n")
