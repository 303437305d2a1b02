"""What is started and how it is kept alive, written as data and checked before anything runs."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import Enum
from inspect import iscoroutinefunction
from types import MappingProxyType
from typing import Any, Protocol

import msgspec

from actors.errors import SpecError
from actors.stop_reason import StopReason

_NOTHING: Mapping[str, Any] = MappingProxyType({})  # one for all specs


class Strategy(Enum):
    """Whom a supervisor restarts when one child fails."""

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"


class Restart(Enum):
    """Which ends of a child lead to a restart: all, abnormal ones, none."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    TEMPORARY = "temporary"


class Shutdown(Enum):
    """Instead of seconds: kill at once without the stop hook, or wait without a limit."""

    BRUTAL = "brutal"
    INFINITE = "infinite"


class AutoShutdown(Enum):
    """Whether a supervisor ends when significant children have ended."""

    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    ALL_SIGNIFICANT = "all_significant"


class Overflow(Enum):
    """What happens to a message that finds the mailbox full."""

    WAIT = "wait"
    REJECT = "reject"
    DROP_OLDEST = "drop_oldest"
    DROP_NEWEST = "drop_newest"


class Intensity(msgspec.Struct, frozen=True):
    """At most `restarts` within `within` seconds; one more ends the supervisor."""

    restarts: int = 3
    within: float = 5.0


class Backoff(msgspec.Struct, frozen=True):
    """Delay n before restart n: min(maximum, initial * factor**n) * (1 + U(0, jitter)) seconds (Pekko's formula)."""

    initial: float = 0.1
    maximum: float = 30.0
    factor: float = 2.0
    jitter: float = 0.2
    reset_after: float | None = None
    max_restarts: int | None = None

    def delay(self, attempt: int, uniform: float) -> float:
        """Seconds to wait before restart number `attempt` (from 0); `uniform` is drawn from [0, 1)."""
        try:
            grown = self.initial * self.factor**attempt
        except OverflowError:
            grown = math.inf
        return min(self.maximum, grown) * (1.0 + uniform * self.jitter)

    @property
    def reset_seconds(self) -> float:
        """How long a life without a crash sets the attempt counter back."""
        return (self.initial + self.maximum) / 2 if self.reset_after is None else self.reset_after


class Mailbox(msgspec.Struct, frozen=True):
    """A bounded queue of `capacity` messages and its policy when full."""

    capacity: int = 1024
    overflow: Overflow = Overflow.WAIT


class ActorLike(Protocol):
    """An Actor, known here by its hooks alone: so specs need not know the class that is made of them."""

    def on_start(self) -> Any:
        """Acquire what is needed."""

    def after_start(self) -> Any:
        """Go on after the start was reported."""

    def on_stop(self, reason: StopReason, /) -> Any:
        """Release what on_start acquired."""

    def inspect(self) -> dict[str, Any]:
        """What others may see of it."""


class ChildSpec(msgspec.Struct, frozen=True):
    """How to start an actor and what to do when it ends. `factory(*args, **kwargs)` makes each incarnation.

    What it makes is an Actor, which type checkers know here by its hooks.
    """

    id: str
    factory: Callable[..., ActorLike]
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = _NOTHING
    restart: Restart = Restart.PERMANENT
    shutdown: float | Shutdown = 5.0
    start_timeout: float = 30.0
    significant: bool = False
    backoff: Backoff | None = None
    mailbox: Mailbox = Mailbox()
    drain_on_stop: bool = False
    metadata: Mapping[str, Any] = _NOTHING
    stall_timeout: float | None = None


class TaskSpec(ChildSpec, frozen=True):
    """A plain `async def` as a child: `factory(*args, **kwargs)` is awaited, once in each incarnation.

    Where it returns, the task has ended normally; where it raises, it has crashed; `restart` decides what follows.
    A stop cancels it and gives it `shutdown` seconds to clean up. `deadline` bounds the seconds of one run,
    `stall_timeout` those between two `beat()`s. The roster shows its last `history` runs.
    """

    factory: Callable[..., Awaitable[Any]]  # type: ignore[assignment]  # in place of the actor that a ChildSpec's makes
    restart: Restart = Restart.TRANSIENT
    deadline: float | None = None
    history: int = 10


