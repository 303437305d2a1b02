"""An asyncio actor runtime: typed messages, bounded mailboxes and an OTP supervision tree.

```python
class Add(Message):
    amount: int = 1

class Counter(Actor):
    def __init__(self) -> None:
        self.total = 0

    @handles
    def add(self, message: Add) -> None:
        self.total += message.amount

async with ActorSystem("demo") as system:
    counter = await system.start_child(ChildSpec("counter", Counter))
    await counter.tell(Add(2))
```

Names are imported when first used, so that `import actors` stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors._core.background import TaskHandle
    from actors._core.mailbox import Reply
    from actors.actor import Actor
    from actors.clock import Clock
    from actors.context import Context, current_context
    from actors.description import Description, Happened
    from actors.errors import (
        ActorDead,
        ActorError,
        AlreadyPresent,
        AlreadyStarted,
        AskRejected,
        AskTimeout,
        ChildNotFound,
        ChildRestarting,
        ChildRunning,
        DeadlockError,
        InvalidMessage,
        MailboxFull,
        MaxChildren,
        NameNotFound,
        NameTaken,
        Reject,
        SpecError,
        StartError,
        SystemFailed,
        TaskCancelled,
    )
    from actors.events import (
        ActorCrashed,
        ActorRestarted,
        ActorRestarting,
        ActorResumed,
        ActorStalled,
        ActorStarted,
        ActorStopped,
        ActorSuspended,
        DeadLetter,
        Event,
        EventStream,
        GroupJoined,
        GroupLeft,
        HealthChanged,
        IntensityExceeded,
        NameLeft,
        NameRegistered,
        OrphanDetected,
        Subscription,
        ZombieDetected,
    )
    from actors.handlers import handles
    from actors.hooks import IGNORE, Ignore
    from actors.mapping import TaskMap
    from actors.messages import Message, Request, Terminated
    from actors.ref import ActorRef
    from actors.registry import Registry, Told
    from actors.roster import Health, RosterEntry, RosterSnapshot, TaskRun
    from actors.specs import (
        AutoShutdown,
        Backoff,
        Children,
        ChildSpec,
        Intensity,
        Mailbox,
        Overflow,
        Restart,
        Shutdown,
        Strategy,
        SupervisorSpec,
        TaskSpec,
    )
    from actors.stop_reason import StopReason
    from actors.supervisor_ref import ChildCount, ChildInfo, SupervisorRef
    from actors.system import ActorSystem, run
    from actors.task_ref import TaskRef

__all__ = [
    "IGNORE",
    "Actor",
    "ActorRef",
    "ChildCount",
    "ChildInfo",
    "Context",
    "Ignore",
    "Message",
    "Reply",
    "Request",
    "SupervisorRef",
    "Terminated",
    "current_context",
    "handles",
]
__all__ += [
    "AutoShutdown",
    "Backoff",
    "ChildSpec",
    "Children",
    "Intensity",
    "Mailbox",
    "Overflow",
    "Restart",
    "Shutdown",
    "StopReason",
    "Strategy",
    "SupervisorSpec",
    "TaskSpec",
]
__all__ += [
    "TaskHandle",
    "TaskMap",
    "TaskRef",
]
__all__ += [
    "ActorSystem",
    "Clock",
    "Description",
    "Happened",
    "Health",
    "Registry",
    "RosterEntry",
    "RosterSnapshot",
    "TaskRun",
    "Told",
    "run",
]
__all__ += [
    "ActorCrashed",
    "ActorRestarted",
    "ActorRestarting",
    "ActorResumed",
    "ActorStalled",
    "ActorStarted",
    "ActorStopped",
    "ActorSuspended",
    "DeadLetter",
    "Event",
    "EventStream",
    "GroupJoined",
    "GroupLeft",
    "HealthChanged",
    "IntensityExceeded",
    "NameLeft",
    "NameRegistered",
    "OrphanDetected",
    "Subscription",
    "ZombieDetected",
]
__all__ += [
    "ActorDead",
    "ActorError",
    "AlreadyPresent",
    "AlreadyStarted",
    "AskRejected",
    "AskTimeout",
    "ChildNotFound",
    "ChildRestarting",
    "ChildRunning",
    "DeadlockError",
    "InvalidMessage",
    "MailboxFull",
    "MaxChildren",
    "NameNotFound",
    "NameTaken",
    "Reject",
    "SpecError",
    "StartError",
    "SystemFailed",
    "TaskCancelled",
]

_HOMES = {
    "actor": "Actor",
    "context": "Context current_context",
    "hooks": "IGNORE Ignore",
    "roster": "Health RosterEntry RosterSnapshot TaskRun",
    "clock": "Clock",
    "description": "Description Happened",
    "errors": (
        "ActorDead ActorError AlreadyPresent AlreadyStarted AskRejected AskTimeout ChildNotFound "
        "ChildRestarting ChildRunning DeadlockError InvalidMessage MailboxFull MaxChildren NameNotFound "
        "NameTaken Reject SpecError StartError SystemFailed TaskCancelled"
    ),
    "events": (
        "ActorCrashed ActorRestarted ActorRestarting ActorResumed ActorStalled ActorStarted ActorStopped "
        "ActorSuspended DeadLetter Event EventStream GroupJoined GroupLeft HealthChanged IntensityExceeded "
        "NameLeft NameRegistered OrphanDetected Subscription ZombieDetected"
    ),
    "_core.background": "TaskHandle",
    "_core.mailbox": "Reply",
    "mapping": "TaskMap",
    "handlers": "handles",
    "messages": "Message Request Terminated",
    "supervisor_ref": "ChildCount ChildInfo SupervisorRef",
    "ref": "ActorRef",
    "task_ref": "TaskRef",
    "specs": (
        "AutoShutdown Backoff ChildSpec Children Intensity Mailbox Overflow Restart Shutdown Strategy "
        "SupervisorSpec TaskSpec"
    ),
    "stop_reason": "StopReason",
    "system": "ActorSystem run",
    "registry": "Registry Told",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
