"""The control socket: a 0600 unix socket by which another process of the same user asks a running backbone.

One request a line, one answer a line, both JSON: `{"schema": 1, "command": "roster"}` gives
`{"schema": 1, "ok": true, "result": …}` or `{"schema": 1, "ok": false, "error": "…"}`.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import msgspec

from actors import Actor, ActorError, StopReason
from backbone.domain.errors import BackboneError
from backbone.files import private_folder

__all__ = ["ControlActor", "ControlUnreachable", "ask_running"]

SCHEMA = 1
_LINE_LIMIT = 64 * 1024
_REQUEST_TIMEOUT = 10.0
_ANSWER_LIMIT = 64 * 2**20
_CONNECTIONS = 16
_LONGEST_PATH = 100  # a unix socket's path holds 108 bytes

Answers = Mapping[str, Callable[[], Awaitable[bytes]]]
"""What can be asked, and who answers it, as JSON."""


class ControlRequest(msgspec.Struct, forbid_unknown_fields=True):
    """One question."""

    schema: int
    command: str


class ControlUnreachable(BackboneError):
    """No running backbone answers at this socket."""

    code = "control"


class ControlActor(Actor):
    """Serves the socket.

    Args:
        path: the socket file; its folder is made.
        answers: what can be asked.
    """

    def __init__(self, path: str, answers: Answers) -> None:
        self._path = Path(path)
        self._answers = answers
        self._listener: anyio.abc.SocketListener | None = None
        self._inode: int | None = None

    async def on_start(self) -> None:
        """Bind; a socket that another running backbone holds is left alone, and this one goes without."""
        try:
            self._listener = await self._bind()
        except OSError as error:
            why = f"no control socket at {self._path}: {error.strerror or error}"
            self.context.report_health(
                "degraded",
                why,
                "goes without; nothing else depends on it",
                "give it another path: backbone run --set control.path=FILE",
            )
            return
        self.context.run_task(self._serve(self._listener), name="serve")

    async def on_stop(self, reason: StopReason) -> None:
        """Close, and remove the file if it is still ours."""
        if self._listener is not None:
            with anyio.move_on_after(2, shield=True):
                await self._listener.aclose()
            if self._inode is not None and _inode(self._path) == self._inode:
                self._path.unlink(missing_ok=True)

    async def _bind(self) -> anyio.abc.SocketListener:
        if len(os.fsencode(self._path)) > _LONGEST_PATH:
            raise OSError(None, f"the path is longer than {_LONGEST_PATH} bytes; give a shorter control.path")
        private_folder(self._path.parent)
        if _inode(self._path) is not None:
            if not stat.S_ISSOCK(self._path.lstat().st_mode):
                raise OSError(None, "a file that is no socket is there")
            if _answers_at(self._path):
                raise OSError(None, "another running backbone has it")
            self._path.unlink(missing_ok=True)
        listening = _listening(self._path)
        self._inode = _inode(self._path)
        return await anyio.abc.SocketListener.from_socket(listening)

    async def _serve(self, listener: anyio.abc.SocketListener) -> None:
        slots = anyio.Semaphore(_CONNECTIONS)

        async def handle(stream: anyio.abc.SocketStream) -> None:
            async with slots, stream:
                with anyio.move_on_after(_REQUEST_TIMEOUT):
                    await self._answer(stream)

        async with anyio.create_task_group() as clients:
            while True:  # as listener.serve does, with a name that people know in the roster
                clients.start_soon(handle, await listener.accept(), name="client")

    async def _answer(self, stream: anyio.abc.SocketStream) -> None:
        try:
            line = await _read_line(stream, _LINE_LIMIT)
            body = await self._result(line)
            await stream.send(body + b"\n")
        except (anyio.BrokenResourceError, anyio.EndOfStream, anyio.ClosedResourceError):
            self.context.log.debug("control client went away")

    async def _result(self, line: bytes) -> bytes:
        try:
            request = msgspec.json.decode(line, type=ControlRequest)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return _error(f"not a request: {error}; send {{'schema': {SCHEMA}, 'command': NAME}} as one line of JSON")
        if request.schema != SCHEMA:
            return _error(f"schema {request.schema} given; this backbone speaks {SCHEMA}")
        answer = self._answers.get(request.command)
        if answer is None:
            return _error(f"command {request.command!r} given; allowed: {', '.join(sorted(self._answers))}")
        try:
            result = await answer()
        except (ActorError, TimeoutError) as error:
            return _error(str(error))
        return b'{"schema":%d,"ok":true,"result":%s}' % (SCHEMA, result)


def _error(text: str) -> bytes:
    return msgspec.json.encode({"schema": SCHEMA, "ok": False, "error": text})


def _inode(path: Path) -> int | None:
    try:
        return path.lstat().st_ino
    except OSError:
        return None


def _listening(path: Path) -> socket.socket:
    """Bound here and not by anyio, which takes a thread for it: one that outlives a session that never leaves."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    previous = os.umask(0o177)  # never a moment in which others could connect
    try:
        with ExitStack() as failed:
            failed.callback(listening.close)
            listening.setblocking(False)
            listening.bind(str(path))
            listening.listen()
            failed.pop_all()  # it listens: whoever asked for it closes it
    finally:
        os.umask(previous)
    return listening


def _answers_at(path: Path) -> bool:
    """Whether somebody listens there; a socket file whose process is gone refuses."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


async def _read_line(stream: anyio.abc.ByteReceiveStream, limit: int) -> bytes:
    data = b""
    while b"\n" not in data:
        data += await stream.receive(65536)
        if len(data) > limit:
            raise anyio.BrokenResourceError
    return data.partition(b"\n")[0]


def ask_running(path: str | Path, command: str, timeout: float = _REQUEST_TIMEOUT) -> Any:
    """Ask the backbone that runs at this socket (blocking); returns the decoded answer.

    Raises:
        ControlUnreachable: nobody answers; says what to do.
        ValueError: the backbone refuses the question.
    """
    request = msgspec.json.encode({"schema": SCHEMA, "command": command}) + b"\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(timeout)
        try:
            client.connect(str(path))
        except OSError as error:
            raise ControlUnreachable(_why_not_connected(Path(path), error)) from error
        try:
            client.sendall(request)
            reply = msgspec.json.decode(_receive_line(client), type=_Reply)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or error
            raise ControlUnreachable(
                f"the backbone at {path} gave no answer ({why}); it is busy, or about to end: ask again"
            ) from error
    if not reply.ok:
        raise ValueError(reply.error)
    return reply.result


class _Reply(msgspec.Struct):
    """One answer."""

    ok: bool
    result: Any = None
    error: str = "refused"


def _why_not_connected(path: Path, error: OSError) -> str:
    if path.exists() and not path.is_socket():
        return (
            f"{path} is no socket, so that no backbone can be asked there, even if one runs; "
            "move it away and start the backbone anew, or give both another control.path"
        )
    return f"no running backbone at {path} ({error.strerror or error}); start one, or name its --config"


def _receive_line(client: socket.socket) -> bytes:
    data = bytearray()
    while not data.endswith(b"\n"):
        part = client.recv(1 << 16)
        if not part or len(data) > _ANSWER_LIMIT:
            raise OSError(None, "the answer broke off")
        data += part
    return bytes(data)