class Children(msgspec.Struct, frozen=True):
    """The policy for an actor's own children: a class attribute, `children = Children(intensity=Intensity(10, 5.0))`.

    Over the intensity the actor itself crashes, and its supervisor decides.
    """

    strategy: Strategy = Strategy.ONE_FOR_ONE
    intensity: Intensity = Intensity()
    max_children: int | None = None
    parallel_shutdown: bool = False


class SupervisorSpec(msgspec.Struct, frozen=True):
    """A supervisor: its children in start order and its policy. No user code runs in one."""

    id: str
    children: Sequence[ChildSpec | SupervisorSpec] = ()
    strategy: Strategy = Strategy.ONE_FOR_ONE
    intensity: Intensity = Intensity()
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER
    max_children: int | None = None
    parallel_shutdown: bool = False
    restart: Restart = Restart.PERMANENT
    shutdown: float | Shutdown = Shutdown.INFINITE
    significant: bool = False
    backoff: Backoff | None = None
    metadata: Mapping[str, Any] = _NOTHING

    @property
    def start_timeout(self) -> None:
        """None: each static child has its own."""
        return


Spec = ChildSpec | SupervisorSpec


def check(spec: Spec, auto_shutdown: AutoShutdown = AutoShutdown.NEVER) -> None:
    """Refuse a wrong spec, with all specs below it, before any child starts.

    Raises:
        SpecError: names the field, what was given and what is allowed.
    """
    if not isinstance(spec, _SPECS):
        raise SpecError(f"spec: got {spec!r}; give a ChildSpec or a SupervisorSpec")
    if not isinstance(spec.id, str) or not spec.id or "/" in spec.id:
        raise _wrong(spec, "id", "a non-empty text without '/'")
    if not isinstance(spec.restart, Restart):
        raise _wrong(spec, "restart", "a Restart")
    if not isinstance(spec.significant, bool):
        raise _wrong(spec, "significant", "True or False")
    if not isinstance(spec.metadata, Mapping):
        raise _wrong(spec, "metadata", "a mapping")
    if not isinstance(spec.shutdown, Shutdown) and not (number(spec.shutdown) and spec.shutdown >= 0):
        raise _wrong(spec, "shutdown", "seconds >= 0 or a Shutdown")
    if spec.significant and spec.restart is Restart.PERMANENT:
        raise _wrong(spec, "significant", "transient or temporary children only")
    if spec.significant and auto_shutdown is AutoShutdown.NEVER:
        raise _wrong(spec, "significant", "only under a parent with auto_shutdown")
    if spec.backoff is not None:
        _check_backoff(spec, spec.backoff)
    if isinstance(spec, ChildSpec):
        _check_child(spec)
    else:
        _check_supervisor(spec)


def _check_child(spec: ChildSpec) -> None:
    if isinstance(spec, TaskSpec):
        _check_task(spec)
    elif not callable(spec.factory) or iscoroutinefunction(spec.factory):
        raise _wrong(spec, "factory", "a callable that makes an Actor; an `async def` goes into a TaskSpec")
    if not isinstance(spec.args, Sequence) or isinstance(spec.args, str | bytes):
        raise _wrong(spec, "args", "a tuple or list of the factory's arguments")
    if not isinstance(spec.kwargs, Mapping) or not all(isinstance(name, str) for name in spec.kwargs):
        raise _wrong(spec, "kwargs", "a mapping of the factory's named arguments")
    if not isinstance(spec.drain_on_stop, bool):
        raise _wrong(spec, "drain_on_stop", "True or False")
    _check_seconds(spec, "stall_timeout")
    if not number(spec.start_timeout) or not spec.start_timeout > 0:
        raise _wrong(spec, "start_timeout", "seconds > 0")
    mailbox = spec.mailbox
    if not isinstance(mailbox, Mailbox) or not _whole(mailbox.capacity) or mailbox.capacity < 1:
        raise _wrong(spec, "mailbox", "a Mailbox with capacity >= 1")
    if not isinstance(mailbox.overflow, Overflow):
        raise _wrong(spec, "mailbox", "a Mailbox whose overflow is an Overflow")


