"""The README promises what is: its Python runs, its files exist, its codes are those of the command line."""

import re
import tomllib
from pathlib import Path

import pytest

from backbone import NotBuilt
from backbone.cli.exits import EXITS
from backbone.cli.table import COMMANDS
from backbone.testing import embedded

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def python_of_the_page() -> str:
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    return str(code)


def test_the_embedding_code_runs_in_an_empty_folder_and_prints_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    first = "5000 rows came over the stream\n500 newest bars, last close 1.14657\n"
    for _ in range(2):
        exec(compile(python_of_the_page(), "README.md", "exec"), {"__name__": "readme"})  # noqa: S102  it is our own page
    assert capsys.readouterr().out == first + first.splitlines(keepends=True)[1]
    assert f"```text\n{first}```" in README


def test_the_embedding_code_is_a_file_that_is_type_checked() -> None:
    assert python_of_the_page() == (ROOT / "docs" / "examples" / "first_bars.py").read_text()


def test_the_wheel_named_is_the_one_that_is_built() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert set(re.findall(r"dist/(backbone-\S+?\.whl)", README)) == {f"backbone-{version}-py3-none-any.whl"}


def test_the_extras_named_are_those_that_there_are() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    install = README[README.index("## Install") : README.index("## The first bars")]
    assert {name for name in extras if f"`{name}`" in install} == set(extras)


NOT_BUILT = README[README.index("## What is not built yet") : README.index("## How the data flows")]


@pytest.mark.parametrize("verb", ["readiness", "drill"])
async def test_what_the_page_calls_not_built_is_refused_as_such(verb: str) -> None:
    assert f"`{verb}`" in NOT_BUILT
    async with embedded() as backbone:
        with pytest.raises(NotBuilt, match=f"{verb} is not built yet"):
            await getattr(backbone, verb)()


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
