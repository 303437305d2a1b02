"""Rows in and out: ingest, fetch, quarantine."""

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from backbone.cli.show.rows import csv_of
from backbone.domain import Dimension, Frame
from backbone.sources.csv import CsvSource
from tests.backbone.cli.conftest import Cli


def test_what_fetch_writes_ingest_knows(cli: Cli, bars: str) -> None:
    assert cli("ingest", bars, "--interval", "1h").code == 0
    assert cli("fetch", "--output", "again.csv").code == 0
    run = json.loads(cli("ingest", "again.csv", "--interval", "1h", "--format", "json").out)
    assert (run["rows_read"], run["unchanged"], run["inserted"]) == (2, 2, 0)


def test_csv_in_a_pipe_has_a_header_and_all_rows(cli: Cli, bars: str) -> None:
    cli("ingest", bars, "--interval", "1h")
    done = cli("fetch", "intraday", "--symbols", "EURUSD", "--interval", "1h")
    header, *rows = done.out.splitlines()
    assert header == '"symbol","interval","ts","open","high","low","close","volume"'
    assert rows[0] == '"EURUSD","1h","2020-01-06T00:00:00Z",1,2,0.5,1.5,'
    assert len(rows) == 2


def test_a_table_shows_the_newest_rows_without_empty_columns(cli: Cli, bars: str) -> None:
    cli("ingest", bars, "--interval", "1h")
    done = cli("fetch", "--format", "table", "--limit", "1")
    header, row = done.out.splitlines()
    assert header.split() == ["symbol", "interval", "ts", "open", "high", "low", "close"]
    assert row.split() == ["EURUSD", "1h", "2020-01-06", "01:00", "1.5", "2", "1", "1.25"]


def test_json_holds_columns_and_null_for_what_is_missing(cli: Cli, bars: str) -> None:
    cli("ingest", bars, "--interval", "1h")
    body = json.loads(cli("fetch", "--format", "json", "--end", "2020-01-06T00:30:00Z").out)
    assert (body["schema"], body["dimension"], body["rows"], body["stale"]) == (1, "intraday_bars", 1, False)
    assert body["columns"]["ts"] == ["2020-01-06T00:00:00Z"]
    assert body["columns"]["volume"] == [None]


def test_a_bar_that_is_not_whole_yet_is_told_of(cli: Cli, bars: str) -> None:
    cli("ingest", bars, "--interval", "1h")
    done = cli("fetch", "--interval", "1d", "--format", "json")
    assert json.loads(done.out)["partial"] == {"EURUSD": "2020-01-06T00:00:00Z"}
    assert (
        "note: not whole yet: EURUSD 2020-01-06T00:00:00Z; what these bars are made of ends before they do" in done.err
    )
    whole = cli("fetch", "--interval", "1h", "--format", "json")
    assert (json.loads(whole.out)["partial"], "not whole" in whole.err) == ({}, False)


def test_an_interval_is_told_from_another_one_and_from_stamps_at_the_end(cli: Cli) -> None:
    rows = [f"2024-03-05T{14 + n // 12:02}:{n % 12 * 5:02}:00Z,1,2,0.5,1.5" for n in range(7, 85)]  # 14:35 to 21:00
    Path("ends.csv").write_text("\n".join(["ts,open,high,low,close", *rows]) + "\n")
    ask = ("ingest", "ends.csv", "--symbols", "ACME", "--format", "json", "--set", "quality.session=us_equities")
    told = json.loads(cli(*ask, "--interval", "5m").out)["quality"]
    assert "end_stamps" in [finding["code"] for finding in told["findings"]]
    wrong = json.loads(cli(*ask, "--interval", "H1").out)["quality"]
    assert "interval_too_long" in [finding["code"] for finding in wrong["findings"]]
    assert wrong["score"] < 0.6


def test_a_date_alone_is_midnight_utc(cli: Cli, bars: str) -> None:
    cli("ingest", bars, "--interval", "1h")
    assert len(cli("fetch", "--start", "2020-01-06", "--end", "2020-01-07").out.splitlines()) == 3
    assert len(cli("fetch", "--start", "2020-01-07").out.splitlines()) == 1


def test_nothing_found_is_a_note_and_no_error(cli: Cli) -> None:
    done = cli("fetch", "--symbols", "NONE")
    assert done.code == 0
    assert "note: no rows match" in done.err


def test_bad_rows_are_counted_and_listed_without_steering_the_terminal(cli: Cli) -> None:
    Path("bad.csv").write_text(
        "ts,symbol,open,high,low,close\n2020-01-06T00:00:00Z,A,1,2,1,1\n2020-01-06T01:00:00Z,A,1,\x1b[31m,1,1\n"
    )
    done = cli("ingest", "bad.csv", "--interval", "1h")
    assert done.code == 0
    assert "bad rows kept aside: 1" in done.err
    listed = cli("quarantine", "list")
    assert "bad.csv:3" in listed.out
    assert "\x1b" not in listed.out
    rows = json.loads(cli("quarantine", "list", "--format", "json").out)["rows"]
    assert [row["location"] for row in rows] == ["bad.csv:3"]
    assert "bad.csv:3" in cli("quarantine", "list", "--format", "markdown").out
    rest = json.loads(cli("quarantine", "list", "--skip", "1", "--format", "json").out)["rows"]
    assert rest == rows[1:]


