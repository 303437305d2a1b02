"""The control socket, asked from a thread as another process would."""

import os
import socket
import stat
from pathlib import Path

import anyio
import anyio.abc
import anyio.to_thread
import msgspec
import pytest

from backbone.control import ControlUnreachable, ask_running
from backbone.testing import embedded


def overrides(path: Path) -> dict[str, object]:
    return {"control.enabled": True, "control.path": str(path)}


async def asked(path: Path, command: str) -> dict[str, object]:
    answer: dict[str, object] = await anyio.to_thread.run_sync(ask_running, path, command)
    return answer


async def test_a_running_backbone_tells_its_roster_and_its_status(tmp_path: Path) -> None:
    path = tmp_path / "b.sock"
    async with embedded(overrides=overrides(path)):
        roster = await asked(path, "roster")
        assert roster["system"] == "embedded"
        status = await asked(path, "status")
        assert set(status) == {"connectivity", "roster"}


async def test_the_socket_is_for_its_owner_only_and_goes_with_the_backbone(tmp_path: Path) -> None:
    path = tmp_path / "b.sock"
    async with embedded(overrides=overrides(path)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()
    with pytest.raises(ControlUnreachable, match="no running backbone"):
        ask_running(path, "roster")


async def test_an_unknown_command_is_refused_with_what_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "b.sock"
    async with embedded(overrides=overrides(path)):
        with pytest.raises(ValueError, match="allowed: roster, status"):
            await asked(path, "reboot")


@pytest.mark.parametrize(
    "line", [b"nonsense\n", b'{"schema":9,"command":"roster"}\n', b'{"schema":1}\n', b"[" * 2000 + b"\n"]
)
async def test_a_line_that_is_no_request_gets_an_error_and_harms_nobody(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "b.sock"

    def send() -> bytes:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(5)
            client.connect(str(path))
            client.sendall(line)
            return client.recv(65536)

    async with embedded(overrides=overrides(path)):
        answer = msgspec.json.decode(await anyio.to_thread.run_sync(send))
        assert answer["ok"] is False
        assert (await asked(path, "roster"))["system"] == "embedded"


async def test_a_second_backbone_leaves_the_socket_of_the_first_alone_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "b.sock"
    async with embedded(overrides=overrides(path)):
        async with embedded(overrides=overrides(path)) as second:
            entry = second.roster().find("/embedded/backbone/control")
            assert entry is not None
            assert entry.health.level == "degraded"
            assert "another running backbone" in entry.health.why
        assert (await asked(path, "roster"))["system"] == "embedded"


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\n", b'{"ok": tr'])
async def test_who_answers_something_else_is_said_not_to_have_answered(tmp_path: Path, answer: bytes) -> None:
    path = tmp_path / "b.sock"

    async def other(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.receive()
            if answer:
                await stream.send(answer)

    async with await anyio.create_unix_listener(path) as listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, other)
        with pytest.raises(ControlUnreachable, match=r"gave no answer .* ask again"):
            await asked(path, "roster")
        group.cancel_scope.cancel()


def test_a_file_that_is_no_socket_is_not_taken_for_a_backbone_that_does_not_run(tmp_path: Path) -> None:
    path = tmp_path / "b.sock"
    path.write_text("")
    with pytest.raises(ControlUnreachable, match=r"is no socket.* even if one runs; move it away"):
        ask_running(path, "roster")


async def test_a_socket_left_by_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "b.sock"
    left = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    left.bind(os.fspath(path))
    left.close()
    assert path.exists()
    async with embedded(overrides=overrides(path)):
        assert (await asked(path, "roster"))["system"] == "embedded"


async def test_a_path_that_is_too_long_costs_the_socket_only(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 120)
    async with embedded(overrides=overrides(path)) as backbone:
        entry = backbone.roster().find("/embedded/backbone/control")
        assert entry is not None
        assert "longer than" in entry.health.why
