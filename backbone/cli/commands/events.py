"""`backbone events`: what the running backbone tells of itself, as it comes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from cyclopts import Parameter

from backbone.cli.exits import DONE
from backbone.cli.failures import note
from backbone.cli.options import COMMON, Common, prepare

if TYPE_CHECKING:
    from backbone.settings import Settings

__all__ = ["events"]

_PAUSE = 0.5  # seconds between two questions

Lines = Annotated[Literal["human", "json"], Parameter(name="--format")]
Kinds = Annotated[tuple[str, ...], Parameter(name="--topic", negative="", show_default=False)]


class Told(msgspec.Struct):
    """One event, as it comes."""

    number: int
    emitted_at: datetime
    metadata: dict[str, Any]
    result: dict[str, Any]


class Answer(msgspec.Struct):
    """What comes after a number."""

    session: str
    events: list[Told]
    next: int
    lost: int


def events(*, follow: bool = True, topic: Kinds = (), how: Lines = "human", common: Common = COMMON) -> int:
    """What the running backbone tells of itself: first what it has kept, then what comes, until Ctrl-C.

    Where more came than is kept between two looks, stderr says how many are missing.
    Exits 4 where no backbone runs with these settings, or once it has ended.

    Args:
        follow: go on with what comes; --no-follow ends with what is kept.
        topic: only these kinds and those below them, such as telemetry.ingest; may be repeated.
        how: a line for people, or a line of JSON for each event.
        common: the options that all commands share.
    """
    settings = prepare(common)
    from backbone.cli.failures import UsageError
    from backbone.cli.process.streams import put
    from backbone.domain.text import json_text
    from backbone.operations.telemetry.topics import TOPICS

    for name in topic:
        if not any(f"{known}.".startswith(f"{name}.") for known in TOPICS):
            raise UsageError(f"--topic {name!r}: allowed are {', '.join(TOPICS)}, or what they begin with")
    for told in _told(settings, topic, follow=follow):
        line = json_text(msgspec.json.encode(told)).decode() if how == "json" else _line(told)
        put(f"{line}\n")
    return DONE


def _told(settings: Settings, topics: Sequence[str], *, follow: bool) -> Iterator[Told]:
    """The events in order; what is missing is noted."""
    from backbone.cli.process.asking import answer

    session, number = "", None
    while True:
        given = {"topics": list(topics), **({} if number is None else {"after": number})}
        found, _ = answer(settings, "events", Answer, arguments=given)
        if session and found.session != session:
            note("the backbone was started anew; what it told last before that may be missing")
            session, number = found.session, None
            continue
        if found.lost and number is not None:
            note(f"{found.lost:,} events are missing here: more came than are kept (telemetry.kept)")
        yield from found.events
        moved = found.next != number
        session, number = found.session, found.next
        if not follow and not (moved and found.events):
            return
        if not found.events:
            time.sleep(_PAUSE)


def _line(told: Told) -> str:
    """One event for people: when, what, about what, and its facts that are no lists."""
    from backbone.cli.show.text import one_line
    from backbone.domain.report import plain

    facts = " ".join(
        f"{name}={plain(value)}"
        for name, value in told.result.items()
        if value not in (None, "", []) and not isinstance(value, dict) and not _long(value)
    )
    return one_line(f"{told.emitted_at:%H:%M:%S} {told.metadata.get('type', '')}  {facts}")


def _long(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(each, dict) for each in value)
