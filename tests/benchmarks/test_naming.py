"""Which benchmarks and which parts of them a command names, and where each writes its page."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import names, wanted

HERE = Path(__file__).parent


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("reads", {"reads": []}),
        ("reads embedded", {"reads": ["embedded"]}),
        ("reads embedded timescale store", {"reads": ["embedded", "timescale"], "store": []}),
        ("embedded reads", {"embedded": [], "reads": []}),
        ("store embedded", {"store": [], "embedded": []}),
    ],
)
def test_a_part_is_one_of_the_benchmark_before_it_also_where_a_benchmark_has_its_name(
    given: str, expected: dict[str, list[str]]
) -> None:
    assert wanted(ArgumentParser(), given.split()) == expected


def test_no_benchmark_writes_over_the_page_of_another() -> None:
    sources = {name: (HERE / f"{name}_bench.py").read_text(encoding="utf-8") for name in names()}
    pages = [page for source in sources.values() for page in set(re.findall(r"docs/reference/[\w-]+\.md", source))]
    assert sorted(pages) == sorted(set(pages))
