"""Whether what is installed may be used as it is: an allow list, and what only development needs beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from pathlib import Path

from tests.audit.locks import LOCKS, ROOT, normal, pinned
from tests.audit.result import Result

__all__ = ["licences", "refused"]

ALLOWED = frozenset(
    {
        "0bsd",
        "apache-2.0",
        "bsd-2-clause",
        "bsd-3-clause",
        "cc0-1.0",
        "isc",
        "mit",
        "mit-0",
        "mit-cmu",
        "psf-2.0",
        "zlib",
    }
)
"""SPDX identifiers that go together with Apache-2.0 and ask nothing of who embeds the product."""

FOR_DEVELOPMENT = {"hypothesis": "mpl-2.0", "pathspec": "mpl-2.0", "certifi": "mpl-2.0", "arcticdb": "busl-1.1"}
"""What is used as a tool, unchanged, and never shipped: a file of it that is changed would have to be published, or, of
the rival in a benchmark, its terms leave every use but production free."""

_PRODUCT = frozenset({"requirements.lock"})
_ENVIRONMENTS = (".venv", ".venv-audit", ".venv-spark")
_PLACES = (*(f"{each}/lib/python*/site-packages" for each in _ENVIRONMENTS), ".venv/build", ".venv-bench")
_SPOKEN = {
    "3-clause bsd license": "bsd-3-clause",
    "apache": "apache-2.0",
    "apache 2": "apache-2.0",
    "apache 2.0": "apache-2.0",
    "apache license": "apache-2.0",
    "apache software license": "apache-2.0",
    "bsd": "bsd-3-clause",
    "bsd license": "bsd-3-clause",
    "business source license 1.1 (see license.txt)": "busl-1.1",
    "isc license (iscl)": "isc",
    "mit licence": "mit",
    "mit license": "mit",
    "mozilla public license 2.0 (mpl 2.0)": "mpl-2.0",
    "psfl": "psf-2.0",
    "python software foundation license": "psf-2.0",
}
"""What packages say that don't speak SPDX."""


def licences() -> Result:
    """Each package of each lock that is installed here."""
    found = {normal(each.name): each for each in _installed()}
    problems, missing, seen = list[str](), set[str](), set[str]()
    for lock in LOCKS:
        for pin in pinned((ROOT / lock).read_text()):
            installed = found.get(pin.name)
            if installed is None:
                missing.add(pin.name)
            elif pin.name not in seen or lock in _PRODUCT:
                seen.add(pin.name)
                problems += refused(pin.name, said(installed), product=lock in _PRODUCT)
    not_asked = (
        [f"{len(missing)} packages that are not installed here: {', '.join(sorted(missing))}"] if missing else []
    )
    return Result("licences", f"{len(seen)} packages", sorted(set(problems)), not_asked)


def refused(name: str, licence: str, *, product: bool) -> list[str]:
    """Why a package may not be used, if so: each part of what it says has to be allowed."""
    parts = {part.lower() for part in re.split(r"\s+(?:AND|OR|WITH)\s+", licence)}
    spoken = {_SPOKEN.get(part) or part.strip(" ()") for part in parts}
    if spoken <= ALLOWED or (not product and spoken == {FOR_DEVELOPMENT.get(name)}):
        return []
    where = "the product" if product else "development"
    return [f"{name}: {licence or 'no licence'} is not allowed for {where}; see tests/audit/licences.py"]


def said(installed: Distribution) -> str:
    """What a package says of its licence: the expression, else the classifiers, else its own short word."""
    metadata = installed.metadata
    if "License-Expression" in metadata:
        return metadata["License-Expression"]
    classifiers = metadata.get_all("Classifier") or []
    classified = [each.rpartition(" :: ")[2] for each in classifiers if each.startswith("License ::")]
    return " AND ".join(classified) or (metadata.get_all("License") or [""])[0].partition("\n")[0]


def _installed() -> Iterable[Distribution]:
    paths = [str(path) for place in _PLACES for path in ROOT.glob(place)]
    return distributions(path=paths + _elsewhere(paths))


def _elsewhere(paths: list[str]) -> list[str]:
    """Folders that an environment adds by .pth files, as one that shares its packages with another does."""
    lines = (
        line.strip() for path in paths for file in Path(path).glob("*.pth") for line in file.read_text().splitlines()
    )
    return [line for line in lines if line.startswith("/") and Path(line).is_dir() and Path(line) != ROOT]
