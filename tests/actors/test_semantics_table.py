"""The page of semantics is complete and up to date."""

from __future__ import annotations

from tests.actors.semantics_table import PAGE, applicable, covered, page


def test_every_applicable_semantic_has_a_test() -> None:
    numbers, _ = covered()
    assert sorted(applicable() - {number for number, tests in numbers.items() if tests}) == []


def test_the_page_of_semantics_is_what_the_tests_say() -> None:
    assert PAGE.read_text() == page(), "write it anew: python -m tests.actors.semantics_table"
