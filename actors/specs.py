"""What is started and how it is kept alive, written as data and checked before anything runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from actors.errors import SpecError

_NOTHING: Mapping[str, Any] = MappingProxyType({})  # one for all specs
StopKind = Literal["normal", "shutdown", "killed", "crash", "parent_died", "intensity", "timeout"]


class StopReason(msgspec.Struct, frozen=True):
    """Why an incarnation ended. `error` is the exception, where there was one."""

    kind: StopKind
    detail: str = ""
    error: Any = None

    @property
    def abnormal(self) -> bool:
        """True where a transient child is to be restarted."""
        return self.kind in ("crash", "killed", "intensity", "timeout")

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}" if self.detail else self.kind


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


class ChildSpec(msgspec.Struct, frozen=True):
    """How to start an actor and what to do when it ends. `factory(*args, **kwargs)` makes each incarnation."""

    id: str
    factory: Callable[..., Any]
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
    if not isinstance(spec, ChildSpec | SupervisorSpec):
        raise SpecError(f"spec: got {spec!r}; give a ChildSpec or a SupervisorSpec")
    _require(
        isinstance(spec.id, str) and bool(spec.id) and "/" not in spec.id, "id", spec.id, "a non-empty text without '/'"
    )
    where = f"{spec.id}: "
    _require(isinstance(spec.restart, Restart), where + "restart", spec.restart, "a Restart")
    seconds = isinstance(spec.shutdown, int | float) and not isinstance(spec.shutdown, bool) and spec.shutdown >= 0
    _require(
        seconds or isinstance(spec.shutdown, Shutdown), where + "shutdown", spec.shutdown, "seconds >= 0 or a Shutdown"
    )
    if spec.significant:
        _require(
            spec.restart is not Restart.PERMANENT, where + "significant", True, "transient or temporary children only"
        )
        _require(
            auto_shutdown is not AutoShutdown.NEVER,
            where + "significant",
            True,
            "only under a parent with auto_shutdown",
        )
    if spec.backoff is not None:
        _check_backoff(where, spec.backoff)
    if isinstance(spec, ChildSpec):
        _check_child(where, spec)
    else:
        _check_supervisor(where, spec)


def _check_child(where: str, spec: ChildSpec) -> None:
    _require(callable(spec.factory), where + "factory", spec.factory, "a callable that makes an Actor")
    _require(spec.start_timeout > 0, where + "start_timeout", spec.start_timeout, "seconds > 0")
    _require(
        isinstance(spec.mailbox, Mailbox) and spec.mailbox.capacity >= 1,
        where + "mailbox",
        spec.mailbox,
        "capacity >= 1",
    )
    _require(
        isinstance(spec.mailbox.overflow, Overflow), where + "mailbox.overflow", spec.mailbox.overflow, "an Overflow"
    )


def _check_supervisor(where: str, spec: SupervisorSpec) -> None:
    _require(isinstance(spec.strategy, Strategy), where + "strategy", spec.strategy, "a Strategy")
    _require(
        isinstance(spec.auto_shutdown, AutoShutdown), where + "auto_shutdown", spec.auto_shutdown, "an AutoShutdown"
    )
    check_intensity(where, spec.intensity)
    limit = spec.max_children
    _require(
        limit is None or limit >= max(1, len(spec.children)),
        where + "max_children",
        limit,
        "None or >= the static children",
    )
    seen: set[str] = set()
    for child in spec.children:
        check(child, spec.auto_shutdown)
        _require(child.id not in seen, where + "children", f"two with id {child.id!r}", "unique ids")
        seen.add(child.id)


def check_intensity(where: str, intensity: Intensity) -> None:
    """Refuse a negative budget or an empty period."""
    _require(
        isinstance(intensity, Intensity) and intensity.restarts >= 0, where + "intensity.restarts", intensity, ">= 0"
    )
    _require(intensity.within > 0, where + "intensity.within", intensity.within, "seconds > 0")


def _check_backoff(where: str, backoff: Backoff) -> None:
    _require(backoff.initial >= 0, where + "backoff.initial", backoff.initial, "seconds >= 0")
    _require(backoff.maximum >= backoff.initial, where + "backoff.maximum", backoff.maximum, ">= initial")
    _require(backoff.factor >= 1, where + "backoff.factor", backoff.factor, ">= 1")
    _require(backoff.jitter >= 0, where + "backoff.jitter", backoff.jitter, ">= 0")
    _require(
        backoff.max_restarts is None or backoff.max_restarts >= 0,
        where + "backoff.max_restarts",
        backoff.max_restarts,
        "None or >= 0",
    )


def _require(fine: bool, field: str, given: object, allowed: str) -> None:
    if not fine:
        raise SpecError(f"{field}: got {given!r}; allowed: {allowed}")
