"""Numbers of texts: to the nearest double as Python reads them, the same by the column and singly."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backbone.sources.text.numbers import MISSING, NumberForm, number, numbers, recognised, whole, wholes
from tests.campaigns import so_many

POINT, COMMA = NumberForm(decimal="."), NumberForm(decimal=",")
VOLUME = NumberForm(decimal=".", shortened=True)


def both(texts: list[str], form: NumberForm, *, integers: bool = False) -> list[object]:
    """The answers for each text, which are the same by the column and singly."""
    column = (wholes if integers else numbers)(pa.array(texts), form)
    answers: list[object] = []
    for row, text in enumerate(texts):
        try:
            one = (whole if integers else number)(text, form)
        except ValueError as error:
            assert column.failed[row], text
            answers.append(str(error))
            continue
        assert not column.failed[row], text
        assert column.values[row].as_py() == one, text
        answers.append(one)
    return answers


@pytest.mark.parametrize(
    ("text", "form", "value"),
    [
        ("1,150.00", POINT, 1150.0),
        ("1,200,300", POINT, 1200300.0),
        ("12,300", POINT, 12300.0),
        ("1\u2009150.5", POINT, 1150.5),
        ("1 150 000", POINT, 1150000.0),
        ("1'150.25", POINT, 1150.25),
        ("1'150'000", POINT, 1150000.0),
        ("12'345", VOLUME, 12345.0),
        ("$170.73", POINT, 170.73),
        ("-$5", POINT, -5.0),
        ("10,50", COMMA, 10.5),
        ("1.150,25", COMMA, 1150.25),
        ("1.200.300", COMMA, 1200300.0),
        ("1.150", COMMA, 1150.0),
        ("980.5K", VOLUME, 980500.0),
        ("1.001k", VOLUME, 1001.0),
        ("1.23M", VOLUME, 1230000.0),
        ("2B", VOLUME, 2e9),
        ("1,23M", NumberForm(decimal=",", shortened=True), 1230000.0),
    ],
)  # fmt: skip
def test_numbers_as_people_write_them(text: str, form: NumberForm, value: float) -> None:
    assert both([text], form) == [value]


@pytest.mark.parametrize("word", sorted(MISSING))
def test_words_for_missing_are_missing_in_any_case(word: str) -> None:
    spellings = [word, word.upper(), word.title(), f" {word} "]
    assert both(spellings, POINT) == both(spellings, POINT, integers=True) == [None] * 4


@pytest.mark.parametrize(
    ("text", "form"),
    [
        *[
            (text, POINT)
            for text in ["1,15.00", "10,50", "1_0", "0x1", "x", "1.2.3", "5%", "1.2K", "0,123", "1,150 000", "(5)"]
        ],
        *[(text, COMMA) for text in ["1.5", "1,5,0", "1.15,0"]],
        ("1.2e3K", VOLUME),
        ("-inf", POINT),
        ("1e999", POINT),
        ("12,300", NumberForm()),
        ("123'165", POINT),
        ("110\u2019160", NumberForm()),
    ],
)
def test_what_is_no_number_is_none(text: str, form: NumberForm) -> None:
    (answer,) = both([text], form)
    assert isinstance(answer, str)


def test_whole_numbers_are_exact_up_to_64_bits() -> None:
    texts = ["9223372036854775807", "-9223372036854775808", "2.0", "+7", "1,200,300"]
    assert both(texts, POINT, integers=True) == [2**63 - 1, -(2**63), 2, 7, 1200300]
    assert all(isinstance(answer, str) for answer in both(["9223372036854775808", "2.5"], POINT, integers=True))


def test_the_decimal_sign_is_told_by_what_the_file_shows_beyond_doubt() -> None:
    assert recognised(["10,50", "1.200.300"], NumberForm()).decimal == ","
    assert recognised(["1,150.00", "12,300"], NumberForm()).decimal == "."
    assert recognised(["10.5", "12,300", ""], NumberForm()).decimal == "."
    assert recognised(["1\u202f150,50", "12\u202f300"], NumberForm()).decimal == ","
    assert recognised(["0,123", "1,234"], NumberForm()).decimal == ","
    assert recognised(["1.093", "12"], NumberForm()).decimal == "."


def test_whole_numbers_leave_the_decimal_sign_open() -> None:
    form = recognised(["980", "999", ""], NumberForm())
    assert form.decimal is None
    (answer,) = both(["1,150"], form)
    assert "--decimal" in str(answer)


@pytest.mark.parametrize("texts", [["12,300"], ["1,093", "1,094"], ["1.093", "12,300"], ["1.5", "1,5"]])
def test_what_leaves_the_decimal_sign_open_has_to_be_told(texts: list[str]) -> None:
    with pytest.raises(ValueError, match="--decimal"):
        recognised(texts, NumberForm())
    assert recognised(texts, COMMA) == COMMA


@pytest.mark.campaign
@settings(max_examples=so_many(300, part=100), deadline=None)
@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=10))
def test_every_double_is_what_python_reads(values: list[float]) -> None:
    assert both([repr(value) for value in values], POINT) == values
    assert both([repr(value).replace(".", ",") for value in values], COMMA) == values


@pytest.mark.campaign
@settings(max_examples=so_many(300, part=100), deadline=None)
@given(digits=st.integers(0, 10**15), places=st.integers(0, 9), form=st.sampled_from([(",", "."), (".", ",")]))
def test_grouped_numbers_are_what_python_reads_without_the_groups(
    digits: int, places: int, form: tuple[str, str]
) -> None:
    gap, mark = form
    plain = f"{digits / 10**places:.{places}f}"
    grouped = f"{float(plain):,.{places}f}".replace(",", "G").replace(".", mark).replace("G", gap)
    assert both([grouped], NumberForm(decimal=mark)) == [float(plain)]  # type: ignore[arg-type]


PIECES = st.sampled_from(
    ["1", "23", "150", ",", ".", "-", "+", "e", "K", "M", " ", "$", "'", "%", "na", "nan", "inf", "\u2009", "\uff10"]
)


@pytest.mark.campaign
@settings(max_examples=so_many(500, part=170), deadline=None)
@given(
    texts=st.lists(st.lists(PIECES, max_size=8).map("".join), min_size=1, max_size=8),
    form=st.sampled_from([POINT, COMMA, VOLUME, NumberForm(), NumberForm(decimal=",", shortened=True)]),
)
def test_any_text_has_the_same_answer_by_the_column_and_singly(texts: list[str], form: NumberForm) -> None:
    for answer in both(texts, form):
        assert isinstance(answer, str) or answer is None or math.isfinite(float(str(answer)))
    both(texts, form, integers=True)
