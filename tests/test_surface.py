"""The public names: each one is a promise, so none comes or goes unnoticed."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

PUBLIC = Path(__file__).with_name("public_names")
PACKAGES = ("actors", "actors.testing", "backbone", "backbone.testing")


@pytest.mark.parametrize("package", PACKAGES)
def test_the_public_names_are_those_that_are_written_down(package: str) -> None:
    """A name that is new goes into the file beside this, and into the changelog; one that goes is a break."""
    written = (PUBLIC / f"{package}.txt").read_text().split()
    assert sorted(importlib.import_module(package).__all__) == written


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_can_be_had(package: str) -> None:
    module = importlib.import_module(package)
    assert [name for name in module.__all__ if getattr(module, name, None) is None] == []
