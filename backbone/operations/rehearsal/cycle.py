"""A rehearsal: one full cycle over real data, and the evidence of what every part did."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, ClassVar, Protocol

import anyio
import msgspec
from msgspec.structs import replace

from actors import RosterSnapshot
from backbone.cache.port import CacheMetrics
from backbone.domain import Frame
from backbone.domain.dimension import Dimension
from backbone.domain.report import Report, cell, markdown_table
from backbone.domain.status import Status
from backbone.ingest.plan import IngestPlan, IngestRun
from backbone.operations.probes.connectivity import ConnectivityReport
from backbone.retention.report import RetentionReport
from backbone.store.records import OutboxStatus

__all__ = ["Delivery", "RehearsalReport", "RehearsalRequest", "rehearse"]

_LOOK_INTERVAL = 0.02  # seconds between two looks at the outbox


class RehearsalRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to rehearse.

    Attributes:
        plan: what to ingest.
        delivery_timeout: seconds within which the subscriber must have received what was committed.
        fetch_limit: newest rows of the hot window that is fetched twice, to see the cache work.
    """

    plan: IngestPlan
    delivery_timeout: float = 30.0
    fetch_limit: int = 500


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What a subscriber that stood ready before the ingest received of what was committed.

    Attributes:
        consumed: whether a subscriber was there; False where `stream.consume` is false.
        events, rows: received.
        expected_rows: inserted and changed by the run.
        lag: outbox rows committed and not yet published.
        in_order: for each symbol, positions only rose.
        duplicates: events received twice.
        identical: the rows received are, byte for byte in canonical form, what the store gives for their span;
            None where nothing was published.
    """

    consumed: bool = True
    events: int
    rows: int
    expected_rows: int
    lag: int
    in_order: bool
    duplicates: int
    identical: bool | None


class RehearsalReport(Report, frozen=True, kw_only=True):
    """What was observed of every part during one cycle; `succeeded` is the conclusion, `failures` its reasons."""

    title: ClassVar[str] = "Rehearsal"

    succeeded: bool
    failures: tuple[str, ...]
    ingest: IngestRun
    delivery: Delivery
    fetched_rows: int
    window_rows: int
    cache_before: CacheMetrics
    cache_after: CacheMetrics
    outbox: OutboxStatus
    connectivity: ConnectivityReport
    retention: RetentionReport
    roster: RosterSnapshot
    first_close: float | None = None
    last_close: float | None = None

    def to_markdown(self) -> str:
        """One page: conclusion, counts, quality, delivery, cache, parts, roster."""
        run, sent = self.ingest, self.delivery
        verdict = "succeeded" if self.succeeded else f"failed: {'; '.join(self.failures)}"
        counts = [(name, getattr(run, name)) for name in _COUNTS]
        received = [(name, getattr(sent, name)) for name in sent.__struct_fields__]
        cache = [
            (name, getattr(self.cache_before, name), getattr(self.cache_after, name))
            for name in ("hits", "misses", "sets", "invalidations", "evictions", "keys", "hit_rate")
        ]
        roster = [
            (entry.path, entry.kind, entry.state, entry.health.level, entry.restarts, entry.handled, entry.health.why)
            for entry in self.roster.entries
        ]
        sections = (
            ("Rows", markdown_table(("what", "rows"), counts)),
            ("Quality", _quality(run)),
            ("Delivery", markdown_table(("what", "observed"), received)),
            ("Cache", markdown_table(("counter", "before", "after"), cache)),
            ("Roster", markdown_table(("path", "kind", "state", "health", "restarts", "handled", "why"), roster)),
        )
        body = "".join(f"\n## {title}\n\n{text}" for title, text in sections)
        below = "".join("\n" + _demote(each.to_markdown()) for each in (self.connectivity, self.retention))
        return f"{self.heading()}- conclusion: {cell(verdict)}\n{body}{below}"


_COUNTS = (
    "rows_read",
    "quarantined",
    "filtered",
    "duplicates",
    "inserted",
    "changed",
    "unchanged",
    "chunks",
    "attempts",
)


def _quality(run: IngestRun) -> str:
    if run.quality is None:
        return "missing: no rows were judged\n"
    rows = [(each.severity, each.code, each.count, each.message) for each in run.quality.findings]
    head = f"Score {run.quality.score:.4f} ({run.quality.status}).\n\n"
    return head + (markdown_table(("severity", "code", "count", "finding"), rows) if rows else "No findings.\n")


def _demote(markdown: str) -> str:
    return "\n".join(f"#{line}" if line.startswith("#") else line for line in markdown.splitlines()) + "\n"


class Rehearsable(Protocol):
    """What a rehearsal needs of a backbone."""

    settings: Any

    def subscribe(self, dimension: Dimension | str, *, symbols: Sequence[str] = ..., start: Any = ...) -> Any:
        """See Backbone.subscribe."""
        ...

    async def ingest(self, plan: IngestPlan) -> IngestRun:
        """See Backbone.ingest."""
        ...

    @property
    def fetch(self) -> Callable[..., Awaitable[Frame]]:
        """See Backbone.fetch."""
        ...

    async def cache_metrics(self, *, reset: bool = False) -> CacheMetrics:
        """See Backbone.cache_metrics."""
        ...

    async def outbox(self) -> OutboxStatus:
        """See Backbone.outbox."""
        ...

    async def connectivity(self) -> ConnectivityReport:
        """See Backbone.connectivity."""
        ...

    async def retention(self, *, apply: bool = False, as_of: datetime | None = None) -> RetentionReport:
        """See Backbone.retention."""
        ...

    def roster(self) -> RosterSnapshot:
        """See Backbone.roster."""
        ...


async def rehearse(backbone: Rehearsable, request: RehearsalRequest) -> RehearsalReport:
    """Ingest with a subscriber ready, fetch the hot window twice, and compare what every part says."""
    plan = request.plan.checked()
    dimension = Dimension(plan.dimensions[0])
    before = await backbone.cache_metrics()
    start = (await backbone.outbox()).newest
    consumed: bool = backbone.settings.stream.consume
    if consumed:
        async with backbone.subscribe(dimension, symbols=plan.symbols, start=start) as updates:
            run = await backbone.ingest(plan)
            received = await _receive(updates, run, request.delivery_timeout)
    else:
        run, received = await backbone.ingest(plan), []
    await _published(backbone, request.delivery_timeout)
    stored = await backbone.fetch(
        dimension, symbols=run.symbols, interval=plan.interval, start=run.span_start, end=run.span_end
    )
    window = {"symbols": run.symbols, "interval": plan.interval, "limit": request.fetch_limit}
    hot = await backbone.fetch(dimension, **window)
    again = await backbone.fetch(dimension, **window)
    outbox = await backbone.outbox()
    delivery = replace(_compare(received, run, stored, outbox), consumed=consumed)
    connectivity = await backbone.connectivity()
    failures = (*_failures(run, delivery, hot, again), *_unanswered(connectivity))
    return RehearsalReport(
        succeeded=not failures,
        failures=failures,
        ingest=run,
        delivery=delivery,
        fetched_rows=stored.num_rows,
        window_rows=hot.num_rows,
        cache_before=before,
        cache_after=await backbone.cache_metrics(),
        outbox=outbox,
        connectivity=connectivity,
        retention=await backbone.retention(as_of=run.span_end),
        roster=backbone.roster(),
        settings_hash=backbone.settings.hash,
        span_start=run.span_start,
        span_end=run.span_end,
        **_closes(stored),
    )


async def _receive(updates: Any, run: IngestRun, timeout: float) -> list[Any]:
    """All that the run changed, or what came in time: symbols of other partitions may come after the last position."""
    received: list[Any] = []
    newest, rows, expected = 0, 0, run.inserted + run.changed
    with anyio.move_on_after(timeout):
        while expected and (newest < run.position or rows < expected):
            update = await anext(updates)
            received.append(update)
            newest, rows = max(newest, update.position), rows + update.frame.num_rows
    return received


async def _published(backbone: Rehearsable, timeout: float) -> None:
    """Wait until the relay has published what was committed, or the time is over."""
    with anyio.move_on_after(timeout):
        while True:
            status = await backbone.outbox()
            if not status.pending:
                return
            await anyio.sleep(_LOOK_INTERVAL)


def _compare(received: list[Any], run: IngestRun, stored: Frame, outbox: OutboxStatus) -> Delivery:
    frames = [update.frame for update in received]
    last: dict[str, int] = {}
    in_order = True
    for update in received:
        in_order = in_order and update.position > last.get(update.symbol, 0)
        last[update.symbol] = update.position
    identical = None
    if frames:
        rows = Frame.concat(frames)
        same_span = stored.select(start=rows.start, end=rows.end)
        whole = rows.num_rows == same_span.num_rows
        identical = rows.canonical_bytes() == same_span.canonical_bytes() if whole else _contained(rows, same_span)
    return Delivery(
        events=len(received),
        rows=sum(frame.num_rows for frame in frames),
        expected_rows=run.inserted + run.changed,
        lag=outbox.pending,
        in_order=in_order,
        duplicates=len(received) - len({update.event_id for update in received}),
        identical=identical,
    )


def _contained(rows: Frame, stored: Frame) -> bool:
    """Whether a part of the span was published, as it is stored: laying it over the stored rows changes nothing."""
    return Frame.concat([stored, rows]).canonical_bytes() == stored.canonical_bytes()


def _failures(run: IngestRun, delivery: Delivery, hot: Frame, again: Frame) -> tuple[str, ...]:
    checks = (
        (run.taken > 0, run.nothing),
        (
            not delivery.consumed or delivery.rows == delivery.expected_rows,
            f"{delivery.rows} of {delivery.expected_rows} rows received",
        ),
        (delivery.lag == 0, f"{delivery.lag} outbox rows not published"),
        (delivery.in_order, "events of one symbol came out of order"),
        (delivery.duplicates == 0, f"{delivery.duplicates} events came twice"),
        (delivery.identical is not False, "the rows received differ from those stored"),
        (hot == again, "the cached window differs from the stored one"),
    )
    return tuple(text for fine, text in checks if not fine)


def _unanswered(connectivity: ConnectivityReport) -> tuple[str, ...]:
    """Parts that did not do their work when it was over: a cycle that went well without one of them proves nothing."""
    return tuple(f"{each.name}: {each.why}" for each in connectivity.probes if each.status is Status.FAILED)


def _closes(frame: Frame) -> dict[str, Any]:
    if not frame.num_rows or "close" not in frame.dimension.columns:
        return {}
    closes = frame.column("close")
    return {"first_close": float(closes[0]), "last_close": float(closes[-1])}
