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
"""

from actors.actor import IGNORE, Actor, Context, Ignore
from actors.cell import Health
from actors.clock import Clock
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
    Reject,
    SpecError,
    StartError,
    SystemFailed,
)
from actors.events import (
    ActorCrashed,
    ActorRestarted,
    ActorRestarting,
    ActorStarted,
    ActorStopped,
    DeadLetter,
    Event,
    EventStream,
    HealthChanged,
    IntensityExceeded,
    OrphanDetected,
    Subscription,
    ZombieDetected,
)
from actors.mailbox import Reply
from actors.messages import Message, Request, Terminated, handles
from actors.ref import ActorRef, ChildCount, ChildInfo, SupervisorRef
from actors.roster import RosterEntry, RosterSnapshot
from actors.specs import (
    AutoShutdown,
    Backoff,
    ChildSpec,
    Intensity,
    Mailbox,
    Overflow,
    Restart,
    Shutdown,
    StopReason,
    Strategy,
    SupervisorSpec,
)
from actors.system import ActorSystem, run

__all__ = [
    "IGNORE",
    "Actor",
    "ActorRef",
    "ActorSystem",
    "Clock",
    "Context",
    "Health",
    "Ignore",
    "Reply",
    "SupervisorRef",
]
__all__ += ["Message", "Request", "Terminated", "handles", "run"]
__all__ += ["ChildCount", "ChildInfo", "RosterEntry", "RosterSnapshot"]
__all__ += ["AutoShutdown", "Backoff", "ChildSpec", "Intensity", "Mailbox", "Overflow", "Restart"]
__all__ += ["Shutdown", "StopReason", "Strategy", "SupervisorSpec"]
__all__ += ["ActorCrashed", "ActorRestarted", "ActorRestarting", "ActorStarted", "ActorStopped", "DeadLetter", "Event"]
__all__ += ["EventStream", "HealthChanged", "IntensityExceeded", "OrphanDetected", "Subscription", "ZombieDetected"]
__all__ += ["ActorDead", "ActorError", "AlreadyPresent", "AlreadyStarted", "AskRejected", "AskTimeout"]
__all__ += ["ChildNotFound", "ChildRestarting", "ChildRunning", "DeadlockError", "InvalidMessage", "MailboxFull"]
__all__ += ["MaxChildren", "Reject", "SpecError", "StartError", "SystemFailed"]
