"""What the parent and the child say to each other: one JSON object a line, over the child's stdin and stdout.

The parent says one thing, the `Job`, and keeps stdin open: its end is that of the parent, and the child ends with it.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from backbone.domain.dimension import Dimension

__all__ = ["LONGEST", "Done", "Failed", "Job", "JobKind", "Reply", "Started", "Step", "decode", "encode"]

LONGEST = 1 << 20
"""Bytes of one line, at most."""

JobKind = Literal["validate", "ohlc", "aggregates", "compact"]


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What the child is to do.

    Attributes:
        kind: which job.
        root: the folder in which exports lie, as all executors see it.
        export: the name of the export.
        dimension: of the rows; None: all of them.
        interval: of the bars, in seconds.
        spelled: the interval as it is called.
    """

    kind: JobKind
    root: str
    export: str
    dimension: Dimension | None = None
    interval: int = 0
    spelled: str = ""


class Started(msgspec.Struct, frozen=True, kw_only=True, tag="started"):
    """Spark runs.

    Attributes:
        version: of Spark.
        seconds: since the process began.
    """

    version: str
    seconds: float


class Step(msgspec.Struct, frozen=True, kw_only=True, tag="step"):
    """How far it is."""

    what: str


class Done(msgspec.Struct, frozen=True, kw_only=True, tag="done"):
    """It came to its end.

    Attributes:
        rows, files: looked at, or written.
        folder: what was written; "" where nothing is.
        kept: the same job had written it before.
        problems: a line for each thing that is wrong.
    """

    rows: int
    files: int
    folder: str = ""
    kept: bool = False
    problems: tuple[str, ...] = ()


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed"):
    """It could not be done.

    Attributes:
        why: in words.
        missing: something has to be installed.
    """

    why: str
    missing: bool = False


Reply = Started | Step | Done | Failed


def encode(message: Job | Reply) -> bytes:
    """One line."""
    return msgspec.json.encode(message) + b"\n"


def decode(line: bytes) -> Reply:
    """What the child said.

    Raises:
        msgspec.DecodeError: it is none of these.
    """
    reply: Reply = msgspec.json.decode(line, type=Reply)
    return reply
