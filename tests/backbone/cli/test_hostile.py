"""Texts that attack: whoever reads an output, on a terminal, in a browser or in a file, meets nothing that steers."""

from __future__ import annotations

import json
import re
import shutil
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from threading import Thread

import duckdb
import pytest

from backbone import Backbone, BackboneError, Dimension, Frame, IngestPlan, load_settings
from backbone.cli.main import main
from tests.backbone import logs
from tests.backbone.cli.conftest import Cli, Done

STEERING = "\x1b]0;PWNED\x07\x1b[31m\x7f\x9b2J\u061c\u200b\u200e\u2028\u2029\u202e\u2066\ufeff\U000e0041"
MARKUP = "<script>alert(1)</script>![x](http://evil/x.png)`|[y](http://evil)"
EVIL = f"=1{STEERING}{MARKUP}"
FILE = f"{STEERING}=x.csv"
TRADES = "symbol,ts,sequence,price,venue,conditions\nEVIL,2024-01-02T00:00:00Z,0,1.5,EVIL,EVIL\n"
BAD = f"{TRADES}EVIL,x,0,1.5,A,A\n"
BARS = "symbol,ts,open,high,low,close\nEVIL,2024-01-02T00:00:00Z,1,2,1,1\nEVIL,2024-01-02T01:00:00Z,1,2,1,1\n"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that was written by somebody who checks no texts."""
    folder = tmp_path_factory.mktemp("store")
    path = folder / "s.duckdb"
    for name, text in (("trades", TRADES), ("intraday_bars", BARS), ("trades", BAD)):
        (folder / name).write_text(text)
        kind = ("--dimension", name, "--source", "csv", *(("--interval", "1h") if name == "intraday_bars" else ()))
        with logs.restored():
            assert main(["ingest", str(folder / name), *kind, "--set", f"store.path={path}", "--quiet"]) == 0
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE market_data.trades SET symbol = $1, venue = $1, conditions = $1", [EVIL])
        connection.execute("UPDATE market_data.intraday_bars SET symbol = $1", [EVIL])
        columns = "source = $1, location = $1, reason = $1, excerpt = $1"
        connection.execute(f"UPDATE telemetry.quarantine SET {columns}", [EVIL])  # noqa: S608
    return path


@pytest.fixture
def hostile(cli: Cli, store: Path) -> Cli:
    """A command line over a store of such texts, with a file of such a name beside it."""
    Path(FILE).write_text(f"{BARS}{EVIL},x,{EVIL},2,1,1\n")
    Path("data").mkdir(0o700)
    shutil.copy(store, "data/backbone.duckdb")
    return cli


def steers(text: str) -> list[str]:
    return sorted({f"U+{ord(char):04X}" for char in text if not char.isprintable() and char != "\n"})


def written(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.suffix in {".json", ".md", ".txt"}:
            yield path.read_text()


def check(done: Done, folder: Path) -> None:
    for text in (done.out, done.err, *written(folder)):
        assert steers(text) == []
    assert "Traceback" not in done.err


PLACE = ("--set", f"control.path={EVIL}")
COMMANDS = [
    *(("fetch", "trades", "--format", how) for how in ("table", "csv", "json")),
    *(("fetch", "trades", "--format", how, "--output", "out.txt") for how in ("table", "csv", "json")),
    *(("fetch", "intraday_bars", "--symbols", EVIL, "--format", how) for how in ("table", "csv", "json")),
    ("fetch", EVIL),
    ("fetch", "trades", "--symbols", f"{EVIL}X", "-v"),
    ("fetch", "trades", "--start", EVIL),
    ("fetch", "--output", f"missing/{EVIL}/x", "--config", EVIL),
    *(("quarantine", "list", "--format", how) for how in ("human", "json", "markdown")),
    ("quarantine", "list", "--format", "json", "--output", "out.txt"),
    *(("retention", "--format", how, "-v") for how in ("human", "json", "markdown")),
    *(("ingest", FILE, "--interval", "1h", "--format", how, "-vv") for how in ("human", "json", "markdown")),
    ("ingest", f"no{FILE}"),
    ("ingest", FILE, "--interval", EVIL),
    ("ingest", FILE, "--zone", EVIL),
    *(("rehearse", FILE, "--interval", "1h", "--format", how) for how in ("human", "json", "markdown")),
    ("rehearse", FILE, "--interval", "1h", "--output", f"out{STEERING}"),
    *(("config", "show", "--changed", "--format", how, *PLACE) for how in ("human", "json", "markdown")),
    *(("config", "check", "--format", how, *PLACE) for how in ("human", "json", "markdown")),
    *(("instruments", EVIL, "--format", how) for how in ("human", "json", "markdown")),
    ("config", "show", "--set", f"{EVIL}=1"),
    ("status", "--set", f"control.path={STEERING}"),
    ("roster", "--set", f"control.path={STEERING}"),
    ("connectors", "--format", "json"),
    ("migrate", "--format", "json", "--set", f"store.path={STEERING}"),
    ("fetch", "--set", f"store.path=/proc/{STEERING}/x"),
    (EVIL,),
    (f"--{EVIL}",),
]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: re.sub(r"[^a-z_ -]+", "~", " ".join(words)))
def test_no_output_of_the_command_line_steers(hostile: Cli, tmp_path: Path, words: tuple[str, ...]) -> None:
    check(hostile(*words), tmp_path)


@pytest.mark.parametrize("how", ["console", "json"])
def test_no_log_line_steers(hostile: Cli, tmp_path: Path, how: str) -> None:
    check(hostile("ingest", FILE, "--interval", "1h", "-vv", "--set", f"logging.format={how}"), tmp_path)


def test_json_holds_the_very_texts(hostile: Cli) -> None:
    columns = json.loads(hostile("fetch", "trades", "--format", "json").out)["columns"]
    assert [columns[name] for name in ("symbol", "venue", "conditions")] == [[EVIL]] * 3
    (row,) = json.loads(hostile("quarantine", "list", "--format", "json").out)["rows"]
    assert (row["location"], row["reason"]) == (EVIL, EVIL)


@pytest.mark.parametrize("words", [("quarantine", "list"), ("retention",), ("rehearse", FILE, "--interval", "1h")])
def test_markdown_shows_markup_instead_of_being_it(hostile: Cli, words: tuple[str, ...]) -> None:
    page = hostile(*words, "--format", "markdown").out
    assert re.search(r"(?<!\\)(<script|!\[|`|\]\()|http://", page) is None
    tables = [line for line in page.splitlines() if line.startswith("|")]
    assert all(re.search(r"(?<!\\)\|\Z", line) for line in tables)


@contextmanager
def answering(path: Path, answers: dict[str, object]) -> Iterator[None]:
    """A backbone of another release, say, that checks none of the texts that it is made of."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        listening.settimeout(30)

        def serve() -> None:
            with listening.accept()[0] as client:
                asked = json.loads(client.makefile().readline())["command"]
                client.sendall(json.dumps({"schema": 1, "ok": True, "result": answers[asked]}).encode() + b"\n")

        thread = Thread(target=serve)
        thread.start()
        yield
        thread.join()


