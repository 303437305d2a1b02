"""Foreign texts, made fit to be shown and stored."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone.domain.text import excerpt, folded, json_text, storable, written_out

ANY = st.text(st.characters())  # surrogates and controls too
STORABLE = st.text(st.characters(exclude_categories=["Cs"]))
EVIL = "a\0b\x1b[31m\u202e\ud800\nz"


def test_what_cannot_be_printed_is_written_out() -> None:
    assert excerpt(EVIL) == "a\\x00b\\x1b[31m\\u202e\\ud800\\nz"
    assert excerpt(b"price\xff;1\r") == "price\\xff;1\\r"
    assert excerpt("Öl 油") == "Öl 油"


@pytest.mark.parametrize("text", ["x" * 11, "\n" * 6, "é" * 11])
def test_what_is_too_long_is_cut_and_says_so(text: str) -> None:
    for raw in (text, text.encode()):
        shown = excerpt(raw, 10)
        assert len(shown) == 10
        assert shown.endswith("…")


@pytest.mark.parametrize("text", ["", "x" * 10, "é" * 10, "\n" * 5, "𝄞" * 10])
def test_what_fits_is_shown_whole(text: str) -> None:
    assert excerpt(text, 10) == excerpt(text.encode(), 10)
    assert not excerpt(text, 10).endswith("…")


@given(ANY, st.integers(1, 40))
def test_an_excerpt_is_printable_storable_and_bounded(text: str, limit: int) -> None:
    shown = excerpt(text, limit)
    assert shown.isprintable()
    assert len(shown) <= limit
    assert storable(shown) == shown


def test_a_folded_text_is_one_line_without_what_steers_a_terminal() -> None:
    assert folded(EVIL + "\n  b\tc ") == "ab[31m z b c"
    assert folded(7) == "7"


@given(ANY)
def test_a_storable_text_is_the_text_itself_but_for_what_databases_refuse(text: str) -> None:
    kept = storable(text)
    assert "\0" not in kept
    assert kept.encode().decode() == kept
    if "\0" not in text and not any(0xD800 <= ord(char) <= 0xDFFF for char in text):
        assert kept == text


@given(ANY)
def test_a_text_that_is_written_out_is_printable_and_printable_ones_stay_as_they_are(text: str) -> None:
    shown = written_out(text)
    assert shown.isprintable()
    assert shown == text or not text.isprintable()
    assert written_out(shown) == shown
    assert all(char == "\n" or char.isprintable() for char in written_out(text, keep="\n"))


@given(st.dictionaries(STORABLE, st.lists(STORABLE)))
def test_json_says_the_same_and_holds_nothing_raw_that_steers(body: dict[str, list[str]]) -> None:
    plain = json_text(msgspec.json.encode(body))
    assert json.loads(plain) == msgspec.json.decode(plain) == body
    assert plain.decode().isprintable()
    indented = json_text(msgspec.json.format(msgspec.json.encode(body), indent=2))
    assert json.loads(indented) == body
    assert indented.decode().replace("\n", "").isprintable()


def test_json_writes_out_controls_bidirectional_and_invisible_characters_alone() -> None:
    text = "\x7f\x9b\u202e\u2066\u200b\u2028\U000e0041 \u00d6l \u6cb9 \U0001f600"
    said = r'"\u007f\u009b\u202e\u2066\u200b\u2028\udb40\udc41 ' + '\u00d6l \u6cb9 \U0001f600"'
    assert json_text(msgspec.json.encode(text)).decode() == said
