"""Whether each part answers: every probe is a round trip, all run at once, each within its own deadline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar

import anyio
import msgspec
from msgspec.structs import replace

from actors import ActorError, AskTimeout, MailboxFull
from backbone.domain.advice import INSTEAD
from backbone.domain.errors import BackboneError
from backbone.domain.probe import ProbeAnswer
from backbone.domain.report import Report, markdown_table
from backbone.domain.status import Status
from backbone.store.records import StoreInfo

__all__ = ["ConnectivityReport", "Probe", "probe_all"]


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """One part as it answered.

    Attributes:
        name: "store", "cache" or "stream".
        status: ok; degraded: a stand-in, or slow; failed: no answer; off: not configured.
        healthy: whether it does its work now.
        latency_ms: of the round trip, None without an answer.
        backend: what answered.
        why: why it is not ok, "" where it is.
        action: what the operator can do.
        details: facts, as text.
    """

    name: str
    status: Status
    healthy: bool
    latency_ms: float | None
    backend: str
    why: str = ""
    action: str = ""
    details: Mapping[str, str] = {}


class ConnectivityReport(Report, frozen=True, kw_only=True):
    """All probes; `store`, `cache` and `stream` say whether each does its work now."""

    title: ClassVar[str] = "Connectivity"

    status: Status
    store: bool
    cache: bool
    stream: bool
    probes: tuple[Probe, ...]

    def to_markdown(self) -> str:
        """The probes as a table."""
        headers = ("part", "status", "backend", "latency ms", "why", "what you can do")
        rows = [(p.name, p.status, p.backend, p.latency_ms, p.why, p.action) for p in self.probes]
        return f"{self.heading()}- status: {self.status}\n\n{markdown_table(headers, rows)}"


_SLACK = 1.0

Ask = Callable[[], Awaitable[Any]]


async def probe_all(
    asks: Mapping[str, Ask],
    *,
    embedded: Mapping[str, str | None],
    clock: Callable[[], float],
    timeout: float,
    insecure: Mapping[str, str],
    facts: Mapping[str, Mapping[str, str]],
    settings_hash: str,
) -> ConnectivityReport:
    """Run all probes at once.

    Args:
        asks: how each part is asked; None is the answer of one that lives in a process which does not run.
        embedded: by part, why a stand-in is less than the real service; None where it is one.
        clock: in seconds.
        timeout: a part that gives no answer within so many seconds has failed.
        insecure: by part, what about the way there others could listen to.
        facts: by part, what is known of it besides its answer.
        settings_hash: of the settings.
    """
    found: dict[str, Probe] = {}

    async def one(name: str, ask: Ask) -> None:
        found[name] = _marked(await _probe(name, ask, embedded.get(name), clock, timeout), insecure.get(name))
        found[name] = replace(found[name], details={**found[name].details, **facts.get(name, {})})

    async with anyio.create_task_group() as group:
        for name, ask in asks.items():
            group.start_soon(one, name, ask, name=f"probe-{name}")
    probes = tuple(found[name] for name in asks)
    return ConnectivityReport(
        status=Status.worst(probe.status for probe in probes),
        store=found["store"].healthy,
        cache=found["cache"].healthy,
        stream=found["stream"].healthy,
        probes=probes,
        settings_hash=settings_hash,
    )


async def _probe(name: str, ask: Ask, embedded: str | None, clock: Callable[[], float], timeout: float) -> Probe:
    began = clock()
    try:
        with anyio.fail_after(timeout + _SLACK):  # the ask's own deadline says more
            info = await ask()
    except (ActorError, BackboneError, TimeoutError) as error:
        return _unanswered(name, error, timeout)
    if info is None:
        return _nowhere(name)
    latency = round((clock() - began) * 1000, 3)
    return _judge(name, info, latency, embedded)


def _marked(probe: Probe, insecure: str | None) -> Probe:
    """Whatever else is said of a part, it says that the way there is insecure, and is not ok."""
    if insecure is None:
        return probe
    return replace(
        probe,
        status=Status.worst([probe.status, Status.DEGRADED]),
        why=probe.why if insecure in probe.why else "; ".join(filter(None, (insecure, probe.why))),
        action=probe.action or f"use verified TLS, and leave {probe.name}.insecure out",
        details={**probe.details, "transport": "insecure"},
    )


def _nowhere(name: str) -> Probe:
    """There is nothing to ask: the part is made by a running backbone, and lives in its process."""
    return Probe(
        name=name,
        status=Status.UNKNOWN,
        healthy=False,
        latency_ms=None,
        backend="unknown",
        why="it lives in the process of a running backbone, and none runs",
        action="backbone run starts one",
    )


def _unanswered(name: str, error: Exception, timeout: float) -> Probe:
    """No answer: failed where its actor is down or says so, degraded where it only has too much to do."""
    ref = getattr(error, "ref", None)
    down = ref is not None and (not ref.is_alive or ref.health.level == "failed")
    busy = isinstance(error, AskTimeout | MailboxFull | TimeoutError) and not down
    text = str(error) or f"no answer within {timeout:g} s"
    return Probe(
        name=name,
        status=Status.DEGRADED if busy else Status.FAILED,
        healthy=False,
        latency_ms=None,
        backend="unknown",
        why=f"busy: {text}" if busy else text,
        action=_what_to_do(error, busy=busy),
    )


def _what_to_do(error: Exception, *, busy: bool) -> str:
    if busy:
        return "ask again when it has caught up"
    if isinstance(error, ActorError):
        return "backbone roster shows its actor and its last error"
    return "start the server, or correct its address in the settings"


def _judge(name: str, info: ProbeAnswer, latency: float, embedded: str | None) -> Probe:
    why = info.degraded_reason or ("" if embedded is None else f"embedded stand-in: {embedded}")
    status = Status.FAILED if not info.healthy else Status.DEGRADED if why else Status.OK
    if info.backend == "off" and info.healthy:
        status, why = Status.OFF, "switched off: every read goes to the store"
    instead = "what the reason says" if info.degraded_reason else INSTEAD.get(name, "")
    action = "" if status in {Status.OK, Status.OFF} else instead
    details = {**info.details}
    if isinstance(info, StoreInfo):
        details |= {"version": info.version, "path": info.path}
    return Probe(
        name=name,
        status=status,
        healthy=info.healthy,
        latency_ms=latency,
        backend=info.backend,
        why=why,
        action=action,
        details=details,
    )
