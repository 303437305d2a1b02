"""Ten thousand subscriptions on one backbone: what they cost while nothing comes, and what a change for ten costs.

Each has one of a thousand symbols. In this process, and over Kafka, which is started for it, beside bare consumers of
aiokafka; where it can't be had, that is not measured, and the report says so.
"""

from __future__ import annotations

import asyncio
import gc
import shutil
import tempfile
import time
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import msgspec

from backbone import Backbone, Dimension, Frame, load_settings
from backbone.services import native
from backbone.settings import Settings
from tests.benchmarks import subscriptions_bare
from tests.benchmarks.report import Floor, Report, Table
from tests.services.brokers import make_topics, stream_settings

PARTS = ("embedded", "kafka")
SUBSCRIPTIONS, SYMBOLS = 10_000, 1_000
IDLE, CHANGES = 30.0, 100
_SETTLE, _WAVE = 3.0, 500
_FLOOR = 0.2
"""Of one core, while nothing comes, beyond what a backbone without subscriptions takes."""

Row = tuple[str, str, str, str, str, str]


def run(quick: bool, parts: Collection[str] = PARTS) -> Report:
    """Measure; a tenth of the subscriptions, for a third of the time, where quick."""
    count, idle = (SUBSCRIPTIONS // 10, IDLE / 3) if quick else (SUBSCRIPTIONS, IDLE)
    return asyncio.run(_measure(count, idle, parts))


async def _measure(count: int, idle: float, parts: Collection[str]) -> Report:
    folder = Path(tempfile.mkdtemp(prefix="backbone-bench-"))
    rows: list[Row] = []
    shares: dict[str, float] = {}
    why_not = ""
    try:
        if "embedded" in parts:
            shares["embedded"] = await _of("embedded", _embedded(folder / "embedded"), count, idle, rows)
        if "kafka" in parts:
            services = await native.up(["kafka"], data=folder / "services", die_with_parent=True)
            stream = stream_settings(services)
            await make_topics(stream)
            over = msgspec.structs.replace(_embedded(folder / "kafka"), stream=stream)
            shares["kafka"] = await _of("kafka", over, count, idle, rows)
            await _bare(over, idle, rows)
    except (native.Unavailable, native.StartError) as error:
        why_not = f"Kafka was NOT measured: {error}"
    finally:
        await native.down(folder / "services")
        shutil.rmtree(folder, ignore_errors=True)
    head = ("stream", "subscriptions", "KiB each", "idle: CPU of a core", "opening: CPU ms each", "a change: CPU ms")
    note = (
        "Memory is that of the process, with its tasks. A change is one row, recorded and handed out to ten; each bare "
        "consumer is handed all of them."
    )
    return Report(
        "Many subscriptions",
        [Table("Each of one symbol of a thousand", head, rows, note)],
        floors=[
            Floor(f"{name}: CPU of those that wait", f"<= {_FLOOR:.0%} of a core", f"{share:.1%}", share <= _FLOOR)
            for name, share in shares.items()
        ],
        notes=[why_not] if why_not else [],
    )


def _embedded(folder: Path) -> Settings:
    plain = load_settings(profile="embedded", overrides={"store.path": str(folder / "store.duckdb")})
    return msgspec.structs.replace(plain, control=msgspec.structs.replace(plain.control, enabled=False))


async def _of(name: str, settings: Settings, count: int, idle: float, rows: list[Row]) -> float:
    heard = _Heard()
    async with Backbone.open(settings) as backbone, anyio.create_task_group() as group:
        await backbone.record(_quote("WARM", 0))
        await anyio.sleep(_SETTLE)
        alone = await _idle(idle / 3), await _changes(backbone, "WARM")
        before, began = _resident(), time.process_time()
        for n in range(count):
            group.start_soon(heard.follow, backbone, f"S{n % SYMBOLS}")
            if not (n + 1) % _WAVE:
                await heard.wait_for(n + 1, opened=True)
        opening = time.process_time() - began
        grown = _resident() - before
        await anyio.sleep(_SETTLE)
        share = await _idle(idle)
        began = time.process_time()
        await _changes(backbone, "S")
        await heard.wait_for(CHANGES * count // SYMBOLS)
        change = (time.process_time() - began) / CHANGES
        group.cancel_scope.cancel()
    memory = f"{grown / count / 1024:.1f}"
    rows.append((f"{name}, none", "0", "", f"{alone[0]:.1%}", "", f"{1000 * alone[1]:.2f}"))
    rows.append((name, f"{count:,}", memory, f"{share:.1%}", f"{1000 * opening / count:.2f}", f"{1000 * change:.2f}"))
    return share - alone[0]


async def _bare(settings: Settings, idle: float, rows: list[Row]) -> None:
    async with Backbone.open(settings) as backbone:
        await backbone.record(_quote("WARM", 0))
        await anyio.sleep(_SETTLE)
        alone = await _idle(idle / 3)
        share, opening, change = await subscriptions_bare.measured(
            settings.stream, backbone, lambda: _idle(idle), lambda made: _changes(made, "BARE"), CHANGES
        )
    each = "", f"{share - alone:.1%}", f"{1000 * opening:.2f}", f"{1000 * change:.2f}"
    rows.append(("bare aiokafka, a consumer each", f"{subscriptions_bare.CONSUMERS}", *each))


async def _idle(seconds: float) -> float:
    """Of one core, what the process takes while nothing comes."""
    began, since = time.process_time(), time.perf_counter()
    await anyio.sleep(seconds)
    return (time.process_time() - began) / (time.perf_counter() - since)


async def _changes(backbone: Backbone, symbol: str) -> float:
    """Record changes, of symbols numbered through or of one; seconds on a core for each."""
    began = time.process_time()
    for n in range(CHANGES):
        await backbone.record(_quote(f"S{n}" if symbol == "S" else symbol, n + 1))
    return (time.process_time() - began) / CHANGES


class _Heard:
    """What all subscribers together have got."""

    def __init__(self) -> None:
        self._opened = self._updates = 0
        self._changed = anyio.Event()

    async def follow(self, backbone: Backbone, symbol: str) -> None:
        async with backbone.subscribe(Dimension.QUOTES, symbols=[symbol]) as updates:
            self._opened += 1
            self._tell()
            async for _ in updates:
                self._updates += 1
                self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def wait_for(self, count: int, *, opened: bool = False) -> None:
        with anyio.fail_after(300):
            while (self._opened if opened else self._updates) < count:
                await self._changed.wait()


def _quote(symbol: str, n: int) -> Frame:
    ts = datetime(2026, 1, 5, tzinfo=UTC) + timedelta(seconds=n)
    return Frame.from_records("quotes", [{"symbol": symbol, "ts": ts, "sequence": n, "bid": 1.0, "ask": 1.1}])


def _resident() -> int:
    gc.collect()
    fields = Path("/proc/self/status").read_text(encoding="utf-8")
    [line] = [each for each in fields.splitlines() if each.startswith("VmRSS:")]
    return 1024 * int(line.split()[1])