@pytest.fixture
async def answers() -> dict[str, object]:
    """What a running backbone answers, with evil in each text that is not one of a few words."""
    connectivity = {"status": "degraded", "store": True, "cache": True, "stream": True}
    probe = {"name": EVIL, "status": "degraded", "healthy": True, "latency_ms": 1.0, "backend": EVIL, "why": EVIL}
    async with Backbone.open(load_settings(profile="embedded", overrides={"store.path": ":memory:"})) as backbone:
        roster = json.loads(backbone.roster().to_json())
    roster |= {"system": EVIL, "orphans": [EVIL], "host_tasks": [EVIL], "deadlocks": [[EVIL, EVIL]]}
    for entry in roster["entries"]:
        entry |= {"last_error": EVIL, "kind": EVIL, "state": EVIL, "handling": EVIL, "path": f"{entry['path']}{EVIL}"}
        entry["health"] |= {"level": "degraded", "why": EVIL, "next": EVIL, "action": EVIL}
    manifest = connectivity | {
        "probes": [probe],
        "running": True,
        "should_run": False,
        "reason": EVIL,
        "dimensions": [EVIL],
        "topics": [{"dimension": EVIL, "name": EVIL, "config": {EVIL: EVIL}}],
        "manifest": [
            {"name": EVIL, "configured": True, "supervised": True, "error": EVIL, "metadata": {EVIL: EVIL}}
            for _ in range(4)
        ],
        "caches": {EVIL: {"hits": 1, "misses": 1, "hit_rate": 0.5, "keys": 1}},
        "consumer": {EVIL: EVIL},
    }
    status = {"roster": roster, "connectivity": connectivity | {"probes": [probe]}}
    return {"roster": roster, "status": status, "connectors": manifest}


