"""A caller's mistake is refused where the caller stands: no wrong call reaches an actor, however many there are."""

import inspect
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import msgspec
import pytest

from actors import Message
from backbone import Backbone, BackboneClosed, Dimension, IngestPlan
from backbone.store.records import Query
from backbone.store.since import Since
from backbone.store.snapshots import Part, Parts
from backbone.store.statements import Statement
from backbone.testing import embedded
from tests.backbone import message_map
from tests.backbone.facade.kit import BARS, SAMPLE, bars, plan

NAIVE = datetime(2018, 1, 1)  # noqa: DTZ001  the commonest slip there is
WELL = datetime(2018, 1, 1, tzinfo=UTC)

MOMENTS = [NAIVE, "2018-01-01", date(2018, 1, 1), 1514764800, 1.5, (), b"2018", object()]
SYMBOLS = ["EURUSD", b"EURUSD", 7, [1], [None], [""], ["A\0"], ["\ud800"], ["x" * 2000], {"EURUSD": 1}, [["EURUSD"]]]
DIMENSIONS = ["intrday", "", 7, None, ["daily"], b"daily"]
INTERVALS = ["7m", "", 60, timedelta(hours=1), "1M", ["1h"]]
LIMITS = [0, -3, 2**63, 10**30, "5", 1.0, True, [5]]
SECONDS = [0, -1, "5", float("nan"), float("inf"), True, [5]]
FLAGS = [1, 0, "yes", None, []]
COUNTS = [-1, 2**63, "5", 1.5, True, None]
FRAMES: list[Any] = [None, [], {"symbol": "A"}, "frame", 7]
ROWS: list[Any] = [None, {"symbol": "A"}, [{"symbol": "A"}, 7], "frame", 7]

