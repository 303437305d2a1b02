"""The README promises what is: its Python runs, its files exist, its codes are those of the command line."""

import re
from pathlib import Path

import pytest

from backbone.cli.commands import COMMANDS
from backbone.cli.exits import EXITS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_embedding_code_runs_and_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config").symlink_to(ROOT / "config")
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    for _ in range(2):
        exec(compile(code, "README.md", "exec"), {"__name__": "readme"})  # noqa: S102  it is our own page
    assert capsys.readouterr().out.splitlines() == [
        "5000 rows came over the stream",
        "500 newest bars, last close 1.14657",
        "500 newest bars, last close 1.14657",
    ]


def test_every_link_leads_to_a_file() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_every_command_named_exists() -> None:
    known = {" ".join(command.words[:1]) for command in COMMANDS} | {"help"}
    named = set(re.findall(r"`backbone ([a-z]+)", README))
    assert named
    assert named <= known


def test_the_exit_codes_are_those_of_the_command_line() -> None:
    for code, meaning in EXITS.items():
        assert f"| {code} | {meaning} |" in README


def test_every_target_named_is_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`make ([a-z-]+)`", README)):
        assert f"\n{target}:" in makefile


def test_the_page_shown_is_what_the_command_line_prints_now() -> None:
    for words in ("Rehearsal  intraday_bars · EURUSD", "inserted    5,000", "Afterwards  once everything had stopped"):
        assert words in README
