"""The control socket, asked from a thread as another process would."""

import os
import socket
import stat
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import anyio.abc
import anyio.to_thread
import msgspec
import pytest

from backbone.control.asking import ask_running
from backbone.control.errors import ControlUnreachable
from backbone.control.peers import Peer
from backbone.control.places import ALL, OF_ONE_PROCESS
from backbone.facade.backbone import Backbone
from backbone.testing import embedded
from tests.backbone.control.users import NOBODY, being, root_only


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
        with pytest.raises(ValueError, match=r"allowed: connectors, .*events, .*roster, .*status, topics, updates"):
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


def connected(path: Path, stack: ExitStack) -> socket.socket:
    client = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    client.settimeout(5)
    client.connect(os.fspath(path))
    return client


def told(client: socket.socket) -> dict[str, object]:
    """What comes, without a question."""
    answer: dict[str, object] = msgspec.json.decode(client.makefile("rb").readline())
    return answer


def of_other_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each connection as if it came from a process of its own."""
    pids = count(1)
    monkeypatch.setattr("backbone.control.actor.peer_of", lambda _: Peer(next(pids), os.geteuid()))


async def test_connections_of_one_process_that_say_nothing_cost_that_process_its_next_one_and_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "b.sock"
    idle = Peer(1, os.geteuid())
    monkeypatch.setattr("backbone.control.actor.peer_of", lambda _: idle)
    async with embedded(overrides=overrides(path)):
        with ExitStack() as stack:
            for _ in range(OF_ONE_PROCESS):
                connected(path, stack)
            refused = await anyio.to_thread.run_sync(told, connected(path, stack))
            assert (refused["ok"], refused["code"]) == (False, "busy")
            assert f"process 1 has {OF_ONE_PROCESS} connections open" in str(refused["error"])
            monkeypatch.setattr("backbone.control.actor.peer_of", lambda _: Peer(2, os.geteuid()))
            with anyio.fail_after(1.5):  # less than an idle one is given
                assert (await asked(path, "roster"))["system"] == "embedded"


async def test_more_connections_than_there_are_places_are_refused_at_once_and_places_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "b.sock"
    of_other_processes(monkeypatch)
    async with embedded(overrides=overrides(path)):
        with ExitStack() as stack:
            for _ in range(ALL):
                connected(path, stack)
            with pytest.raises(ControlUnreachable, match=rf"is busy: {ALL} connections are open; ask again"):
                await asked(path, "roster")
        assert (await asked(path, "roster"))["system"] == "embedded"


async def test_a_question_that_is_not_asked_at_once_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backbone.control.actor._LINE_TIMEOUT", 0.05)
    path = tmp_path / "b.sock"
    async with embedded(overrides=overrides(path)):
        with ExitStack() as stack:
            client = connected(path, stack)
            client.sendall(b'{"schema":1,')
            refused = await anyio.to_thread.run_sync(told, client)
            assert "no whole line came within" in str(refused["error"])


async def test_a_line_that_never_ends_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "b.sock"
    async with embedded(overrides=overrides(path)):
        with ExitStack() as stack:
            client = connected(path, stack)
            await anyio.to_thread.run_sync(client.sendall, b"x" * 70_000)
            refused = await anyio.to_thread.run_sync(told, client)
            assert "a line of over 65,536 bytes given" in str(refused["error"])


async def test_what_takes_too_long_to_find_out_is_said_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backbone.control.actor._ANSWER_TIMEOUT", 0.05)
    path = tmp_path / "b.sock"
    async with embedded(overrides=overrides(path)):
        monkeypatch.setattr("backbone.facade.looking.probe_all", lambda *_, **__: anyio.sleep_forever())
        with pytest.raises(ControlUnreachable, match="is busy: there was no answer within"):
            await asked(path, "status")


@root_only
async def test_another_user_who_may_open_the_file_is_refused_all_the_same() -> None:
    with TemporaryDirectory() as folder, ExitStack() as stack:
        os.chmod(folder, 0o755)  # noqa: PTH101, S103  no folder of root alone lies above it
        path = Path(folder) / "b.sock"
        async with embedded(overrides=overrides(path)):
            path.chmod(0o666)
            client = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            client.settimeout(5)
            with being(NOBODY):
                client.connect(os.fspath(path))
            refused = await anyio.to_thread.run_sync(told, client)
            assert f"uid {NOBODY}" in str(refused["error"])
            assert "only the user of this backbone" in str(refused["error"])


@root_only
async def test_the_socket_of_another_user_is_not_taken_for_another_backbone(tmp_path: Path) -> None:
    path = tmp_path / "b.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(os.fspath(path))
        with being(NOBODY):
            other.listen()
        async with embedded(overrides=overrides(path)) as backbone:
            assert f"another user (uid {NOBODY}" in why_without(backbone)
        assert path.exists()


async def test_a_backbone_whose_queue_is_full_keeps_its_socket(tmp_path: Path) -> None:
    path = tmp_path / "b.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other, ExitStack() as stack:
        other.bind(os.fspath(path))
        other.listen(0)
        connected(path, stack)
        async with embedded(overrides=overrides(path)) as backbone:
            assert "too many wait there" in why_without(backbone)
        assert path.exists()


async def test_a_path_that_is_none_costs_the_socket_only() -> None:
    async with embedded(overrides=overrides(Path("/proc/nowhere/b.sock"))) as backbone:
        assert "/proc/nowhere" in why_without(backbone)


async def test_a_process_without_descriptors_goes_on_once_it_has_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "b.sock"
    real, broken = anyio.abc.SocketListener.from_socket, [OSError(24, "Too many open files")]

    async def made(listening: socket.socket) -> anyio.abc.SocketListener:
        listener = await real(listening)
        accept = listener.accept

        async def failing_once() -> anyio.abc.SocketStream:
            if broken:
                raise anyio.BrokenResourceError from broken.pop()
            return await accept()

        monkeypatch.setattr(listener, "accept", failing_once)
        return listener

    monkeypatch.setattr(anyio.abc.SocketListener, "from_socket", made)
    async with embedded(overrides=overrides(path)) as backbone:
        assert (await asked(path, "roster"))["system"] == "embedded"
        entry = backbone.roster().find("/embedded/backbone/control")
        assert entry is not None
        assert entry.restarts == 0


def why_without(backbone: Backbone) -> str:
    entry = backbone.roster().find("/embedded/backbone/control")
    assert entry is not None
    assert entry.health.level == "degraded"
    return str(entry.health.why)
