"""Updates for a command: from the running backbone through its control socket, else from one that is opened here."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import msgspec

from backbone.cli.process.asking import asked
from backbone.cli.process.opening import briefly
from backbone.control.errors import ControlUnreachable, NobodyRuns
from backbone.domain import decode
from backbone.domain.threads import in_thread
from backbone.facade.pulling import Pulled
from backbone.stream.messages import Update
from backbone.stream.resume import Resume

if TYPE_CHECKING:
    from backbone.domain.dimension import Dimension
    from backbone.facade.backbone import Backbone
    from backbone.settings import Settings
    from backbone.stream.records import Place

__all__ = ["Batch", "Wanted", "from_own", "from_running"]

_WAIT = 1.0  # seconds that a question waits for updates: a stop is no slower than that
_TRIES, _PAUSE = 4, 0.5  # of a question to one who is busy, and seconds between them

Batch = Callable[[], Awaitable[Sequence[Update]]]
"""What comes next; empty where nothing came for a moment."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is subscribed to, and from where on."""

    dimension: Dimension
    symbols: tuple[str, ...]
    start: str


async def from_running(settings: Settings, wanted: Wanted, follow: Callable[[Batch], Awaitable[None]]) -> None:
    """Let `follow` read from the running backbone: one question at a time, each with the place of the answer before.

    Raises:
        NobodyRuns: none runs with these settings, or it has ended.
        ControlUnreachable: it does not answer.
        CommandFailed: it refuses.
    """
    token, place = "", None

    async def batch() -> Sequence[Update]:
        nonlocal token, place
        question = _question(wanted, token, place)
        pulled = _pulled(settings, await _patiently(settings, question))
        updates = [
            Update(each.event_id, each.position, each.resume, each.symbol, decode(base64.b64decode(each.payload)))
            for each in pulled.updates
        ]
        token, place = updates[-1].resume if updates else token, pulled.after or place
        return updates

    await follow(batch)


async def _patiently(settings: Settings, question: dict[str, Any]) -> dict[str, Any]:
    """The answer of one who may be busy for a moment, or about to end.

    Raises:
        NobodyRuns, ControlUnreachable, CommandFailed: see `from_running`.
    """
    for _ in range(_TRIES - 1):
        try:
            return await in_thread(lambda: asked(settings, "updates", arguments=question))
        except NobodyRuns:
            raise
        except ControlUnreachable:
            await anyio.sleep(_PAUSE)
    return await in_thread(lambda: asked(settings, "updates", arguments=question))


def _question(wanted: Wanted, token: str, place: Place | None) -> dict[str, Any]:
    """At first where it begins, later where the last answer ended, by a token that names the database where one is."""
    start: dict[str, Any] = {"start": wanted.start}
    if token and place is not None:
        known = Resume.parse(token)
        same = known.event if known.position == place.position else ""
        start = {"start": Resume(known.database, known.stream, place.position, place.mark, same).text()}
    elif place is not None:
        start = {"after": {"position": place.position, "mark": place.mark}}
    return {"dimension": wanted.dimension.value, "symbols": list(wanted.symbols), "wait": _WAIT, **start}


def _pulled(settings: Settings, answer: dict[str, Any]) -> Pulled:
    try:
        return msgspec.convert(answer, Pulled)
    except msgspec.ValidationError as error:
        raise ControlUnreachable(
            f"who answers at {settings.control.path} says something else than this version of the command understands "
            f"({error}); use the command of the version that runs"
        ) from error


async def from_own(settings: Settings, wanted: Wanted, follow: Callable[[Batch], Awaitable[None]]) -> None:
    """Let `follow` read from a backbone that is opened for it: its stream has to be one that processes share.

    Raises:
        NobodyRuns: the stream lives in the process of a running backbone, and none runs.
    """
    if settings.stream.backend == "memory":
        raise NobodyRuns(
            f"no running backbone at {settings.control.path}, and the stream lives in the process of one "
            "(stream.backend is memory): there is nothing to read; backbone run starts one"
        )

    async def work(backbone: Backbone) -> None:
        subscribed = backbone.subscribe(wanted.dimension, symbols=wanted.symbols, start=wanted.start)
        async with subscribed as subscription:
            await follow(lambda: subscription.batch(_WAIT))

    await briefly(settings, work)
