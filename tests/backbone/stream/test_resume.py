"""The token by which a subscriber goes on: opaque, exact, and refused where it was damaged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone.stream.resume import Resume

TOKEN = Resume("database", "stream", 2**60, "0:17,1:4").text()


@given(st.text(), st.text(), st.integers(0, 2**63 - 1), st.text())
def test_a_token_says_what_went_into_it(database: str, stream: str, position: int, mark: str) -> None:
    token = Resume(database, stream, position, mark)
    assert Resume.parse(token.text()) == token


def test_a_token_needs_no_quoting_anywhere() -> None:
    assert set(TOKEN) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


@pytest.mark.parametrize("text", ["", "r1.", "r1.AAAA", "latest", "17", TOKEN[:-1], TOKEN + "A", "r2" + TOKEN[2:], "é"])
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no resume token.*update\.resume"):
        Resume.parse(text)


@pytest.mark.parametrize("at", range(3, len(TOKEN)))
def test_a_token_with_one_letter_changed_is_refused(at: int) -> None:
    changed = TOKEN[:at] + ("B" if TOKEN[at] != "B" else "C") + TOKEN[at + 1 :]
    with pytest.raises(ValueError, match="no resume token"):
        Resume.parse(changed)


def test_a_position_below_the_first_is_refused() -> None:
    with pytest.raises(ValueError, match="below 0"):
        Resume.parse(Resume("d", "s", -1).text())
