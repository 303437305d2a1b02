"""What packages add is looked up once, and again where one was installed or removed."""

from __future__ import annotations

import shutil
from importlib import metadata
from pathlib import Path

import pytest

from backbone.sources.installed import entry_points

GROUP = "backbone.tests.installed"


def install(folder: Path, name: str) -> None:
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = {name}:point\n")


def names() -> list[str]:
    return [point.name for point in entry_points(group=GROUP)]


def test_a_package_that_comes_or_goes_while_the_process_runs_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert names() == []
    monkeypatch.syspath_prepend(tmp_path)
    install(tmp_path, "first")
    assert names() == ["first"]
    install(tmp_path, "second")
    assert sorted(names()) == ["first", "second"]
    shutil.rmtree(tmp_path / "first-1.0.dist-info")
    assert names() == ["second"]
    monkeypatch.undo()
    assert names() == []


def test_while_nothing_changes_the_notes_of_packages_are_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    before = entry_points(group="console_scripts")
    assert before
    monkeypatch.setattr(metadata, "entry_points", None)
    assert entry_points(group="console_scripts") == before


def test_a_folder_that_is_not_there_adds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path / "missing")
    assert names() == []
