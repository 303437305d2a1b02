"""Asking a running backbone, from another process: one question, one answer, within one deadline.

Whoever listens there may be anybody and may say anything: who it is, the kernel tells; what it says is taken only as a
line of JSON of the right shape, so long, so deep, and until then.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Annotated, Any

import msgspec

from backbone.control.errors import ControlUnreachable, NobodyRuns
from backbone.control.peers import is_trusted, peer_of
from backbone.control.wire import BUSY, LINE_LIMIT, LONGEST_REFUSAL, REQUEST_TIMEOUT, SCHEMA

__all__ = ["Line", "ask_running", "bytes_of_running"]

_ANSWER_LIMIT = 64 * 2**20
_DEEPEST = 64


class _Reply(msgspec.Struct):
    """One answer."""

    schema: int
    ok: bool
    result: dict[str, Any] = {}
    error: Annotated[str, msgspec.Meta(max_length=LONGEST_REFUSAL)] = "refused"
    code: str = ""


class Line:
    """The line to a backbone that is asked in a thread: who waits for that may hang up, and is hung up on at once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._client: socket.socket | None = None
        self._hung_up = False

    def hang_up(self) -> None:
        """End the question, now or as soon as it is asked; the backbone hears of it, and gives it up."""
        with self._lock:
            self._hung_up = True
            if self._client is not None:
                _shut(self._client)

    @contextmanager
    def over(self, client: socket.socket) -> Iterator[None]:
        """Ask by a socket."""
        with self._lock:
            self._client = client
            if self._hung_up:
                _shut(client)
        try:
            yield
        finally:
            with self._lock:
                self._client = None


def _shut(client: socket.socket) -> None:
    with suppress(OSError):  # it is not connected, or no longer
        client.shutdown(socket.SHUT_RDWR)


