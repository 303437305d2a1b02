"""From bytes to a struct: what is no JSON of the shape is refused with the reason, one bad value costs one."""

from __future__ import annotations

import msgspec
import pytest

from backbone.sources.errors import InputInvalid
from backbone.sources.http.decoding import Number, decoded
from backbone.sources.http.transport import Answer


class Values(msgspec.Struct):
    """Anything with numbers."""

    name: str = ""
    values: list[Number] = []


def answer(body: bytes, kind: str = "application/json") -> Answer:
    return Answer(200, {"content-type": kind}, body)


def test_fields_that_nobody_asked_for_are_passed_over() -> None:
    found = decoded(answer(b'{"name": "a", "values": [1, 2.5, null], "more": {"deep": [{}]}}'), Values)
    assert found == Values("a", [1, 2.5, None])


def test_a_mark_of_utf8_in_front_is_none_of_the_answer() -> None:
    assert decoded(answer(b'\xef\xbb\xbf{"name": "a"}'), Values).name == "a"


@pytest.mark.parametrize(
    "text",
    ["NaN", "Infinity", "-Infinity", "1e999", "-1.5E+4000", "1" * 400, "1" * 400 + ".5"],
    ids=lambda text: text[:9],
)
def test_a_value_that_no_number_can_hold_comes_as_the_text_it_is(text: str) -> None:
    body = b'{"name": "NaN and 1e999 in \\"quotes\\"", "values": [1, %s, 2]}' % text.encode()
    assert decoded(answer(body), Values) == Values('NaN and 1e999 in "quotes"', [1, text, 2])


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "is empty"),
        (b" \n ", "is empty"),
        (b"<!doctype html><html><body>Too many requests", "is a page for people, no data: <!doctype html>"),
        (b"{", "is no JSON"),
        (b"Too Many Requests\n", "is no JSON"),
        (b"[1, 2]", "has another shape: Expected `object`, got `array`"),
        (b'{"values": [1, [2]]}', r"has another shape: .* at `\$.values\[1\]`"),
        (b'{"name": ' + b"[" * 100_000, "has another shape|nested too deeply"),
        (b'{"more": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"more": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}", "nested too deeply"),
        (b'{"name": "a", "name": "b"}', r'says "name" twice in one object'),
        (b'{"more": {"x": 1, "y": [{"x": 2}], "x" : 3}}', r'says "x" twice in one object'),
        (b'{"name": "\xff\xfe"}', r"is not in UTF-8 \(byte 10\), as JSON has to be"),
        ('{"name": "a"}'.encode("utf-16"), "is not in UTF-8"),
        (b'{"name": "a"} trailing', "is no JSON"),
        (b'{"name": "a\x00b"}', "is no JSON"),
    ],
    ids=lambda value: str(value[:20]),
)
def test_what_is_no_answer_is_refused_with_the_reason(body: bytes, why: str) -> None:
    with pytest.raises(InputInvalid, match=why):
        decoded(answer(body), Values)


def test_another_charset_is_refused_where_it_shows_and_named() -> None:
    with pytest.raises(InputInvalid, match=r"is not in UTF-8 \(byte 10, it says iso-8859-1\)"):
        decoded(answer('{"name": "é"}'.encode("latin-1"), "application/json; charset=ISO-8859-1"), Values)
    assert decoded(answer(b'{"name": "e"}', "application/json; charset=ISO-8859-1"), Values).name == "e"


def test_a_page_that_says_that_it_is_one_is_refused_whatever_it_begins_with() -> None:
    with pytest.raises(InputInvalid, match="is a page for people"):
        decoded(answer(b"Sorry", "text/html; charset=utf-8"), Values)


def test_one_name_in_two_objects_is_no_repetition() -> None:
    body = b'{"name": "a{\\"b\\":1}", "values": [], "more": [{"a": 1}, {"a": {"a": 2}}]}'
    assert decoded(answer(body), Values).name == 'a{"b":1}'
