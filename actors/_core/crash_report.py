"""What is told of a life's end: to the asker of the message in hand, and to whoever reads events and the roster."""

from __future__ import annotations

from typing import Any

from actors._core.cell import Cell
from actors._core.error_text import causes, describe, forget_notes, places, release, trace
from actors._core.incarnation import Incarnation
from actors._core.mailbox import Ask, payload
from actors.events import ActorCrashed, ActorStopped
from actors.stop_reason import StopReason


def fail_in_hand(run: Incarnation, error: Any, reason: StopReason | None = None) -> None:
    """The message in hand when the actor ended: its asker gets the cause, a tell becomes a dead letter."""
    item, run.current = run.current, None
    if item is None:
        return
    run.victim = type(payload(item)).__name__
    why = reason or StopReason("crash", describe(error), error)
    if item.__class__ is not Ask:
        run.cell.runtime.dead_letter(run.cell.path, payload(item), f"the handler did not finish ({why})")
    elif not item.deferred:  # a deferred one is failed with the others, by let_go
        item.fail(run.cell.dead(item.message, why))


def report_crash(run: Incarnation, reason: StopReason) -> None:
    """Count it, keep the error's words without its frames, and publish ActorCrashed if anybody wants it.

    The traceback is made into text here and now: the frames hold the whole actor, and what keeps the error (a grave, an
    asker, a subscriber that does not read) would keep that, too.
    """
    cell = run.cell
    _count(cell, reason)
    cell.note(ActorCrashed, {"reason": reason})
    origin, wanted = "", run.ready and cell.runtime.events.wanted(ActorCrashed)
    if isinstance(reason.error, BaseException):
        forget_notes(reason.error)
        origin = trace(reason.error) if wanted else places(reason.error)
        doing = f", handling {run.victim}" if run.victim is not None and not run.elsewhere else ""
        release(reason.error, origin, f"{cell.path} #{run.number}{doing}")
    if not wanted:
        return  # a failed start is told to the starter
    try:
        detail = run.actor.inspect()
    except BaseException as error:  # noqa: BLE001 - a report must not fail over the actor's own view of itself
        detail = {"inspect": f"failed: {type(error).__name__}"}
    supervisor = cell.parent.cell.path if cell.parent else ""
    facts: dict[str, Any] = {"restart": cell.spec.restart.value, "supervisor": supervisor, "detail": detail}
    facts |= {"message_type": None if run.elsewhere else run.victim, "traceback": origin}
    cell.runtime.publish(ActorCrashed, cell.path, incarnation=run.number, reason=reason, **facts)


def report_end(cell: Cell, number: int, reason: StopReason) -> None:
    """The same of a supervisor, which has no handler and no view of itself; an end in order is ActorStopped."""
    if not reason.abnormal:
        cell.publish(ActorStopped, incarnation=number, reason=reason)
        return
    _count(cell, reason)
    facts = {"restart": cell.spec.restart.value, "supervisor": cell.parent.cell.path if cell.parent else ""}
    cell.publish(ActorCrashed, incarnation=number, reason=reason, **facts)


def _count(cell: Cell, reason: StopReason) -> None:
    """Keep what failed, for the roster."""
    cell.failed += 1
    cell.error = reason.detail or reason.kind
    cell.error_at = cell.runtime.clock.now()
    cell.error_chain = causes(reason.error) if isinstance(reason.error, BaseException) else (str(reason),)
