"""Which benchmarks and which parts of them a command names."""

from __future__ import annotations

from argparse import ArgumentParser

import pytest

from tests.benchmarks.__main__ import wanted


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