def ask_running(
    path: str | Path, command: str, timeout: float = REQUEST_TIMEOUT, arguments: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Ask the backbone that runs at this socket (blocking); returns the decoded answer.

    Args:
        path: the socket's file.
        command: what is asked.
        timeout: seconds for all of it: a byte now and then wins no time.
        arguments: what the command takes.

    Raises:
        NobodyRuns: no backbone runs there.
        ControlUnreachable: nobody answers, or somebody else, or not what a backbone answers; says what to do.
        ValueError: the backbone refuses the question.
    """
    until = time.monotonic() + timeout
    question = {"schema": SCHEMA, "command": command, **({"arguments": dict(arguments)} if arguments else {})}
    request = msgspec.json.encode(question) + b"\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        _connect(client, Path(path), until)
        _require_short(request)
        try:
            reply = _reply(_asked(client, request, until))
        except (OSError, ValueError, RecursionError) as error:
            raise _unreadable(path, error) from error
    if not reply.ok and reply.code == BUSY:
        raise ControlUnreachable(f"the backbone at {path} is busy: {reply.error}")
    if not reply.ok:
        raise ValueError(reply.error)
    return reply.result


def bytes_of_running(
    path: str | Path,
    command: str,
    timeout: float,
    arguments: Mapping[str, Any],
    most: int,
    line: Line | None = None,
) -> bytes | tuple[str, str]:
    """Ask for bytes (blocking): they, or the code and the text of a refusal.

    Args:
        path: the socket's file.
        command: what is asked.
        timeout: seconds for all of it.
        arguments: what the command takes.
        most: bytes that are taken.
        line: ends it when it is hung up; None: nobody does.

    Raises:
        NobodyRuns, ControlUnreachable: as `ask_running`.
        ValueError: the question is longer than a backbone reads.
    """
    until = time.monotonic() + timeout
    request = msgspec.json.encode({"schema": SCHEMA, "command": command, "arguments": dict(arguments)}) + b"\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        _connect(client, Path(path), until)
        _require_short(request)
        try:
            with (Line() if line is None else line).over(client):
                first, rest = _line_and_more(client, request, until)
                reply = _reply(first)
                if not reply.ok:
                    return reply.code, reply.error
                return _exactly(client, rest, _announced(reply, most), until)
        except (OSError, ValueError, RecursionError) as error:
            raise _unreadable(path, error) from error


def _require_short(request: bytes) -> None:
    """Refuse what a backbone reads no further than this: it would hang up, and nobody could tell why."""
    if len(request) > LINE_LIMIT:
        raise ValueError(
            f"a question of {len(request):,} bytes given; a running backbone takes {LINE_LIMIT:,}: give less at a time"
        )


def _unreadable(path: str | Path, error: Exception) -> ControlUnreachable:
    why = getattr(error, "strerror", None) or error
    return ControlUnreachable(
        f"the backbone at {path} gave no answer that can be read ({why}); it is busy, about to end, or of another "
        "version: ask again"
    )


def _announced(reply: _Reply, most: int) -> int:
    """How many bytes follow.

    Raises:
        ValueError: it does not say, or they are too many.
    """
    many = reply.result.get("bytes")
    if type(many) is not int or not 0 <= many <= most:
        raise ValueError(f"{many!r:.40} bytes are announced, and {most:,} taken")
    return many


def _exactly(client: socket.socket, first: bytes, many: int, until: float) -> bytes:
    data = bytearray(first)
    while len(data) < many:
        client.settimeout(_left(until))
        part = client.recv(1 << 20)
        if not part:
            raise OSError(None, "the answer broke off")
        data += part
    return bytes(data[:many])


def _connect(client: socket.socket, path: Path, until: float) -> None:
    """Connect to one who may be asked.

    Raises:
        ControlUnreachable: to nobody, or to one of another user.
    """
    try:
        client.settimeout(_left(until))
        client.connect(str(path))
        peer = peer_of(client)
    except (OSError, ValueError) as error:  # ValueError: no path at all
        nobody = isinstance(error, FileNotFoundError | ConnectionRefusedError) and (
            not path.exists() or path.is_socket()
        )
        raise (NobodyRuns if nobody else ControlUnreachable)(_why_not_connected(path, error)) from error
    if not is_trusted(peer):
        raise ControlUnreachable(
            f"who listens at {path} is another user ({peer}) and may be no backbone, so that nothing was asked; ask as "
            "that user if it is yours, else give control.path in a folder where only you may write"
        )


def _why_not_connected(path: Path, error: Exception) -> str:
    why = getattr(error, "strerror", None) or error
    if isinstance(error, BlockingIOError | TimeoutError):
        return f"the backbone at {path} is busy: too many wait at its socket, or it does not look; ask again"
    if isinstance(error, PermissionError):
        return f"the socket {path} is not for this user ({why}); ask as the user whose backbone it is"
    if isinstance(error, OSError) and path.exists() and not path.is_socket():
        return (
            f"{path} is no socket, so that no backbone can be asked there, even if one runs; "
            "move it away and start the backbone anew, or give both another control.path"
        )
    return f"no running backbone at {path} ({why}); start one, or name its --config"


def _asked(client: socket.socket, request: bytes, until: float) -> bytes:
    """The line that comes back."""
    return _line_and_more(client, request, until)[0]


def _line_and_more(client: socket.socket, request: bytes, until: float) -> tuple[bytes, bytes]:
    """The line that comes back, and what came with it from behind it."""
    client.settimeout(_left(until))
    with suppress(BrokenPipeError, ConnectionResetError):  # who has no time says so, and closes, before we have asked
        client.sendall(request)
    line = bytearray()
    while True:
        client.settimeout(_left(until))
        part = client.recv(1 << 16)
        end = part.find(b"\n")
        line += part if end < 0 else part[:end]
        if end >= 0:
            return bytes(line), part[end + 1 :]
        if not part or len(line) > _ANSWER_LIMIT:
            raise OSError(None, "the answer broke off")


def _left(until: float) -> float:
    """Seconds that are left of the deadline.

    Raises:
        TimeoutError: none.
    """
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError(None, "timed out")
    return left


def _reply(line: bytes) -> _Reply:
    """The answer.

    Raises:
        ValueError, RecursionError: it is none of ours.
    """
    reply = msgspec.json.decode(line, type=_Reply)
    if reply.schema != SCHEMA:
        raise ValueError(f"it speaks schema {reply.schema}, and this command {SCHEMA}")
    if not _is_flat(reply.result):
        raise ValueError(f"it is nested over {_DEEPEST} levels deep")
    return reply


def _is_flat(value: object) -> bool:
    """Whether it is no deeper than whatever walks through it afterwards can bear."""
    level: list[object] = [value]
    for _ in range(_DEEPEST):
        level = [item for each in level for item in _inside(each)]
        if not level:
            return True
    return False


def _inside(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