WRONG: Mapping[str, tuple[Mapping[str, Any], Mapping[str, list[Any]]]] = {
    "fetch": (
        {"dimension": "intraday"},
        {
            "dimension": DIMENSIONS,
            "symbols": SYMBOLS,
            "interval": INTERVALS,
            "start": MOMENTS,
            "end": MOMENTS,
            "period": ["", "30", "7x", "0s", "-1d", "99999999d", 30, timedelta(days=1), ["30d"]],
            "limit": LIMITS,
            "as_of": MOMENTS,
            "resample": FLAGS,
        },
    ),
    "subscribe": (
        {"dimension": "intraday"},
        {"dimension": DIMENSIONS, "symbols": SYMBOLS, "start": ["begin", -1, 2**63, 1.5, None, NAIVE, True]},
    ),
    "last": (
        {"dimension": "intraday", "symbol": "EURUSD"},
        {"dimension": DIMENSIONS, "symbol": [7, None, "", "A\0", ["A"]]},
    ),
    "gate": (
        {"dimension": "intraday", "symbol": "EURUSD"},
        {"dimension": DIMENSIONS, "symbol": [7, None, "", "A\0", ["A"]]},
    ),
    "watch_gate": (
        {"dimension": "intraday"},
        {"dimension": [each for each in DIMENSIONS if each is not None], "symbols": SYMBOLS},
    ),
    "freshness": ({}, {"dimensions": ["intrday", [7], [["daily"]], 7], "symbols": SYMBOLS, "as_of": MOMENTS}),
    "symbols": ({"dimension": "intraday"}, {"dimension": DIMENSIONS}),
    "ingest": ({}, {"plan": [None, {}, "plan", SAMPLE, 7]}),
    "record": ({"rows": [], "dimension": "quotes"}, {"rows": ROWS, "dimension": DIMENSIONS}),
    "cache_metrics": ({}, {"reset": FLAGS}),
    "quarantined": ({}, {"limit": [*LIMITS, 10_001], "skip": COUNTS}),
    "migrate": ({"dry_run": True}, {"dry_run": FLAGS}),
    "retention": ({}, {"apply": FLAGS, "as_of": MOMENTS}),
    "replay": (
        {"dimension": "intraday"},
        {
            "dimension": DIMENSIONS,
            "symbols": SYMBOLS,
            "start": MOMENTS,
            "end": MOMENTS,
            "limit": [*LIMITS, 1_000_001],
            "topic": [7, "", "A\0", ["A"]],
        },
    ),
    "rehearse": ({}, {"request": [None, {}, "request", 7]}),
    "why": (
        {"symbol": "EURUSD", "ts": WELL, "dimension": "intraday"},
        {
            "symbol": [7, None, "", "A\0", ["A"]],
            "ts": [None, *MOMENTS],
            "dimension": [each for each in DIMENSIONS if each is not None],
        },
    ),
    "backfill": (
        {"dimension": "intraday", "source": "csv", "dry_run": True},
        {
            "dimension": [*DIMENSIONS, "macro"],
            "source": ["", 7, None, "A\0"],
            "symbols": SYMBOLS,
            "interval": INTERVALS,
            "start": MOMENTS,
            "end": MOMENTS,
            "path": [7, "", "a\0b"],
            "dry_run": FLAGS,
        },
    ),
    "export": (
        {"dimensions": "intraday"},
        {
            "dimensions": ["intrday", "", None, 7, [7], [["daily"]], b"daily"],
            "symbols": SYMBOLS,
            "start": MOMENTS,
            "end": MOMENTS,
            "to": [7, "", "a\0b", b"folder", ["a"]],
            "file_format": ["", 7, "xml", ["csv"]],
            "anew": FLAGS,
        },
    ),
    "spark": (
        {"job": "validate"},
        {
            "job": ["", 7, None, "count", ["ohlc"], b"ohlc"],
            "export": ["", 7, "a\0b", b"export"],
            "dimension": ["intrday", "", 7, ["daily"], b"daily"],
            "interval": [*INTERVALS, "1m"],
            "to": [7, "", "a\0b", b"folder", ["a"]],
        },
    ),
    "sql": (
        {"query": "SELECT 1"},
        {
            "query": ["", " ", 7, None, b"SELECT 1", ["SELECT 1"], "SELECT 1\0"],
            "timeout_s": SECONDS,
            "max_rows": LIMITS,
            "max_bytes": LIMITS,
            "limit": LIMITS,
        },
    ),
    "run_market": ({}, {"plan": [{}, "plan", SAMPLE, 7], "trigger": ["", 7, None, "cron", ["call"]]}),
    "runs": (
        {"dimension": "intraday"},
        {"limit": [*LIMITS, 10_001], "dimension": ["intrday", "", 7, ["daily"], b"daily"], "run_id": ["", 7, "A\0"]},
    ),
}
"""Of each public method that takes arguments: some that are right, and wrong ones for each."""

NO_ARGUMENTS = {
    "connectivity",
    "connectors",
    "market",
    "outbox",
    "pause_schedule",
    "readiness",
    "resume_schedule",
    "roster",
    "schedule",
}
NOT_BUILT = {"drill"}


def test_every_public_method_is_here() -> None:
    methods = {name for name, _ in inspect.getmembers(Backbone, inspect.isfunction) if not name.startswith("_")}
    assert methods == set(WRONG) | NO_ARGUMENTS | NOT_BUILT
    for name, (_, wrong) in WRONG.items():
        taken = inspect.signature(getattr(Backbone, name)).parameters.values()
        assert {each.name for each in taken if each.kind is not each.VAR_POSITIONAL} - {"self"} == set(wrong), name


async def call(backbone: Backbone, method: str, arguments: Mapping[str, Any]) -> None:
    outcome = getattr(backbone, method)(**arguments)
    if inspect.isawaitable(outcome):
        await outcome
    elif hasattr(outcome, "__aenter__"):
        async with outcome:
            pass


@asynccontextmanager
async def busy(backbone: Backbone, tmp_path: Path) -> AsyncIterator[Callable[[], int]]:
    """Ingests one after the other, beside whatever is done meanwhile; gives how many have ended."""
    done = 0

    async def again() -> None:
        nonlocal done
        while True:
            run = await backbone.ingest(plan())
            assert (run.rows_read, run.attempts) == (5000, 1)
            done += 1

    async with anyio.create_task_group() as group:
        group.start_soon(again)
        yield lambda: done
        group.cancel_scope.cancel()