def test_an_empty_quarantine_says_so(cli: Cli) -> None:
    assert cli("quarantine", "list").out == "nothing was kept aside\n"


def test_only_the_rows_between_start_and_end_go_in(cli: Cli, bars: str) -> None:
    done = cli("ingest", bars, "--interval", "1h", "--start", "2020-01-06T01:00:00Z", "--format", "json")
    run = json.loads(done.out)
    assert (run["rows_read"], run["filtered"], run["inserted"]) == (2, 1, 1)


def test_a_cell_that_a_spreadsheet_would_run_is_disarmed() -> None:
    at = datetime(2020, 1, 6, tzinfo=UTC)
    rows = [{"calendar": "US", "event": "=HYPERLINK(1)", "ts": at, "category": "-1", "actual": -1.0}]
    text = csv_of(Frame.from_records("macro", rows)).decode()
    assert '"\'=HYPERLINK(1)"' in text
    assert '"\'-1"' in text
    assert ",-1," in text


@given(st.lists(st.integers(0, 4 * 10**15), min_size=1, max_size=5, unique=True))
def test_moments_are_written_as_finely_as_they_are(stamps: list[int]) -> None:
    import pyarrow as pa

    table = pa.table(
        {
            "symbol": ["A"] * len(stamps),
            "ts": pa.array(stamps, pa.timestamp("us", "UTC")),
            "sequence": pa.array([0] * len(stamps), pa.int64()),
            "price": [1.0] * len(stamps),
        }
    )
    written = csv_of(Frame.from_arrow("trades", table)).decode().splitlines()[1:]
    from backbone.domain.clock import parse_time, to_us

    found = [to_us(parse_time(line.split(",")[1].strip('"'))) for line in written]
    assert found == sorted(stamps)


KEYS = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8)  # what no source would refuse
LED = st.builds(
    "".join, st.tuples(st.sampled_from(["=", "+", "-", "@", "\uff1d", "'", "''=", "\\", '"', ",", " "]), KEYS)
)
TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)


@given(st.lists(st.tuples(KEYS | LED, TEXTS, TEXTS), min_size=1, max_size=6))
def test_what_is_written_is_read_as_the_same_rows(rows: list[tuple[str, str | None, str | None]]) -> None:
    """A symbol before which a spreadsheet needs a sign came back as another symbol."""
    at = datetime(2020, 1, 6, tzinfo=UTC)
    frame = Frame.from_records(
        "trades",
        [
            {"symbol": symbol, "ts": at, "sequence": n, "price": 1.5, "venue": venue, "conditions": conditions}
            for n, (symbol, venue, conditions) in enumerate(rows)
        ],
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "again.csv")
        path.write_bytes(csv_of(frame))
        chunks = list(CsvSource(path, Dimension.TRADES).chunks())
    assert [bad for each in chunks for bad in each.quarantined] == []
    assert Frame.concat(each.frame for each in chunks) == frame


def test_a_column_that_is_escaped_says_so_and_others_do_not() -> None:
    at = datetime(2020, 1, 6, tzinfo=UTC)
    rows = [{"symbol": name, "ts": at, "sequence": 0, "price": 1.0, "venue": "A\\B"} for name in ("@ES", "'X", "Y\\")]
    header, *lines = csv_of(Frame.from_records("trades", rows)).decode().splitlines()
    assert header.startswith('"symbol (escaped)","ts","sequence","price"')
    assert '"venue"' in header
    assert [line.split(",")[0] for line in lines] == ["\"''X\"", '"\'@ES"', '"Y\\\\"']
    assert all('"A\\B"' in line for line in lines)


def test_escapes_are_undone_only_where_the_header_says_so(tmp_path: Path) -> None:
    def symbols(header: str, cell: str, **options: Any) -> tuple[list[str], list[str]]:
        (tmp_path / "x.csv").write_text(f"{header},ts,price,sequence\n{cell},2020-01-06T00:00:00Z,1,0\n")
        chunks = list(CsvSource(tmp_path / "x.csv", Dimension.TRADES, **options).chunks())
        return [name for each in chunks for name in each.frame.symbols], [
            b.reason for each in chunks for b in each.quarantined
        ]

    assert symbols("symbol", "'@ES") == (["'@ES"], [])
    assert symbols("Symbol (escaped)", "'@ES") == (["@ES"], [])
    assert symbols("symbol (escaped)", "A\\q") == (
        [],
        ["symbol: 'A\\\\q' has a backslash that begins no escape; write two for one"],
    )
    assert symbols("symbol (escaped)", "'@ES", columns={"symbol (escaped)": "symbol"}) == (["'@ES"], [])


def test_a_symbol_that_a_spreadsheet_would_run_goes_out_and_in_as_itself(cli: Cli) -> None:
    Path("in.csv").write_text("ts,symbol,open,high,low,close\n2020-01-06T00:00:00Z,@ES,1,2,1,1\n")
    assert cli("ingest", "in.csv", "--interval", "1h").code == 0
    done = cli("fetch", "--output", "again.csv")
    assert "texts of symbol are escaped" in done.err
    run = json.loads(cli("ingest", "again.csv", "--format", "json").out)
    assert (run["symbols"], run["unchanged"]) == (["@ES"], 1)
