"""The README of the runtime promises what is: its program runs, its files, names, figures and wheel are there."""

import re
from pathlib import Path

import pytest

import actors
from tests.test_packaging import ALONE

ROOT = Path(__file__).parents[2]
README = (ROOT / "actors" / "README.md").read_text(encoding="utf-8")
CONTEXT = {"defer_reply", "run_task", "watch", "send_after", "send_every", "cancel_timer", "stop_self", "report_health"}


def test_the_quick_start_prints_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    (printed,) = re.findall(r"```text\n(.*?)```", README, flags=re.DOTALL)
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})  # noqa: S102  it is our own page
    assert capsys.readouterr().out == printed


def test_every_link_leads_to_a_file() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    assert len(targets) > 15
    assert [target for target in targets if not (ROOT / "actors" / target).exists()] == []


def test_every_name_in_the_table_exists() -> None:
    table = README[README.index("## What there is") : README.index("## What it does not do")]
    names = re.findall(r"`([\w.]+)`", table)
    homes = (actors, actors.SupervisorRef, actors.ActorSystem, actors.Actor, actors.Context, actors.Registry)
    for name in names:
        last = name.rpartition(".")[2]
        assert last in {"events", "testing", "otel"} or any(hasattr(home, last) for home in homes), name
    assert set(names) >= CONTEXT


def test_the_wheel_named_is_the_one_that_is_built() -> None:
    wheel = f"backbone_actors-{ALONE['version']}-py3-none-any.whl"
    assert set(re.findall(r"dist/(\S+?\.whl)", README)) == {wheel}


def test_every_figure_is_one_of_the_benchmarks() -> None:
    speed = README[README.index("## How fast") :]
    measured = (ROOT / "docs/reference/benchmarks-actors.md").read_text(encoding="utf-8")
    figures = re.findall(r"\d[\d,]*\d(?: µs| bytes)|\d+,[\d,]+\d|\d\.\d(?= times)", speed)
    assert len(figures) == 5
    assert [figure for figure in figures if figure not in measured] == []
