"""The commands that ask a running backbone, where somebody else answers: one line, exit 4."""

from pathlib import Path

import pytest

from backbone.cli.exits import UNREACHABLE
from tests.backbone.cli.conftest import Cli
from tests.backbone.control.impostor import listening, saying

ANSWERS = {
    "a list": b"[1]\n",
    "something else": b'{"schema":1,"ok":true,"result":{"a":1}}\n',
    "something else inside": b'{"schema":1,"ok":true,"result":{"connectivity":{},"roster":[]}}\n',
    "deep": b"[" * 2_000_000,
    "no text": b'{"schema":1,"ok":true,"result":{"\xff":1}}\n',
    "escapes": b'{"schema":1,"ok":true,"result":{"connectivity":"\\u001b[31m\\u202e"}}\n',
    "nothing": b"",
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("command", ["status", "roster", "connectors", "freshness"])
def test_who_answers_something_else_is_refused(cli: Cli, tmp_path: Path, command: str, answer: bytes) -> None:
    path = tmp_path / "b.sock"
    with listening(path, saying(answer)):
        done = cli(command, "--set", f"control.path={path}")
    assert (done.code, done.out) == (UNREACHABLE, "")
    assert done.err.startswith("backbone: error: ")
    assert "unexpected" not in done.err
    assert done.err.count("\n") == 1
    assert not set(done.err) & {"\x1b", "\u202e"}
