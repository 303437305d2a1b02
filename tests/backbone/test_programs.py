"""Programs that embed a backbone and do not leave it in order end all the same, and show their own error."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.programs import ROOT, Ended, end_of, pythons

PYTHONS = pythons("anyio", "msgspec", "structlog", "duckdb", "pyarrow", "backbone.facade.backbone")

OPENING = """
import asyncio
from datetime import UTC, datetime
from backbone import Backbone, Dimension, Frame, IngestPlan
from backbone.settings import load_settings
from backbone.testing import Faults, embedded

bar = {"symbol": "EURUSD", "interval": "1h", "ts": datetime(2018, 6, 4, tzinfo=UTC), "volume": None}
frame = Frame.from_records(Dimension.INTRADAY_BARS, [bar | dict.fromkeys(("open", "high", "low", "close"), 1.16)])

def opened():
    overrides = {"store.path": PATH + "/b.duckdb", "control.path": PATH + "/b.sock"}
    return Backbone.open(load_settings(profile="embedded", overrides=overrides))
"""

NEVER_LEFT = """
async def main():
    main.kept = opened()
    backbone = await main.kept.__aenter__()
    await backbone.record(frame)
    raise RuntimeError("my own bug")
asyncio.run(main())
"""

FORGOTTEN = (
    NEVER_LEFT.replace("main.kept = opened()", "pass")
    .replace("main.kept.", "opened().")
    .replace("await backbone.record(frame)", "await asyncio.sleep(0.1)")
)

IN_MEMORY = NEVER_LEFT.replace("opened()", "embedded()")

INSIDE = """
async def main():
    async with opened() as backbone:
        await backbone.record(frame)
        raise RuntimeError("my own bug")
asyncio.run(main())
"""

WHILE_IT_WORKS = """
async def main():
    main.kept = opened()
    backbone = await main.kept.__aenter__()
    plan = IngestPlan(path=SAMPLE, dimensions=("intraday",), interval="1h", chunk_rows=50)
    main.task = asyncio.create_task(backbone.ingest(plan))
    await asyncio.sleep(0.05)
    raise RuntimeError("my own bug")
asyncio.run(main())
"""

ITERATED = """
async def updates():
    async with opened() as backbone:
        async with backbone.subscribe("intraday", start="earliest") as subscription:
            await backbone.record(frame)
            async for update in subscription:
                yield update
async def main():
    async for update in updates():
        raise RuntimeError("my own bug")
asyncio.run(main())
"""

CANCELLED = """
async def main():
    ready = asyncio.Event()
    async def host():
        async with opened() as backbone:
            await backbone.record(frame)
            ready.set()
            await asyncio.Event().wait()
    main.task = asyncio.create_task(host())
    await ready.wait()
asyncio.run(main())
print("ended")
"""

RESTARTING = """
async def once():
    faults = Faults()
    async with embedded(faults=faults) as backbone:
        await backbone.record(frame)
        faults.crash_store()
        while True:
            try:
                return await backbone.fetch("intraday", symbols=["EURUSD"])
            except Exception:
                await asyncio.sleep(0)
async def main():
    for _ in range(40):
        await once()
asyncio.run(main())
print("ended")
"""


def run(program: str, python: str, folder: Path) -> Ended:
    sample = str(ROOT / "config" / "samples" / "eurusd_1h_tail.csv.gz")
    return end_of(f"PATH = {str(folder)!r}\nSAMPLE = {sample!r}\n{OPENING}{program}", python)


@pytest.mark.slow
@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(
    "program",
    [NEVER_LEFT, FORGOTTEN, IN_MEMORY, INSIDE, WHILE_IT_WORKS, ITERATED],
    ids=["never left", "forgotten", "in memory", "inside", "while it works", "iterated"],
)
def test_a_program_that_raises_shows_its_own_error(program: str, python: str, tmp_path: Path) -> None:
    ended = run(program, python, tmp_path)
    assert ended.code == 1, ended
    assert ended.err.rstrip().endswith("RuntimeError: my own bug"), ended.err
    assert "SystemFailed" not in ended.err


@pytest.mark.slow
@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("program", [CANCELLED, RESTARTING], ids=["cancelled", "restarting"])
def test_a_program_that_returns_ends(program: str, python: str, tmp_path: Path) -> None:
    ended = run(program, python, tmp_path)
    assert (ended.code, ended.out) == (0, "ended\n"), ended.err


@pytest.mark.slow
@pytest.mark.parametrize("python", PYTHONS)
def test_an_interactive_session_that_never_leaves(python: str, tmp_path: Path) -> None:
    lines = [
        f"exec({f'PATH = {str(tmp_path)!r}{OPENING}'!r})",
        "kept = opened()",
        "backbone = await kept.__aenter__()",
        "await backbone.record(frame)",
        "print('open', (await backbone.fetch('intraday')).num_rows)",
    ]
    ended = end_of("\n".join(lines), python, module="asyncio")
    assert "open 1" in ended.out, ended.err