async def test_a_thousand_wrong_calls_are_refused_and_nobody_else_notices(tmp_path: Path) -> None:
    chance = random.Random(20240301)
    async with embedded(overrides={"store.inline": False}) as backbone, busy(backbone, tmp_path) as runs:
        drawn = set[str]()
        for number in range(1000):
            method = chance.choice(sorted(WRONG))
            right, wrong = WRONG[method]
            name = chance.choice(sorted(wrong))
            given = chance.choice(wrong[name])
            drawn.add(method)
            with pytest.raises((TypeError, ValueError)) as caught:
                await call(backbone, method, {**right, name: given})
            text = str(caught.value)
            assert "\n" not in text
            assert len(text) < 700
            if number % 50 == 0:
                await backbone.fetch(BARS, limit=3)  # the loop turns: the ingests go on
        assert drawn == set(WRONG)
        while not runs():
            await anyio.lowlevel.checkpoint()
        assert sum(entry.restarts for entry in backbone.roster().entries) == 0
        assert backbone.roster().dead_letters == 0


@pytest.mark.parametrize("late", [timedelta(microseconds=1), timedelta(days=2_000_000)])
async def test_a_window_that_ends_before_it_begins_is_refused(late: timedelta) -> None:
    async with embedded() as backbone:
        with pytest.raises(ValueError, match="exchange them"):
            await backbone.fetch(BARS, start=WELL + late, end=WELL)
        assert (await backbone.fetch(BARS, start=WELL, end=WELL)).num_rows == 0


PLANS: Mapping[str, list[Any]] = {
    "dimensions": ["intraday", [], ["daily", "trades"], None, [7], 7],
    "symbols": SYMBOLS,
    "interval": INTERVALS,
    "source": ["", 7, None, "a\0"],
    "path": [7, "", "a\0b", ["a"]],
    "zone": ["Mars/X", "", 7, "../etc"],
    "start": MOMENTS,
    "end": MOMENTS,
    "period": ["", "30", "7x", "0s", "-1d", "99999999d", 30, timedelta(days=1), ["30d"]],
    "chunk_rows": [0, -1, 100_001, 10**30, "5", True],
    "columns": [7, "a", [("a", "b")], {7: "ts"}, {"a": 7}, {"": "ts"}, {"a": "price"}],
    "time_format": ["", 7, "%Q", "dd.mm.yyyy", "%"],
    "time_unit": ["", 7, "minutes", ["s"]],
    "decimal": ["", 7, ";", ".,"],
    "encoding": ["", 7, "klingon", "idna", "a\0"],
    "stamps": ["", 7, "middle", True],
}


@pytest.mark.parametrize(("name", "given"), [(name, given) for name, wrong in PLANS.items() for given in wrong])
def test_a_wrong_plan_is_refused_when_it_is_made(name: str, given: object) -> None:
    right: dict[str, Any] = {"dimensions": ["intraday"], "path": SAMPLE}
    with pytest.raises((TypeError, ValueError)):
        IngestPlan(**{**right, name: given})


def test_every_part_of_a_plan_is_here() -> None:
    assert set(PLANS) == set(IngestPlan.__struct_fields__)
    with pytest.raises(ValueError, match="exchange them"):
        IngestPlan(dimensions=["intraday"], start=WELL, end=WELL - timedelta(days=1))


def test_a_plan_is_in_canonical_form_when_it_is_made() -> None:
    made = IngestPlan(dimensions=["intraday"], symbols=["eurusd", "EURUSD "], interval="60m")
    assert (made.dimension, made.symbols, made.interval) == (Dimension.INTRADAY_BARS, ("EURUSD",), "1h")
    assert made.checked() is made


