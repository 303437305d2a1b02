"""The child in which Spark runs: started, given its job, listened to, and ended with all that it has started.

It leads a session of its own, by which everything of it is found: the JVM, and Python's workers, which the JVM starts
in groups of their own. A JVM that crashes or runs out of memory never touches this process, and one that hangs is ended
at the deadline.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import msgspec

from backbone.export.beside import side_by_side
from backbone.export.spark.errors import SparkFailed, SparkMissing
from backbone.export.spark.log import Tail
from backbone.export.spark.sessions import living
from backbone.export.spark.wire import LONGEST, Done, Failed, Job, Reply, Step, decode, encode
from backbone.settings.redaction import redact

__all__ = ["converse"]

_PARTING_SECONDS = 10.0  # for Spark to say goodbye to its cluster
_BURY_SECONDS = 5.0
_POLL_SECONDS = 0.02
_LAST_WORDS_SECONDS = 2.0


async def converse(
    command: Sequence[str],
    job: Job,
    *,
    env: Mapping[str, str],
    cwd: Path,
    seconds: float,
    told: Callable[[Reply], None],
    tail: Tail,
) -> Done:
    """Have a child do a job.

    Args:
        command: what becomes the child.
        job: what it is to do.
        env: its whole environment.
        cwd: its folder.
        seconds: after which it is ended.
        told: hears what it says.
        tail: takes what it prints.

    Raises:
        SparkFailed: it failed, ended before it was done, took too long, or said what nobody understands.
        SparkMissing: it found no Spark, or no Java.
    """
    try:
        process = await anyio.open_process(
            list(command), stdin=subprocess.PIPE, env=dict(env), cwd=cwd, start_new_session=True
        )
    except OSError as error:
        text = f"{command[0]} can't be started ({error.strerror}); export.spark.python names the interpreter"
        raise SparkMissing(text) from error
    reply, printing = None, anyio.CancelScope(shield=True)
    async with side_by_side() as group:
        group.start_soon(_follow, process, tail, printing)
        try:
            reply = await _answered(process, job, seconds, told)
        finally:
            with anyio.CancelScope(shield=True):
                await _end(process)
            printing.deadline = anyio.current_time() + _LAST_WORDS_SECONDS
    if isinstance(reply, Done):
        return reply
    if isinstance(reply, Failed):
        raise (SparkMissing if reply.missing else SparkFailed)(redact(reply.why))
    raise SparkFailed(_ended(process.returncode, tail))


async def _answered(process: Any, job: Job, seconds: float, told: Callable[[Reply], None]) -> Done | Failed | None:
    """The child's last word; None: it ended without one."""
    reply: Done | Failed | None = None
    what = ""

    def hear(said: Reply) -> None:
        nonlocal what
        what = f" ({said.what})" if isinstance(said, Step) else what
        told(said)

    with anyio.move_on_after(seconds):
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            await process.stdin.send(encode(job))
        reply = await _last_word(process, hear)
        with anyio.move_on_after(_PARTING_SECONDS):
            await process.wait()
        return reply
    if reply is None:
        text = f"no end within {seconds:g} s{what}, so that it was ended"
        raise SparkFailed(f"{text}; export.spark.job_seconds says how long one may take")
    return reply


async def _last_word(process: Any, told: Callable[[Reply], None]) -> Done | Failed | None:
    """Listen until the child is done; what is not of the protocol ends it."""
    held = b""
    async for data in process.stdout:
        *lines, held = (held + data).split(b"\n")
        for line in lines:
            try:
                reply = decode(line)
            except msgspec.DecodeError:
                return Failed(why=f"the child said what is none of its words: {Tail.shown(line)}")
            told(reply)
            if isinstance(reply, Done | Failed):
                return reply
        if len(held) > LONGEST:
            return Failed(why=f"the child said a line of over {LONGEST} bytes")
    return None


async def _follow(process: Any, tail: Tail, scope: anyio.CancelScope) -> None:
    """Take what it prints until nobody is left who could print, also where the job was called off."""
    with scope:
        async for data in process.stderr:
            tail.add(data)


async def _end(process: Any) -> None:
    """End the child and all of its session, and bury it."""
    with anyio.move_on_after(_BURY_SECONDS):
        while left := living(process.pid):
            for pid in left:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            await anyio.sleep(_POLL_SECONDS)
        await process.wait()
    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
        await process.stdin.aclose()
    with anyio.move_on_after(_LAST_WORDS_SECONDS):
        async for _ in process.stdout:  # a pipe that was not read to its end is never closed
            pass


def _ended(code: int | None, tail: Tail) -> str:
    """How a child ended that was not done."""
    how = "was ended" if code is None else f"ended with exit code {code}"
    if code is not None and code < 0:
        how = f"was ended by {signal.Signals(-code).name}"
    said = tail.last()
    return f"the process of Spark {how} before the job was done{f'; its last words: {said}' if said else ''}"
