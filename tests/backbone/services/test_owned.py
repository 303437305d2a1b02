"""Files in a service's folder that the launcher writes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backbone.services import owned
from backbone.services.accounts import Account

OURS = Account(os.geteuid(), os.getegid())


def test_a_file_is_whole_and_for_its_owner_alone_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "redis.conf"
    for text in ("first", "second"):
        owned.write(path, text, OURS)
        assert path.read_text() == text
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["redis.conf"]


@pytest.mark.parametrize("error", [OSError("no space left"), KeyboardInterrupt()])
def test_where_it_can_not_take_its_place_the_former_stays_and_no_half_of_it_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    path = tmp_path / "redis.conf"
    owned.write(path, "first", OURS)

    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(type(error)):
        owned.write(path, "second", OURS)
    assert (path.read_text(), [each.name for each in tmp_path.iterdir()]) == ("first", ["redis.conf"])
