"""`backbone events`: what the running backbone has told, and the gaps in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import msgspec
import pytest

from backbone.cli.exits import DONE, UNREACHABLE, USAGE
from backbone.testing import embedded
from tests.backbone.cli.conftest import Cli
from tests.backbone.control.impostor import listening, saying
from tests.backbone.facade.kit import plan


async def said(cli: Cli, path: Path, *words: str) -> list[str]:
    done = await anyio.to_thread.run_sync(lambda: cli("events", "--no-follow", "--set", f"control.path={path}", *words))
    assert done.code == DONE, done.err
    return done.out.splitlines()


async def test_what_was_told_is_shown_a_line_for_each_and_chosen_by_topic(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "b.sock"
    async with embedded(overrides={"control.enabled": True, "control.path": str(path)}) as backbone:
        await backbone.ingest(plan())
        await anyio.sleep(0.01)
        lines = await said(cli, path, "--format", "json")
        told = [msgspec.json.decode(line) for line in lines]
        assert [each["number"] for each in told] == list(range(1, len(told) + 1))
        assert {each["metadata"]["type"] for each in told} >= {"telemetry.ingest", "telemetry.ingest.quality"}
        (line,) = await said(cli, path, "--topic", "telemetry.ingest.metrics")
        assert "telemetry.ingest.metrics" in line
        assert "rows_read=" in line


def test_an_unknown_topic_is_refused_with_those_that_there_are(cli: Cli) -> None:
    done = cli("events", "--topic", "telemetry.nothing")
    assert done.code == USAGE
    assert "telemetry.ingest.health" in done.err


def test_nobody_to_ask_is_said_so(cli: Cli, tmp_path: Path) -> None:
    assert cli("events", "--set", f"control.path={tmp_path / 'b.sock'}").code == UNREACHABLE


EVENT = {"number": 9, "emitted_at": "2026-01-05T12:00:00Z", "metadata": {"type": "telemetry.cache"}, "result": {"n": 1}}


def test_gaps_and_another_backbone_are_said_on_stderr(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [
        {"session": "a", "events": [EVENT], "next": 9, "lost": 0},
        {"session": "a", "events": [{**EVENT, "number": 13}], "next": 13, "lost": 3},
        {"session": "b", "events": [], "next": 1, "lost": 0},
        {"session": "b", "events": [{**EVENT, "number": 1}], "next": 1, "lost": 0},
        {"session": "b", "events": [], "next": 1, "lost": 0},
    ]
    asked: list[Any] = []

    def ask(path: str, command: str, timeout: float, arguments: Any) -> Any:
        asked.append(arguments.get("after"))
        return answers[len(asked) - 1]

    monkeypatch.setattr("backbone.cli.process.asking.ask_running", ask)
    done = cli("events", "--no-follow", "--format", "json")
    assert [msgspec.json.decode(line)["number"] for line in done.out.splitlines()] == [9, 13, 1]
    assert asked == [None, 9, 13, None, 1]
    assert "3 events are missing" in done.err
    assert "started anew" in done.err


@pytest.mark.parametrize("answer", [b'{"schema":1,"ok":true,"result":{"a":1}}\n', b"", b"[1]\n"])
def test_who_answers_something_else_is_refused(cli: Cli, tmp_path: Path, answer: bytes) -> None:
    path = tmp_path / "b.sock"
    with listening(path, saying(answer)):
        done = cli("events", "--set", f"control.path={path}")
    assert (done.code, done.out) == (UNREACHABLE, "")
    assert done.err.count("\n") == 1
