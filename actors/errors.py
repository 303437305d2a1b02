"""Every error the runtime raises, under one root; each says what to do about it."""

from __future__ import annotations

from typing import Any

from actors.stop_reason import StopReason


class ActorError(Exception):
    """Root of all errors of the actor runtime. Catch a subclass; each names its remedy."""

    def __init__(self, text: str, /, **data: Any) -> None:
        super().__init__(text)
        self.path: str | None = None
        self.message: Any = None
        self.elapsed: float | None = None
        self.ref: Any = None  # the ActorRef of the target, where there is one
        for name, value in data.items():
            setattr(self, name, value)


class ActorDead(ActorError):
    """The target has ended, or ended before it replied. Look at `reason`; start or restart it, then send again."""

    reason: StopReason | None = None


class TaskCancelled(ActorDead):
    """The task was stopped before it had a result: by cancel(), or with its actor, supervisor or system."""


class AskTimeout(ActorError):
    """No reply in time; the handler may still run. Raise the timeout, or see in the roster what it waits on."""


class AskRejected(ActorError):
    """The handler refused this request by `Reject(code, text)`. Decide by `code`; the target is alive."""

    code: str = ""
    text: str = ""


class MailboxFull(ActorError):
    """No room in the mailbox. Slow down, use another overflow policy, or give the mailbox more capacity."""


class DeadlockError(ActorError):
    """This wait could never end: its chain leads back to the waiting actor. Use tell, or run_task with defer_reply."""

    chain: tuple[str, ...] = ()


class InvalidMessage(ActorError):
    """The target declares no handler for this type. Add a @handles method or send what it accepts (`accepted`)."""

    accepted: tuple[str, ...] = ()


class StartError(ActorError):
    """A child did not start; nothing of it is left. Read `cause` (also `__cause__`), mend it, start again."""

    child: str = ""
    cause: BaseException | None = None
    spec: Any = None


class AlreadyStarted(ActorError):
    """A running child has this id. Use `ref`, which is that child, or choose another id."""


class AlreadyPresent(ActorError):
    """A stopped or restarting child has this id. Use restart_child, or delete_child first."""


class ChildNotFound(ActorError):
    """No child has this id. See which_children()."""


class ChildRunning(ActorError):
    """The child runs, so it can be neither deleted nor restarted by hand. Use terminate_child first."""


class ChildRestarting(ActorError):
    """The child waits for its restart. Let it come up, or terminate_child to give up the restart."""


class MaxChildren(ActorError):
    """The supervisor holds as many children as its max_children allows. Stop one or raise the limit."""


class NameTaken(ActorError):
    """Somebody else has this name in the registry. Use `ref`, who is that, or choose another name."""

    name: str = ""


class NameNotFound(ActorError, LookupError):
    """Nobody has this name in the registry; `names` are those that there are. Register it first, or use whereis."""

    names: tuple[str, ...] = ()


class SpecError(ActorError, ValueError):
    """A spec is wrong; nothing was started. The text names the field, what was given and what is allowed."""


class SystemFailed(ActorError):
    """The root supervisor gave up. `cause` (also `__cause__`) is the error of the child that it could not keep up."""

    cause: BaseException | None = None


class Reject(Exception):
    """Raise in a handler to refuse one request without a crash; the asker gets AskRejected."""

    def __init__(self, code: str, text: str = "") -> None:
        super().__init__(f"{code}: {text}" if text else code)
        self.code = code
        self.text = text