FIELDS: Mapping[str, list[Any]] = {
    "dimension": ["daily", None, 7],
    "plan": [None, "plan"],
    "run_id": ["", 7],
    "frame": FRAMES,
    "source": ["", 7],
    "chunk": [None, 7],
    "rows": [[7]],
    "row": [None, 7],
    "position": COUNTS,
    "sink": ["", 7, None],
    "parts": [None, "a", ["a"], ("",), (7,)],
    "shard": [*COUNTS, 64],
    "epoch": COUNTS,
    "known": COUNTS,
    "server": [7, None, "a\0b"],
    "after": [-1, 2**63, "5", 1.5, True],
    "subscription": [None, 7, ""],
    "symbols": ["A", None, (7,)],
    "limit": [0, -3, 2**63, "5", 1.0, True],
    "skip": COUNTS,
    "positions": [7, None, ["A"]],
    "query": [None, "daily", 7],
    "at_least": COUNTS,
    "timeout": [-1, "5", None, float("nan"), float("inf"), True],
    "dry_run": FLAGS,
    "whole": FLAGS,
    "first": FLAGS,
    "outbox_bytes": [each for each in COUNTS if each is not None],
    "journal": [7, "all", (WELL, 1)],
    "as_of": MOMENTS,
    "symbol": [7, None],
    "interval": [60, timedelta(hours=1), ["1h"]],
    "start": MOMENTS,
    "end": MOMENTS,
    "reset": FLAGS,
    "apply": FLAGS,
    "before": [None, *MOMENTS],
    "outbox_before": MOMENTS,
    "quarantine_before": MOMENTS,
    "topic": [7, "", "A\0"],
    "consumer": ["", 7, None],
    "event_ids": [7, ("",), (7,)],
    "group": ["", 7, None],
    "offsets": [7, {("t", 0): -1}, {("t", 0): "1"}],
    "letters": [7, (None,), ("letter",)],
    "places": [7, None, (("t", 0),), (("", 0, 1),), (("t", -1, 1),), (("t", 0, "1"),), ("t/0/1",)],
    "until": MOMENTS,
    "ids": [7, "0f", ("",), (7,)],
    "ts": [None, *MOMENTS],
    "snapshot": ["", 7, None],
    "wanted": [None, "daily"],
    "part": [None, "A"],
    "owner": ["", 7, None],
    "seconds": [-1, "5", None, float("nan"), float("inf"), True],
    "readers": [0, -3, 2**63, "5", 1.0, True],
    "dimensions": ["daily", None, ("daily",), [BARS]],
    "to": ["", 7, "a\0b"],
    "form": ["", 7, "xml"],
    "anew": FLAGS,
    "metadata": [7, None, "a", [("a", 1)]],
    "trigger": ["", "manual", 7, None],
    "most": [0, *COUNTS],
    "statement": [None, "SELECT 1", {"text": "SELECT 1"}],
    "name": ["", 7, None],
    "token": ["", 7, None],
    "level": COUNTS,
    "since": [None, 7, "export-1"],
    "job": ["", 7, None, "count"],
    "export": ["", 7, "A\0"],
}

FIELDS_OF: Mapping[str, Mapping[str, list[Any]]] = {"ReadRuns": {"dimension": ["intrday", "", 7]}}
"""Of some kinds of messages: fields for which other things are wrong than elsewhere."""

RIGHT: Mapping[str, Any] = {
    "dimension": BARS,
    "plan": plan(),
    "run_id": "r",
    "frame": bars(),
    "source": "s",
    "chunk": None,
    "rows": (),
    "row": None,
    "position": 0,
    "sink": "kafka",
    "parts": ("quotes/1/8",),
    "consumer": "c",
    "event_ids": ("e",),
    "group": "g",
    "offsets": {("t", 0): 1},
    "letters": (),
    "places": (("t", 0, 1),),
    "ids": ("0f",),
    "ts": WELL,
    "interval": "1h",
    "after": 0,
    "subscription": "s",
    "positions": {BARS: {"A": 1}},
    "query": Query(BARS),
    "symbol": "A",
    "before": WELL,
    "start": WELL,
    "end": WELL,
    "outbox_before": None,
    "quarantine_before": None,
    "snapshot": "s",
    "wanted": Parts(BARS),
    "part": Part(BARS, "A", WELL, WELL),
    "owner": "o",
    "seconds": 1.0,
    "until": WELL,
    "most": 1,
    "statement": Statement(name="s", text="SELECT 1"),
    "name": "s",
    "token": "export-1",
    "level": 0,
    "since": Since("export-1", 0, (0, 9), {}),
    "job": "validate",
}

