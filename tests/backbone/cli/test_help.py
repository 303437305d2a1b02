"""What a person sees who asks."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from backbone.cli.exits import EXITS
from backbone.cli.table import COMMANDS, Command
from tests.backbone.cli.conftest import Cli

HEAVY = ("anyio", "cyclopts", "duckdb", "matplotlib", "msgspec", "numpy", "pandas", "polars", "pyarrow", "rich", "yaml")


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",), ("help",)])
def test_the_first_page_names_every_command(cli: Cli, words: tuple[str, ...]) -> None:
    done = cli(*words)
    assert done.code == 0
    for command in COMMANDS:
        assert f"  {' '.join(command.words)} " in done.out


def test_the_first_page_fits_a_terminal_of_80_columns(cli: Cli) -> None:
    assert [line for line in (cli().out + cli("help", "exit-codes").out).splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command.words))
def test_every_command_explains_each_of_its_options(cli: Cli, command: Command) -> None:
    done = cli(*command.words, "--help")
    assert done.code == 0, done.err
    assert f"Usage: backbone {' '.join(command.words)}" in done.out
    for line in done.out.splitlines()[1:]:
        assert not line.rstrip(" │").endswith(("STR", "PATH", "INT")), f"no words for {line}"


def test_help_on_a_command_is_its_help(cli: Cli) -> None:
    assert cli("help", "fetch").out == cli("fetch", "--help").out


def test_help_exit_codes_lists_every_code(cli: Cli) -> None:
    done = cli("help", "exit-codes")
    assert done.code == 0
    for code, meaning in EXITS.items():
        assert f"{code:>3}  {meaning}" in done.out


def test_exit_codes_are_documented_as_they_are() -> None:
    page = (Path(__file__).parents[3] / "docs/reference/cli.md").read_text()
    for code, meaning in EXITS.items():
        assert f"| {code} | {meaning} |" in page


def test_the_version_is_one_line(cli: Cli) -> None:
    done = cli("--version")
    assert (done.code, done.out.split()[0]) == (0, "backbone")
    assert cli("-V").out == done.out


def test_the_first_page_loads_nothing_heavy() -> None:
    code = (
        "import sys; from backbone.cli.main import main; main(['--help']);"
        f"sys.exit(', '.join(n for n in {HEAVY!r} if n in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_the_first_page_comes_within_half_a_second() -> None:
    script = Path(sys.executable).with_name("backbone")
    took = []
    for _ in range(3):
        began = spent_by_children()
        subprocess.run([script, "--help"], capture_output=True, check=True, timeout=60)
        took.append(spent_by_children() - began)
    assert min(took) < 0.5


def spent_by_children() -> float:
    """Seconds of processor time: what others do on the machine meanwhile counts for nobody."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
