"""Every failure: one clear line on stderr, nothing on stdout, no traceback, and the right exit code."""

from pathlib import Path

import pytest

from backbone.cli import main as main_module
from backbone.cli.exits import FAILED, INPUT, INTERRUPTED, UNREACHABLE, USAGE
from backbone.cli.failures import failed
from tests.backbone.cli.conftest import Cli

CASES = [
    (("rehearse", "--set", "store.path=/dev/null/x"), UNREACHABLE, "/dev/null/x"),
    (("ingest", "missing.csv", "--interval", "1h"), INPUT, "missing.csv does not exist"),
    (("rehearse", "missing.csv", "--interval", "1h"), INPUT, "missing.csv does not exist"),
    (("ingest", "empty.csv", "--interval", "1h"), INPUT, "empty.csv is empty"),
    (("ingest", "other.csv", "--interval", "1h"), INPUT, "names no column that intraday_bars needs"),
    (("ingest", "passwords", "--interval", "1h"), INPUT, "it begins with 'root:x:0:0:root:/root:/bin/bash and then'"),
    (("ingest", "one.csv"), INPUT, "--interval 1h names it for all rows"),
    (("ingest", "binary.csv", "--interval", "1h"), INPUT, "binary.csv"),
    (("ingest", "folder", "--interval", "1h"), INPUT, "folder"),
    (("rehearse", "--config", "list.yaml"), USAGE, "list.yaml: is a list"),
    (("rehearse", "--config", "unknown.yaml"), USAGE, "did you mean 'path'?"),
    (("rehearse", "--config", "missing.yaml"), USAGE, "no such file"),
    (("rehearse", "--profile", "embeded"), USAGE, "did you mean 'embedded'?"),
    (("rehearse", "--profile", "embedded", "--config", "x.yaml"), USAGE, "give one of them"),
    (("rehearse", "--profile", "timescale"), USAGE, "BACKBONE_STORE_URL"),
    (("rehearse", "--set", "store.pth=x"), USAGE, "did you mean 'store.path'?"),
    (("rehearse", "--set", "store.path"), USAGE, "KEY=VALUE"),
    (("rehearse", "--set", "store.threads=many"), USAGE, "'many' given; allowed is a whole number"),
    (("rehearse", "--set", "store.password=hunter2"), USAGE, "BACKBONE_STORE_PASSWORD"),
    (("rehearse", "--set", "cache.url=redis://:hunter2@localhost"), USAGE, "BACKBONE_CACHE_URL"),
    (("rehearse", "--env-file", "missing.env"), USAGE, "missing.env"),
    (("rehearse", "--output", "empty.csv"), USAGE, "--output empty.csv: can't be written"),
    (("config", "show", "--output", "empty.csv/x"), USAGE, "can't be written"),
    (("ingest", "a.csv", "--dimension", "trades", "--interval", "1h"), USAGE, "trades has none"),
    (("ingest", "empty.csv", "--dimension", "candles"), USAGE, "unknown dimension 'candles'"),
    (
        ("ingest", "one.csv", "--source", "xml"),
        USAGE,
        "--source xml given; allowed is csv, fred, multi, parquet, yahoo",
    ),
    (("ingest", "one.csv", "--zone", ""), USAGE, "--zone '' given"),
    (("ingest", "one.csv", "--symbols", " , "), USAGE, "--symbols ' , ' names no symbol"),
    (("fetch", "--symbols", ""), USAGE, "--symbols '' names no symbol"),
    (("fetch", "--symbols", "\udcff"), USAGE, "is no UTF-8 text"),
    (("ingest", "a\udcff.csv"), USAGE, "is no UTF-8 text"),
    (("ingest",), USAGE, "no file given; name one, or a provider by --source"),
    (("ingest", "a.csv", "b.csv"), USAGE, "'b.csv' given"),
    (("fetch", "--limit", "-1"), USAGE, "0 for all"),
    (("fetch", "--limit", "many"), USAGE, "many"),
    (("fetch", "--limit", "1.5"), USAGE, "--limit 1.5: allowed is a whole number"),
    (("quarantine", "list", "--limit", "1e3"), USAGE, "--limit 1e3: allowed is a whole number"),
    (("fetch", "--limit"), USAGE, "--limit given without a value"),
    (("ingest", "empty.csv", "--zone"), USAGE, "--zone given without a value"),
    (("fetch", "--start", "2020-01-01T00:00"), USAGE, "time zone"),
    (("fetch", "--start", "yesterday"), USAGE, "is not a time"),
    (("fetch", "--format", "xml"), USAGE, '"csv"'),
    (("fetch", "--fromat", "csv"), USAGE, "did you mean '--format'?"),
    (("fetch", "nothing"), USAGE, "daily_bars"),
    (("fetch", "--interval", "1 parsec"), USAGE, "parsec"),
    (("status",), UNREACHABLE, "no running backbone"),
    (("roster",), UNREACHABLE, "no running backbone"),
    (("connectors", "--timeout", "60"), USAGE, "at most 6"),
    (("status", "--set", "control.enabled=no"), UNREACHABLE, "control.enabled"),
    (("migrate", "--dry-run", "--status"), USAGE, "give one of them"),
    (("migrate", "--set", "store.path=/dev/null/x"), UNREACHABLE, "/dev/null/x"),
    (("quarantine", "list", "--limit", "0"), USAGE, "allowed are 1 to 10000 rows at once"),
    (("quarantine", "list", "--skip", "-1"), USAGE, "allowed are 1 to 10000 rows at once"),
    (("rehears",), USAGE, "did you mean 'rehearse'?"),
    (("config", "shw"), USAGE, "did you mean 'show'?"),
    (("help", "exit-code"), USAGE, "did you mean 'exit-codes'?"),
    (("--profile", "embedded"), USAGE, "without a command"),
    (("--profile",), USAGE, "without a value"),
    (("--format", "json", "status"), USAGE, "backbone COMMAND --format"),
    (("--profil", "embedded", "status"), USAGE, "did you mean '--profile'?"),
    (("services", "up", "--env-file", "folder"), USAGE, "is no regular file"),
    (("top",), USAGE, "top is not built yet; backbone roster"),
    (("help", "doctor"), USAGE, "doctor is not built yet; backbone config check"),
    (("fetch", "intrday"), USAGE, "did you mean 'intraday'?"),
    (("fetch", "--output", "."), USAGE, "--output .: can't be written (it is a folder)"),
    (("fetch", "--output", "nowhere/x.csv"), USAGE, "there is no folder nowhere"),
    (("fetch", "--limit", "9" * 23), USAGE, "at most 9223372036854775807"),
    (("quarantine", "list", "--limit", "10001"), USAGE, "--skip 10000 reads on"),
    (("fetch", "--start", "2020-02-01", "--end", "2020-01-01"), USAGE, "--start 2020-02-01 is after --end"),
    (("ingest", "empty.csv", "--start", "2020-02-01", "--end", "2020-01-01"), USAGE, "exchange them"),
    (("ingest", "other.csv", "--zone", "Mars/X"), USAGE, "time zone 'Mars/X' is not known"),
    (("fetch", "trades", "--interval", "1h"), USAGE, "trades has no interval"),
    (("config", "template", "embeded"), USAGE, "did you mean 'embedded'?"),
]