ROOMS = [module for room in message_map.ROOMS for module in message_map.modules_of(room)]
KINDS: list[type[Message]] = [
    kind
    for room in ROOMS
    for kind in vars(room).values()
    if isinstance(kind, type) and issubclass(kind, Message) and kind.__module__ == room.__name__
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_message_refuses_wrong_arguments_when_it_is_made(kind: type[Any]) -> None:
    fields = msgspec.structs.fields(kind)
    right = {field.name: RIGHT[field.name] for field in fields if field.required}
    wrong = {**FIELDS, **FIELDS_OF.get(kind.__name__, {})}
    for field in fields:
        for given in (each for each in wrong[field.name] if each is not field.default):
            with pytest.raises((TypeError, ValueError)):
                kind(**{**right, field.name: given})


async def test_a_backbone_that_was_left_says_so() -> None:
    async with embedded() as backbone:
        await backbone.record(bars())
        subscribed = backbone.subscribe(BARS)
    right: dict[str, Mapping[str, Any]] = {
        **{name: arguments for name, (arguments, _) in WRONG.items()},
        "ingest": {"plan": plan()},
        "record": {"rows": bars()},
        "connectivity": {},
        "outbox": {},
    }
    for method, arguments in right.items():
        if method != "rehearse":
            with pytest.raises(BackboneClosed, match="this backbone is closed"):
                await call(backbone, method, arguments)
    with pytest.raises(BackboneClosed):
        async with subscribed:
            pass


async def test_who_reads_a_subscription_when_the_backbone_is_left_is_told() -> None:
    told = anyio.Event()

    async def read(backbone: Backbone) -> None:
        async with backbone.subscribe(BARS) as updates:
            with pytest.raises(BackboneClosed):
                async for _ in updates:
                    pass
        told.set()

    async with anyio.create_task_group() as group:
        async with embedded() as backbone:
            group.start_soon(read, backbone)
            await backbone.record(bars())
        with anyio.fail_after(20):
            await told.wait()


async def test_only_what_opens_a_backbone_opens_one() -> None:
    wrong: list[dict[str, Any]] = [{"settings": "embedded"}, {"settings": {}}, {"system": "trading"}]
    for arguments in wrong:
        with pytest.raises(TypeError, match="allowed is a"):
            async with Backbone.open(**arguments):
                pass


async def test_symbols_are_found_whatever_their_case_where_one_matches(caplog: pytest.LogCaptureFixture) -> None:
    async with embedded() as backbone:
        await backbone.record(bars(symbol="EURUSD"))
        assert (await backbone.fetch(BARS, symbols=["eurusd"])).symbols == ("EURUSD",)
        assert (await backbone.fetch(BARS, symbols=["EurUsd", "EURUSD"], interval="1h")).num_rows == 3
        async with backbone.subscribe(BARS, symbols=["eurusd"], start="earliest") as updates:
            with anyio.fail_after(20):
                assert (await anext(updates)).symbol == "EURUSD"
        await backbone.record(bars(2, symbol="eurusd"))
        assert (await backbone.fetch(BARS, symbols=["eurusd"])).num_rows == 2
        assert (await backbone.fetch(BARS, symbols=["EurUSD"])).num_rows == 0
        assert "did you mean EURUSD or eurusd" in caplog.text
        assert (await backbone.fetch(BARS, symbols=["EUR/USD"])).num_rows == 0
        assert "nothing is stored of 'EUR/USD'" in caplog.text
        assert await backbone.symbols("intraday") == ("EURUSD", "eurusd")


async def test_a_plan_takes_a_files_symbols_whatever_their_case(tmp_path: Path) -> None:
    path = tmp_path / "lower.csv"
    path.write_text("ts,symbol,open,high,low,close\n2018-06-04T00:00:00Z,eurusd,1,2,1,1.5\n")
    async with embedded() as backbone:
        run = await backbone.ingest(plan(path, symbols=["EURUSD"]))
        assert (run.inserted, run.filtered) == (1, 0)
        assert (await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h")).num_rows == 1


async def test_an_interval_that_nothing_stored_can_make_is_refused_with_and_without_symbols() -> None:
    async with embedded() as backbone:
        await backbone.record(bars())
        for symbols in ([], ["EURUSD"]):
            with pytest.raises(ValueError, match="allowed: 1h"):
                await backbone.fetch(BARS, symbols=symbols, interval="5m")
