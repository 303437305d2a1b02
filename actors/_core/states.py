"""The states of one life and of a child, and their legal moves: tables that the code keeps to and the docs show.

A *life* (an incarnation, also of a supervisor) goes through phases; they only ever rise. A *child* goes through states,
which the roster shows; it outlasts its lives, and between two of them it waits in `backoff`.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Phase(IntEnum):
    """Where one life is. What is started in it asks `phase < CLOSING`; what fails in it asks `phase < ENDING`."""

    STARTING = 0
    RUNNING = 1
    ENDING = 2
    CLOSING = 3
    OVER = 4


LIFE: dict[Phase, dict[Phase, str]] = {
    Phase.STARTING: {
        Phase.RUNNING: "on_start returned, and somebody still waits for the start",
        Phase.ENDING: "on_start failed, declined, took too long, or a stop or a kill came first",
        Phase.OVER: "its task was cancelled before its first step, or it did not end after a kill",
    },
    Phase.RUNNING: {
        Phase.ENDING: "a stop, a kill, a crash, stop_self(), or the mailbox of a drain is empty",
        Phase.OVER: "it did not end after a kill: a zombie, let go",
    },
    Phase.ENDING: {
        Phase.CLOSING: "its children, timers and background tasks have ended and on_stop has run: nothing starts now",
        Phase.OVER: "it did not end after a kill: a zombie, let go",
    },
    Phase.CLOSING: {Phase.OVER: "what on_stop had started has ended, too; the supervisor is told"},
    Phase.OVER: {},
}


class State(StrEnum):
    """What the roster says of a child."""

    STARTING = "starting"
    RUNNING = "running"
    SUSPENDED = "suspended"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    ZOMBIE = "zombie"
    BACKOFF = "backoff"


_ENDS = {
    State.STOPPED: "the life is over, in order",
    State.FAILED: "the life is over, by a crash, a kill or a limit",
    State.ZOMBIE: "the life is over for its supervisor, but its task does not end",
}
_AGAIN = {
    State.STARTING: "its supervisor starts the next life",
    State.BACKOFF: "a restart was decided and waits for its delay, or for its turn after a failed one",
    State.STOPPED: "nobody will restart it; its watchers are told",
    State.FAILED: "its restarts are used up; its watchers are told",
}
CHILD: dict[State, dict[State, str]] = {
    State.STARTING: {
        State.RUNNING: "on_start returned",
        State.STOPPING: "the start is given up, or failed",
        **_ENDS,
    },
    State.RUNNING: {State.SUSPENDED: "an operator suspends it", State.STOPPING: "the life ends", **_ENDS},
    State.SUSPENDED: {State.RUNNING: "an operator resumes it", State.STOPPING: "the life ends", **_ENDS},
    State.STOPPING: dict(_ENDS),
    State.STOPPED: _AGAIN,
    State.FAILED: _AGAIN,
    State.ZOMBIE: _AGAIN,
    State.BACKOFF: _AGAIN,
}


class IllegalMove(RuntimeError):
    """A fault of the runtime itself: a state was left in a way that the tables do not know."""


def advance(now: Phase, to: Phase) -> Phase:
    """The next phase of a life.

    Raises:
        IllegalMove: the table has no such move.
    """
    if to not in LIFE[now]:
        raise IllegalMove(f"a life can't go from {now.name} to {to.name}")
    return to
