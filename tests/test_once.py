"""What is made once in a run is made by one, and again only where that failed."""

from __future__ import annotations

from pathlib import Path
from threading import Thread

import pytest

from tests.once import once


@pytest.fixture
def factory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.TempPathFactory:
    """Of a run of its own."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    return pytest.TempPathFactory(tmp_path / "run", 3, "all", lambda *_: None, _ispytest=True)


def test_all_who_need_it_get_what_one_of_them_made(factory: pytest.TempPathFactory) -> None:
    made: list[Path] = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "file").write_text(str(len(made)))

    found: list[str] = []
    factory.getbasetemp()
    threads = [Thread(target=lambda: found.append((once(factory, "x", make) / "file").read_text())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["1"] * 4
    assert len(made) == 1


def test_what_failed_is_made_again_from_nothing(factory: pytest.TempPathFactory) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise LookupError("no disk")

    with pytest.raises(LookupError):
        once(factory, "x", fail)
    folder = once(factory, "x", lambda folder: (folder / "whole").touch())
    assert [path.name for path in folder.iterdir()] == ["whole"]
    assert not (once(factory, "x", fail) / "half").exists()


def test_the_processes_of_a_run_share_it(factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    factory.getbasetemp()
    assert once(factory, "x", Path.touch).parent == factory.getbasetemp().parent
