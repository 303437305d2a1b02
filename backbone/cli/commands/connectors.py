"""`backbone connectors`: what a backbone consists of, and whether store, cache and stream answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from backbone.cli.exits import DONE, NOT_READY, UNREACHABLE
from backbone.cli.failures import UsageError, note
from backbone.cli.options import COMMON, Common, Format, Output, prepare

if TYPE_CHECKING:
    from rich.console import Console

    from backbone.operations.probes.connectivity import Probe
    from backbone.operations.probes.manifest import ConnectorsReport
    from backbone.settings import Settings
    from backbone.stream.provisioned import Provisioned

__all__ = ["connectors", "draw_parts"]

_LONGEST = 6.0


def connectors(
    *,
    connectivity: bool = True,
    timeout: float = 5.0,
    ensure_topics: Annotated[bool, Parameter(negative="")] = False,
    topics_dry_run: Annotated[bool, Parameter(negative="")] = False,
    how: Format = "human",
    output: Output = None,
    common: Common = COMMON,
) -> int:
    """What a backbone consists of, and a round trip through store, cache and stream: whether they answer, and how fast.

    A running backbone is asked for it; where none runs, each server is asked from here.

    Exits 0 where all are ok, 3 where one is degraded or failed, or a topic is missing, 4 where none runs and one does
    not answer.

    Args:
        connectivity: ask store, cache and stream; without it, only what the settings and the roster say.
        timeout: seconds within which a part has to answer, at most 6.
        ensure_topics: create the topics of Kafka that are missing.
        topics_dry_run: look for the topics, and create none.
        how: how it is written.
        output: a file instead of stdout.
        common: the options that all commands share.
    """
    if not 0 < timeout <= _LONGEST:
        raise UsageError(f"--timeout {timeout:g}: allowed is a number of seconds above 0, at most {_LONGEST:g}")
    settings = prepare(common)
    from backbone.cli.show.output import show
    from backbone.control.errors import NobodyRuns

    topics = "dry_run" if topics_dry_run else "ensure" if ensure_topics else None
    try:
        report = _asked(settings, timeout if connectivity else None, topics)
    except NobodyRuns as error:
        if not common.quiet:
            note(f"{error}; each part is asked from here")
        report = _alone(settings, timeout if connectivity else None, topics)
    if topics is not None and report.kafka_topic_provisioning is None and not common.quiet:
        note(f"no topics: stream.backend is {settings.stream.backend}")
    show(report, lambda console: _draw(console, report), how, output, no_color=common.no_color)
    return _code(report)


def _asked(settings: Settings, timeout: float | None, topics: str | None) -> ConnectorsReport:
    """What the running backbone says; without seconds to answer, no part of it is asked."""
    from msgspec.structs import replace

    from backbone.cli.process.asking import answer
    from backbone.operations.probes.manifest import ConnectorsReport
    from backbone.stream.provisioned import Provisioned

    made: Provisioned | None = None
    if topics is not None:
        found, _ = answer(settings, "topics", dict[str, Provisioned | None], arguments={"dry_run": topics == "dry_run"})
        made = found.get("provisioned")
    wanted = {"probe": False} if timeout is None else {"timeout": timeout}
    report, _ = answer(settings, "connectors", ConnectorsReport, arguments=wanted)
    return replace(report, kafka_topic_provisioning=made)


def _alone(settings: Settings, timeout: float | None, topics: str | None) -> ConnectorsReport:
    """What each part says when it is asked from here."""
    from backbone.cli.process.running import run
    from backbone.operations.probes.alone import probe_alone
    from backbone.operations.probes.connectors import connectors as manifest

    async def look() -> ConnectorsReport:
        made = None if topics is None else await _provisioned(settings, dry_run=topics == "dry_run")
        connectivity = None if timeout is None else await probe_alone(settings, timeout)
        return manifest(settings, connectivity, provisioned=made)

    return run(look)


async def _provisioned(settings: Settings, *, dry_run: bool) -> Provisioned | None:
    """The topics of the rows, and those of telemetry where it is carried there."""
    from backbone.operations.telemetry.child import provisioned
    from backbone.stream.child import topics_of

    look_for = topics_of(settings)
    if look_for is None:
        return None
    made = await look_for(dry_run)
    if not settings.telemetry.publish:
        return made
    return made.and_those_of(await provisioned(settings, dry_run))


def _code(report: ConnectorsReport) -> int:
    if not report.running and any(probe.status in {"failed", "unknown"} for probe in report.probes):
        return UNREACHABLE
    made = report.kafka_topic_provisioning
    fine = report.status == "ok" or not report.probes  # nobody was asked
    return DONE if fine and (made is None or made.complete) else NOT_READY


def _draw(console: Console, report: ConnectorsReport) -> None:
    from rich.text import Text

    from backbone.cli.show.text import one_line

    draw_parts(console, report.probes)
    for line in _below(report):
        console.print(Text(one_line(line)))


def _below(report: ConnectorsReport) -> Iterator[str]:
    """Why parts are not ok, how the others are, and the topics, a line each."""
    for probe in report.probes:
        if probe.why and probe.status != "ok":
            yield f"{probe.name}: {probe.why}"
    for part in report.manifest[len(report.probes) :]:
        if part.error:
            yield f"{part.name}: {part.status}: {part.error}"
    for namespace, counted in report.caches.items():
        yield f"cache {namespace}: {counted.hits} hits, {counted.misses} misses, {counted.keys} keys"
    for topic in report.topics:
        there = "not published" if topic.name is None else _partitions(topic.partitions, topic.asked)
        yield f"topic {topic.name or topic.dimension}: {there}"
    if report.kafka_topic_provisioning is not None:
        yield from _about_topics(report.kafka_topic_provisioning)
    if not report.should_run:
        yield f"it would not start: {report.reason}"


def _partitions(found: int | None, asked: int | None) -> str:
    return f"{asked} partitions asked for" if found is None else f"{found} partitions"


def _about_topics(made: Provisioned) -> Iterator[str]:
    counts = {"existing": len(made.existing), "created": len(made.created), "missing": len(made.missing)}
    dry = " (dry run: nothing was created)" if made.dry_run else ""
    yield f"topics: {', '.join(f'{number} {name}' for name, number in counts.items())}, {len(made.failed)} failed{dry}"
    yield from (f"missing topic: {name}" for name in made.missing)
    for why in dict.fromkeys(made.failed.values()):
        yield f"failed: {', '.join(name for name, reason in made.failed.items() if reason == why)}: {why}"
    yield from (f"note: {each}" for each in made.notes)


def draw_parts(console: Console, probes: Sequence[Probe]) -> None:
    """One line a part, worst first."""
    from rich.table import Table
    from rich.text import Text

    from backbone.cli.commands.symbols import STYLES, SYMBOLS
    from backbone.cli.show.text import one_line

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("", "PART", "STATUS", "BACKEND"):
        table.add_column(name, no_wrap=True)
    table.add_column("ANSWERED IN", justify="right", no_wrap=True)
    for probe in sorted(probes, key=lambda each: -each.status.severity):
        state = str(probe.status)
        took = "no answer" if probe.latency_ms is None else f"{probe.latency_ms:.1f} ms"
        mark = Text(SYMBOLS[state], style=STYLES[state])
        idle = ", consuming off" if probe.details.get("consuming") == "off" else ""
        marked = ", insecure" if probe.details.get("transport") == "insecure" else ""
        backend = one_line(probe.backend + marked + idle)
        table.add_row(mark, probe.name, Text(state, style=STYLES[state]), backend, took)
    console.print(table)