@pytest.mark.parametrize("how", ["human", "json", "markdown"])
@pytest.mark.parametrize("command", ["status", "roster", "connectors"])
def test_what_another_process_answers_steers_nothing(
    cli: Cli, tmp_path: Path, answers: dict[str, object], command: str, how: str
) -> None:
    with answering(tmp_path / "s.sock", answers):
        done = cli(command, "--format", how, "--set", "control.path=s.sock")
    assert "alert" in done.out
    check(done, tmp_path)


def evil_frame() -> Frame:
    at = datetime(2024, 1, 2, tzinfo=UTC)
    plain = [{"symbol": MARKUP, "ts": at, "sequence": 0, "price": 1.0, "venue": EVIL, "conditions": EVIL}]
    table = Frame.from_records("trades", plain).to_arrow()
    import pyarrow as pa

    return Frame.of_canonical(Dimension.TRADES, table.set_column(0, table.schema.field(0), pa.array([EVIL])))


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)


def test_a_frame_shows_itself_without_steering() -> None:
    frame = evil_frame()
    page = frame._repr_html_()
    assert steers(repr(frame)) == steers(page) == []
    tags = _Tags()
    tags.feed(page)
    assert tags.found == {"p", "table", "thead", "tbody", "tr", "th", "td"}


async def test_what_the_facade_says_and_refuses_steers_nothing(
    hostile: Cli, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said = []
    async with Backbone.open(load_settings(profile="embedded")) as backbone:
        plan = IngestPlan(dimensions=["intraday_bars"], path=FILE, interval="1h", source="csv")
        run = await backbone.ingest(plan)
        retention = await backbone.retention()
        said += [run.to_json().decode(), run.to_markdown(), retention.to_json().decode(), retention.to_markdown()]
        said += [backbone.roster().to_json().decode(), repr(await backbone.quarantined()), repr(run), repr(retention)]
        said += [repr(await backbone.fetch("trades")), repr(await backbone.symbols("trades"))]
        attempts: tuple[Callable[[], Awaitable[object]], ...] = (
            lambda: backbone.fetch("intraday_bars", symbols=[EVIL], interval="1m"),
            lambda: backbone.fetch(EVIL),
            lambda: backbone.fetch("trades", symbols=[EVIL], interval=EVIL),
            lambda: backbone.ingest(IngestPlan(dimensions=["trades"], path=f"no{EVIL}", source="csv")),
            lambda: backbone.ingest(IngestPlan(dimensions=["trades"], path=FILE, source=EVIL)),
            lambda: backbone.record([{"symbol": EVIL, "ts": EVIL, "price": 1.0}], "trades"),
            lambda: backbone.record([{EVIL: 1}], "trades"),
        )
        for attempt in attempts:
            with pytest.raises((BackboneError, ValueError)) as refused:
                await attempt()
            said.append(str(refused.value))
    assert [steers(text) for text in (*said, caplog.text)] == [[]] * (len(said) + 1)
