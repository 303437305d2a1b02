"""The actor that serves the control socket."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import anyio.abc

from actors import Actor, ActorError, StopReason
from backbone.control.peers import is_trusted, peer_of
from backbone.control.places import Places
from backbone.control.wire import BUSY, LINE_LIMIT, REFUSED, REQUEST_TIMEOUT, SCHEMA, Question, question_of, refusal
from backbone.domain.arguments import shown
from backbone.domain.errors import BackboneError
from backbone.files import private_folder

__all__ = ["ControlActor"]

_LINE_TIMEOUT = 2.0  # seconds until the question is here
_ANSWER_TIMEOUT = 8.0  # seconds until the answer is found; what is left of the whole is for sending it
_REFUSAL_TIMEOUT = 1.0
_ACCEPT_PAUSE = 0.5
_PASSING = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ECONNABORTED}
"""Why nobody can be taken now; who connects waits in the queue of the socket meanwhile."""
_LONGEST_PATH = 100  # a unix socket's path holds 108 bytes

Answers = Mapping[str, Callable[[Mapping[str, Any]], Awaitable[bytes]]]
"""What can be asked, and who answers it, as JSON; arguments that he refuses raise ValueError or TypeError."""


class _Answer(NamedTuple):
    """What is sent, one after the other, and whether finding it took its own time."""

    parts: tuple[bytes, ...]
    long: bool = False


class ControlActor(Actor):
    """Serves the socket.

    Args:
        path: the socket file; its folder is made.
        answers: what can be asked.
        streams: what is answered in bytes, and bounds its time by itself; who closes the connection stops it.
    """

    def __init__(self, path: str, answers: Answers, streams: Answers | None = None) -> None:
        self._path = Path(path)
        self._answers = answers
        self._streams = streams or {}
        self._listener: anyio.abc.SocketListener | None = None
        self._inode: int | None = None

    async def on_start(self) -> None:
        """Bind; a socket that somebody else holds is left alone, and this backbone goes without."""
        try:
            self._listener = await self._bind()
        except (OSError, ValueError) as error:  # ValueError: no path at all, such as one with a NUL
            why = f"no control socket at {self._path}: {getattr(error, 'strerror', None) or error}"
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
            _require_dead(self._path)
            self._path.unlink(missing_ok=True)
        listening = _listening(self._path)
        self._inode = _inode(self._path)
        return await anyio.abc.SocketListener.from_socket(listening)

    async def _serve(self, listener: anyio.abc.SocketListener) -> None:
        places = Places()
        async with anyio.create_task_group() as clients:
            while True:  # as listener.serve does, with a name that people know in the roster
                try:
                    stream = await listener.accept()
                except anyio.BrokenResourceError as error:
                    if getattr(error.__cause__, "errno", None) not in _PASSING:
                        raise
                    self.context.log.warning("control socket takes nobody", why=str(error.__cause__))
                    await anyio.sleep(_ACCEPT_PAUSE)
                    continue
                await self._admit(stream, places, clients)

    async def _admit(self, stream: anyio.abc.SocketStream, places: Places, clients: anyio.abc.TaskGroup) -> None:
        """Serve it beside the others, or say at once why not."""
        try:
            peer = peer_of(stream.extra(anyio.abc.SocketAttribute.raw_socket))  # noqa: S610  no query of Django
        except OSError:  # it has gone again
            await stream.aclose()
            return
        if not is_trusted(peer):
            self.context.log.warning("control client refused", peer=str(peer))
            await _turn_away(stream, f"you are {peer}; only the user of this backbone may ask it", REFUSED)
        elif refused := places.take(peer):
            self.context.log.debug("control client refused", peer=str(peer), why=refused)
            await _turn_away(stream, refused, BUSY)
        else:
            clients.start_soon(self._handle, stream, partial(places.leave, peer), name="client")

    async def _handle(self, stream: anyio.abc.SocketStream, done: Callable[[], None]) -> None:
        """One question and its answer; who reads nothing of it loses his place as well."""
        try:
            async with stream:
                with anyio.move_on_after(REQUEST_TIMEOUT) as bound:
                    answer = await self._answer(stream, bound)
                    bound.deadline = anyio.current_time() + REQUEST_TIMEOUT if answer.long else bound.deadline
                    for part in answer.parts:
                        await stream.send(part)
        except (anyio.BrokenResourceError, anyio.EndOfStream, anyio.ClosedResourceError):
            self.context.log.debug("control client went away")
        finally:
            done()

    async def _answer(self, stream: anyio.abc.SocketStream, bound: anyio.CancelScope) -> _Answer:
        """What is sent back: a line, and behind it the bytes that it announces."""
        try:
            with anyio.fail_after(_LINE_TIMEOUT):
                question = question_of(await _read_line(stream))
        except ValueError as error:
            return _Answer((refusal(str(error)),))
        except TimeoutError:
            return _Answer(
                (refusal(f"no whole line came within {_LINE_TIMEOUT:g} s; send the question at once", BUSY),)
            )
        if question.command in self._streams:
            bound.deadline = float("inf")
            return await self._streamed(stream, question)
        answer = self._answers.get(question.command)
        if answer is None:
            allowed = ", ".join(sorted({*self._answers, *self._streams}))
            return _Answer((refusal(f"command {shown(question.command)} given; allowed: {allowed}"),))
        try:
            with anyio.fail_after(_ANSWER_TIMEOUT):
                return _Answer((b'{"schema":%d,"ok":true,"result":%s}\n' % (SCHEMA, await answer(question.arguments)),))
        except (ActorError, BackboneError, TypeError, ValueError) as error:
            return _Answer((refusal(str(error)),))
        except TimeoutError:
            return _Answer((refusal(f"there was no answer within {_ANSWER_TIMEOUT:g} s; ask again", BUSY),))

    async def _streamed(self, stream: anyio.abc.SocketStream, question: Question) -> _Answer:
        """The answer in bytes, unless who asked goes away."""
        found: list[_Answer] = []

        async def answered(scope: anyio.CancelScope) -> None:
            try:
                data = await self._streams[question.command](question.arguments)
                found.append(
                    _Answer((b'{"schema":%d,"ok":true,"result":{"bytes":%d}}\n' % (SCHEMA, len(data)), data), True)
                )
            except (ActorError, BackboneError, TypeError, ValueError) as error:
                code = error.code if isinstance(error, BackboneError) else REFUSED
                found.append(_Answer((refusal(str(error), code),), long=True))
            scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(answered, group.cancel_scope)
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                await stream.receive(1)  # a second question, or the end: either way nobody waits for the first
            group.cancel_scope.cancel()
        if not found:
            raise anyio.BrokenResourceError
        return found[0]


async def _turn_away(stream: anyio.abc.SocketStream, why: str, code: str) -> None:
    """Say so and close, without a look at the question; what is sent first on a connection finds room at once."""
    with anyio.move_on_after(_REFUSAL_TIMEOUT):
        try:
            async with stream:
                await stream.send(refusal(why, code))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return


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


def _require_dead(path: Path) -> None:
    """Refuse where somebody listens; the socket file of a process that is gone refuses whoever connects.

    Raises:
        OSError: somebody does, and who.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
            peer = peer_of(probe)
        except (ConnectionRefusedError, FileNotFoundError):
            return
        except BlockingIOError:
            raise OSError(None, "somebody has it, and too many wait there to ask who") from None
    if peer.uid in {None, os.geteuid()}:
        raise OSError(None, "another running backbone has it")
    raise OSError(None, f"another user ({peer}) listens there, who may be no backbone; see who put it there")


async def _read_line(stream: anyio.abc.ByteReceiveStream) -> bytes:
    """The question.

    Raises:
        ValueError: it is too long.
    """
    line = b""
    while True:
        part, end, _ = (await stream.receive(65536)).partition(b"\n")
        line += part
        if len(line) > LINE_LIMIT:
            raise ValueError(f"a line of over {LINE_LIMIT:,} bytes given; send one question")
        if end:
            return line
