"""The .env that tells a settings loader where the services are: the only file that holds their passwords."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from backbone.files import PRIVATE, replace


def read(path: Path) -> dict[str, str]:
    """Return the names and values of a .env; none if the file is missing."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    pairs = (line.partition("=") for line in text.splitlines() if not line.lstrip().startswith("#"))
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}


def update(path: Path, values: Mapping[str, str]) -> None:
    """Set values in a .env, readable by its owner alone, and leave its other lines as they are.

    The file is replaced at once: a reader sees the old one or the new one.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        lines = []
    kept = [line for line in lines if line.partition("=")[0].strip() not in values]
    text = "\n".join([*kept, *(f"{name}={value}" for name, value in values.items())]) + "\n"
    replace(path, text.encode(), PRIVATE)