@pytest.fixture
def inputs(cli: Cli) -> Cli:
    Path("empty.csv").write_text("")
    Path("other.csv").write_text("a,b\n1,2\n")
    Path("binary.csv").write_bytes(bytes(range(256)) * 4)
    Path("passwords").write_text(f"root:x:0:0:root:/root:/bin/bash and then {'hunter2' * 9}\nroot:x\n")
    Path("one.csv").write_text("ts,symbol,open,high,low,close\n")
    Path("folder").mkdir()
    Path("list.yaml").write_text("- a\n- b\n")
    Path("unknown.yaml").write_text("store:\n  pth: x\n")
    return cli


@pytest.mark.parametrize(
    ("words", "code", "fragment"), CASES, ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_one_line_and_the_right_code(inputs: Cli, words: tuple[str, ...], code: int, fragment: str) -> None:
    done = inputs(*words)
    assert done.code == code, done.err
    assert done.out == ""
    assert fragment in done.err
    assert done.err.startswith("backbone: error: ")
    assert done.err.count("\n") == 1
    assert "Traceback" not in done.err
    assert "hunter2" not in done.err


def test_an_argument_that_the_backbone_refuses_is_a_wrong_argument(cli: Cli, bars: str) -> None:
    assert cli("ingest", bars, "--interval", "1h", "-q").code == 0
    for words in (("--symbols", "EURUSD"), ()):
        done = cli("fetch", "intraday", "--interval", "5m", *words)
        assert (done.code, done.out) == (USAGE, ""), done.err
        assert done.err.startswith("backbone: error: interval=5m given, but 5m bars")
        assert "allowed: 1h, 2h, 3h, 4h," in done.err


NOTHING = [
    (("--symbols", "GBPUSD,USDCHF"), "the source has EURUSD; none of GBPUSD, USDCHF"),
    (("--start", "2021-01-01"), "the source has rows from 2020-01-06T00:00:00Z to 2020-01-06T01:00:00Z; none within"),
]


@pytest.mark.parametrize(("words", "why"), NOTHING, ids=["symbols", "times"])
def test_an_ingest_that_takes_no_row_is_5_and_says_why(cli: Cli, bars: str, words: tuple[str, ...], why: str) -> None:
    done = cli("ingest", bars, "--interval", "1h", *words)
    assert done.code == INPUT
    assert "filtered    2" in done.out
    assert f"backbone: error: not one row was taken of 2 read: {why}" in done.err
    assert cli("ingest", bars, "--interval", "1h").code == 0
    assert cli("ingest", bars, "--interval", "1h").code == 0, "rows that are there already are taken"


def test_a_symbol_in_another_case_is_not_what_was_missing(cli: Cli, bars: str) -> None:
    Path("lower.csv").write_text(Path(bars).read_text().replace("EURUSD", "eurusd"))
    done = cli("ingest", "lower.csv", "--interval", "1h", "--symbols", "EURUSD", "--start", "2021-01-01", "-q")
    assert done.code == INPUT
    assert "none within the times asked for" in done.err


@pytest.mark.parametrize("command", ["ingest", "rehearse"])
def test_a_file_of_bad_rows_alone_is_5_and_gives_the_first_reason(cli: Cli, command: str) -> None:
    Path("bad.csv").write_text("ts,symbol,open,high,low,close\n2020-01-06T00:00:00Z,A,1,2,0.5,-1\n")
    done = cli(command, "bad.csv", "--interval", "1h", "-q")
    assert (done.code, done.err) == (
        INPUT,
        "backbone: error: not one row was taken of 1 read: has a price of zero or less\n",
    )


def test_an_empty_answer_says_what_to_try(cli: Cli, bars: str) -> None:
    assert "no intraday_bars are stored; backbone ingest" in cli("fetch").err
    cli("ingest", bars, "--interval", "1h", "-q")
    assert "no rows match" in cli("fetch", "--symbols", "USDCHF").err


def test_what_is_not_written_makes_no_folder_and_no_store(cli: Cli) -> None:
    cli("fetch", "--output", "nowhere/x.csv")
    cli("fetch", "--limit", "9" * 23)
    assert list(Path().iterdir()) == []


def test_options_of_all_commands_may_stand_before_the_command(cli: Cli) -> None:
    plain = cli("config", "show", "--profile", "embedded", "-q")
    assert plain.code == 0
    assert cli("--profile", "embedded", "-q", "config", "show") == plain
    assert cli("--profile=embedded", "-q", "config", "show") == plain
    assert cli("--profile", "embedded", "--help").out.startswith("backbone: market data")


def test_an_unreadable_config_tells_every_problem_one_a_line(inputs: Cli) -> None:
    Path("two.yaml").write_text("store:\n  pth: x\ncache:\n  tl: 3\n")
    done = inputs("config", "show", "--config", "two.yaml")
    assert done.code == USAGE
    assert [line.split(": ")[:3] for line in done.err.splitlines()] == [["backbone", "error", "two.yaml"]] * 2


def test_a_stray_variable_of_another_tool_is_mentioned_and_not_used(
    cli: Cli, bars: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:hunter2@elsewhere:6379")
    done = cli("ingest", bars, "--interval", "1h", "--profile", "embedded")
    notes = [line for line in done.err.splitlines() if "REDIS_URL" in line]
    assert done.code == 0
    assert len(notes) == 1
    assert notes[0].startswith("backbone: note: not used: REDIS_URL")
    assert "hunter2" not in done.err + done.out
    assert "REDIS_URL" not in cli("ingest", bars, "--interval", "1h", "--profile", "embedded", "-q").err


def test_a_message_can_neither_carry_a_secret_nor_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert failed(OSError("no way\nto \x1b[31mpostgres://u:hunter2@host/db\x07")) == FAILED
    err = capsys.readouterr().err
    assert err == "backbone: error: no way to [31mpostgres://u:***@host/db\n"


def test_a_bug_is_one_line_too_unless_the_developer_asks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert failed(ZeroDivisionError("by zero")) == FAILED
    assert capsys.readouterr().err == (
        "backbone: error: unexpected ZeroDivisionError: by zero; BACKBONE_DEBUG=1 shows the traceback\n"
    )
    monkeypatch.setenv("BACKBONE_DEBUG", "1")
    try:
        raise ZeroDivisionError("by zero")
    except ZeroDivisionError as error:
        failed(error)
    assert "Traceback" in capsys.readouterr().err


def test_a_single_error_is_taken_out_of_its_group(capsys: pytest.CaptureFixture[str]) -> None:
    assert failed(ExceptionGroup("several", [ExceptionGroup("inner", [FileNotFoundError("gone")])])) == FAILED
    assert capsys.readouterr().err == "backbone: error: gone\n"


def test_ctrl_c_before_anything_runs_exits_130(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(words: tuple[str, ...]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(main_module, "_dispatch", interrupt)
    assert cli("status")[::2] == (INTERRUPTED, "backbone: interrupted\n")


def test_debugging_is_no_setting(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKBONE_DEBUG", "0")
    assert cli("config", "check").code == 0


def test_a_profile_that_a_variable_led_to_says_which_variable(
    cli: Cli, bars: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:hunter2@elsewhere:6379")
    done = cli("ingest", bars, "--interval", "1h")
    assert done.code == 2
    assert "note: REDIS_URL is set and no profile is named" in done.err
    assert "--profile embedded" in done.err
    assert "hunter2" not in done.err
    assert "Traceback" not in done.err
