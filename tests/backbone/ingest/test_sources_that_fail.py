"""What goes wrong outside of us while a source is read is refused with its words; nothing crashes, and it goes on."""

import gc
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from backbone import IngestPlan, SourceError
from backbone.ingest import run as running
from backbone.ingest.messages import RunIngest
from backbone.sources import registry
from backbone.sources.port import SourceChunk
from backbone.store.messages import ClaimEpoch, WriteChunk
from backbone.testing import embedded
from tests.backbone.facade.kit import BARS, bars
from tests.backbone.ingest.kit import BASE, ingesting, settled


class Failing:
    """A source that gives three rows, then fails as it was told to."""

    name = "plugin"
    error: BaseException = OSError(5, "Input/output error")

    def __init__(self, **_: Any) -> None:
        pass

    def describe(self) -> str:
        return "a plugin"

    def chunks(self, *, progress: Any = None) -> Iterator[SourceChunk]:
        yield SourceChunk(bars(3), (), "3", 3)
        raise type(self).error


@pytest.mark.parametrize("kind", ["plugin", "csv"])
@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), pa.ArrowInvalid("a damaged page")])
async def test_a_failing_disk_or_library_is_the_sources_error(
    kind: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Failing, "error", error)
    monkeypatch.setattr(running, "open_source", lambda *_, **__: Failing())
    async with embedded() as backbone:
        with pytest.raises(SourceError, match=r"(Input/output error|a damaged page); nothing more was read"):
            await backbone.ingest(IngestPlan(dimensions=[BARS], source=kind, interval="1h"))
        assert (await backbone.fetch(BARS)).num_rows == 3
        entry = backbone.roster().find("/embedded/backbone/ingest")
        assert entry is not None
        assert entry.restarts == 0


@pytest.mark.parametrize("error", [KeyError("price"), ZeroDivisionError("x"), RuntimeError("rate limit")])
async def test_a_plugins_own_bug_is_no_bug_of_ours(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Failing, "error", error)
    monkeypatch.setattr(registry, "_load", lambda _: Failing)
    async with embedded() as backbone:
        with pytest.raises(SourceError, match=type(error).__name__):
            await backbone.ingest(IngestPlan(dimensions=[BARS], source="plugin", interval="1h"))
        assert sum(entry.restarts for entry in backbone.roster().entries) == 0


class Endless:
    """A source that says when it is left."""

    name = "plugin"
    left: list[str]

    def __init__(self, **_: Any) -> None:
        pass

    def chunks(self, *, progress: Any = None) -> Iterator[SourceChunk]:
        try:
            for number in range(1000):
                yield SourceChunk(bars(1, close=1.0 + number), (), str(number), number + 1)
        finally:
            self.left.append("left")


@pytest.mark.parametrize("end", ["refused", "killed", "restarted"])
async def test_a_source_is_left_at_once_when_its_run_ends_early(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Endless, "left", [], raising=False)
    monkeypatch.setattr(running, "open_source", lambda *_, **__: Endless())
    gc.disable()  # whether it is collected is chance
    try:
        async with ingesting() as actors:
            answer = await actors.ask(RunIngest(IngestPlan(dimensions=[BARS], source="csv", interval="1h"), "run"))
            (await actors.desk.next(ClaimEpoch)).answer(1)
            (await actors.desk.next(WriteChunk)).commit()
            asked = await actors.desk.next(WriteChunk)
            assert Endless.left == []
            ingest = actors.system.find(f"{BASE}/ingest")
            if end == "refused":
                asked.refuse()
            elif end == "killed":
                await ingest.kill()
            else:
                await actors.system.restart(f"{BASE}/ingest")
            await settled()
            assert Endless.left == ["left"]
            assert answer.is_there
    finally:
        gc.enable()
