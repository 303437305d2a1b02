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
    (("ingest",), USAGE, "requires an argument"),
    (("ingest", "a.csv", "b.csv"), USAGE, "'b.csv' given"),
    (("fetch", "--limit", "-1"), USAGE, "0 for all"),
    (("fetch", "--limit", "many"), USAGE, "many"),
    (("fetch", "--start", "2020-01-01T00:00"), USAGE, "time zone"),
    (("fetch", "--start", "yesterday"), USAGE, "is not a time"),
    (("fetch", "--format", "xml"), USAGE, '"csv"'),
    (("fetch", "--fromat", "csv"), USAGE, "did you mean '--format'?"),
    (("fetch", "nothing"), USAGE, "daily_bars"),
    (("fetch", "--interval", "1 parsec"), USAGE, "parsec"),
    (("status",), UNREACHABLE, "no running backbone"),
    (("roster",), UNREACHABLE, "no running backbone"),
    (("connectors",), UNREACHABLE, "no running backbone"),
    (("status", "--set", "control.enabled=no"), UNREACHABLE, "control.enabled"),
    (("migrate", "--dry-run", "--status"), USAGE, "give one of them"),
    (("migrate", "--set", "store.path=/dev/null/x"), UNREACHABLE, "/dev/null/x"),
    (("quarantine", "list", "--limit", "0"), USAGE, "1 or more"),
    (("rehears",), USAGE, "did you mean 'rehearse'?"),
    (("config", "shw"), USAGE, "did you mean 'show'?"),
    (("help", "exit-code"), USAGE, "did you mean 'exit-codes'?"),
    (("--profile", "embedded", "rehearse"), USAGE, "put options after it"),
    (("config", "template", "embeded"), USAGE, "did you mean 'embedded'?"),
]


@pytest.fixture
def inputs(cli: Cli) -> Cli:
    Path("empty.csv").write_text("")
    Path("other.csv").write_text("a,b\n1,2\n")
    Path("binary.csv").write_bytes(bytes(range(256)) * 4)
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
