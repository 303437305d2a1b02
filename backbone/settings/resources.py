"""Files that travel with the package: profiles and the service stack, in a checkout or in an installed wheel."""

from __future__ import annotations

from pathlib import Path

__all__ = ["profiles", "resource"]

_PACKAGE = Path(__file__).resolve().parents[1]


def _roots() -> list[Path]:
    """Where to look: beside the package in a wheel; the checkout only where it is one."""
    checkout = _PACKAGE.parent
    installed = _PACKAGE / "_files"
    return [root for root in (installed, checkout) if root == installed or (root / "pyproject.toml").is_file()]


def resource(path: str) -> Path:
    """The place of a file or folder that travels with the package, such as ``config/embedded.yaml``.

    Raises:
        FileNotFoundError: there is no such file, or the path leads out of the package's files.
    """
    for root in _roots():
        place = (root / path).resolve()
        if place.is_relative_to(root.resolve()) and place.exists():
            return place
    raise FileNotFoundError(f"{path!r} does not travel with the package; looked in {', '.join(map(str, _roots()))}")


def profiles() -> tuple[str, ...]:
    """The names of the profiles, sorted."""
    return tuple(sorted(place.stem for place in resource("config").glob("*.yaml")))