def _check_task(spec: TaskSpec) -> None:
    if not callable(spec.factory) or isinstance(spec.factory, type):
        raise _wrong(spec, "factory", "an `async def`, given without calling it; an Actor goes into a ChildSpec")
    _check_seconds(spec, "deadline")
    if not isinstance(spec.history, int) or spec.history < 1:
        raise _wrong(spec, "history", "a number of runs >= 1")


def _check_seconds(spec: ChildSpec, field: str) -> None:
    value = getattr(spec, field)
    if value is not None and (not number(value) or not value > 0):
        raise _wrong(spec, field, "None or seconds > 0")


def _check_supervisor(spec: SupervisorSpec) -> None:
    if not isinstance(spec.strategy, Strategy):
        raise _wrong(spec, "strategy", "a Strategy")
    if not isinstance(spec.auto_shutdown, AutoShutdown):
        raise _wrong(spec, "auto_shutdown", "an AutoShutdown")
    check_intensity(f"{spec.id}: ", spec.intensity)
    if not isinstance(spec.parallel_shutdown, bool):
        raise _wrong(spec, "parallel_shutdown", "True or False")
    if not isinstance(spec.children, Sequence):
        raise _wrong(spec, "children", "a tuple or list of specs")
    most = spec.max_children
    if most is not None and (not _whole(most) or most < max(1, len(spec.children))):
        raise _wrong(spec, "max_children", "None or >= the static children")
    seen: set[str] = set()
    for child in spec.children:
        check(child, spec.auto_shutdown)
        if child.id in seen:
            raise SpecError(f"{spec.id}: children: got two with id {child.id!r}; allowed: unique ids")
        seen.add(child.id)


def check_children(owner: str, policy: object) -> None:
    """Refuse a class attribute `children` that is no policy, and a wrong policy.

    Raises:
        SpecError: names the field, what was given and what is allowed.
    """
    if not isinstance(policy, Children):
        allowed = (
            "Children(strategy=…, intensity=…), the policy for an actor's own children; name your attribute otherwise"
        )
        raise SpecError(f"{owner}.children: got {policy!r}; allowed: {allowed}")
    check(policy_spec(f"{owner}.children", policy))


def policy_spec(id: str, policy: Children) -> SupervisorSpec:  # noqa: A002 - the field's name
    """The supervisor of an actor's own children."""
    return SupervisorSpec(
        id,
        strategy=policy.strategy,
        intensity=policy.intensity,
        max_children=policy.max_children,
        parallel_shutdown=policy.parallel_shutdown,
    )


def check_intensity(where: str, intensity: Intensity) -> None:
    """Refuse a negative budget or an empty period."""
    fine = isinstance(intensity, Intensity) and _whole(intensity.restarts) and number(intensity.within)
    if not fine or intensity.restarts < 0 or not intensity.within > 0:
        allowed = "an Intensity with whole restarts >= 0, within > 0 seconds"
        raise SpecError(f"{where}intensity: got {intensity!r}; allowed: {allowed}")


def _check_backoff(spec: Spec, backoff: Backoff) -> None:
    if not isinstance(backoff, Backoff) or not _fine(backoff):
        allowed = "a Backoff with 0 <= initial <= maximum, factor >= 1, jitter >= 0"
        raise _wrong(
            spec, "backoff", f"{allowed}, reset_after None or >= 0 seconds, max_restarts None or whole and >= 0"
        )


def _fine(backoff: Backoff) -> bool:
    if not all(map(number, (backoff.initial, backoff.maximum, backoff.factor, backoff.jitter))):
        return False
    reset, most = backoff.reset_after, backoff.max_restarts
    return (
        0 <= backoff.initial <= backoff.maximum
        and backoff.factor >= 1
        and backoff.jitter >= 0
        and (reset is None or (number(reset) and reset >= 0))
        and (most is None or (_whole(most) and most >= 0))
    )


def number(value: object) -> bool:
    """True for an int or a float; True and False are neither."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _wrong(spec: Spec, field: str, allowed: str) -> SpecError:
    return SpecError(f"{spec.id}: {field}: got {getattr(spec, field)!r}; allowed: {allowed}")


_SPECS = (ChildSpec, SupervisorSpec)
