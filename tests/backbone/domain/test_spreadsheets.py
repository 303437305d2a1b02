"""Texts in CSV that a spreadsheet does not run, and that come back as they were."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone.domain.spreadsheets import escaped, harmful, unescaped

ANY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))  # what a frame can hold
FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "\uff1d1",
    "\uff0b1",
    "\uff0d1",
    "\uff201",
    "\u22121",
]


@pytest.mark.parametrize("text", [*FORMULAS, " a", "a ", "a\x1b[31m", "\u202eab", "a\u200bb", "a\u2028b", "\x9b"])
def test_what_does_harm_is_known_and_made_harmless(text: str) -> None:
    assert harmful(text)
    assert not harmful(escaped(text))


@pytest.mark.parametrize("text", ["EURUSD", "BRK.B", "A\\B", "ES=F", "'A'", "Öl 油", "a, b", "^GSPC", "N225.T"])
def test_names_as_they_are_do_no_harm(text: str) -> None:
    assert not harmful(text)


def test_how_it_looks() -> None:
    assert [escaped(each) for each in ("=1", "'=1", "A\\B", " a ", "\x1b\u202e", "ES=F")] == [
        "'=1",
        "''=1",
        "A\\\\B",
        "\\x20a\\x20",
        "\\x1b\\u202e",
        "ES=F",
    ]


@given(ANY)
def test_every_text_comes_back_and_is_harmless_meanwhile(text: str) -> None:
    assert unescaped(escaped(text)) == text
    assert not harmful(escaped(text))


@given(ANY)
def test_nothing_else_than_a_broken_escape_is_refused(text: str) -> None:
    if "\\" in text:
        with suppress(ValueError):
            unescaped(text)
    else:
        assert unescaped(text) == text.removeprefix("'")


@pytest.mark.parametrize("text", ["\\", "a\\q", "\\x2", "\\ud8", "\\U00110000", "\\\\\\", "\\ud800", "\\x00", "\\X41"])
def test_a_broken_escape_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="begins no escape; write two for one"):
        unescaped(text)
