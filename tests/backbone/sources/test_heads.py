"""What stands before the rows of a file, and which of its columns is which."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from backbone.domain import Frame
from backbone.sources.csv import CsvSource
from backbone.sources.errors import InputInvalid
from backbone.sources.port import Account, BadRow

HEADER = "Date,Open,High,Low,Close,Volume"
ROW = "2024-03-07,10.5,10.8,10.4,10.7,1200300"
LATER = "2024-03-08,10.7,11.0,10.6,10.9,900100"

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(*lines: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / "bars.csv"
        path.write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))
        return path

    return write


def daily(path: Path, **options: object) -> tuple[Frame, list[BadRow], Account]:
    source = CsvSource(path, "daily", **{"symbol": "ACME", **options})  # type: ignore[arg-type]
    chunks = list(source.chunks())
    bad = [row for chunk in chunks for row in chunk.quarantined]
    return Frame.concat([chunk.frame for chunk in chunks]), bad, source.account


@pytest.fixture
def wanted(tmp_path: Path) -> Frame:
    path = tmp_path / "wanted.csv"
    path.write_text(f"{HEADER}\n{ROW}\n{LATER}\n")
    return daily(path)[0]


@pytest.mark.parametrize(
    "before",
    [
        ["sep=,"],
        ['"sep=,"', ""],
        ["# a comment", "", "  "],
        ["Disclaimer: for information only, no warranty, as is"],
        ["https://www.CryptoDataDownload.com"],
        ["ACME Corp., daily", "", "Source:,somebody", "Note: open, high, low and close are adjusted"],
        ["Disclaimer,,,,,"],
        ["Name,ACME,,,,", "Currency,USD,,,,"],
        ["Period,2024-01-01,2024-03-08,,,"],
    ],
)
def test_what_stands_before_the_header_is_passed_over(write: Write, wanted: Frame, before: list[str]) -> None:
    frame, bad, account = daily(write(*before, HEADER, ROW, LATER))
    assert (frame, bad) == (wanted, [])
    told = [line for line in before if line.strip() and not line.startswith(("#", "sep", '"sep'))]
    assert bool(account.notes) == bool(told)
    assert not told or told[0][:20] in account.notes[0]


def test_rows_before_the_header_are_kept_aside(write: Write, wanted: Frame) -> None:
    frame, bad, _ = daily(write("2024-03-06,1,2,0.5,1,9", "a disclaimer", HEADER, ROW, LATER))
    assert frame == wanted
    assert [(row.location, row.reason) for row in bad] == [("bars.csv:1", "stands before the header line")]


@pytest.mark.parametrize("again", [HEADER, HEADER.upper(), HEADER.replace(",", " , "), "\ufeff" + HEADER])
def test_a_header_in_the_middle_is_kept_aside_as_such(write: Write, wanted: Frame, again: str) -> None:
    frame, bad, _ = daily(write(HEADER, ROW, again, LATER))
    assert frame == wanted
    assert [(row.location, row.reason) for row in bad] == [("bars.csv:3", "is the header line again")]


def test_another_header_in_the_middle_is_refused_since_rows_would_be_taken_for_others(write: Write) -> None:
    path = write(HEADER, ROW, "Date,Close,High,Low,Open,Volume", "2024-03-08,10.9,11.0,10.6,10.7,900100")
    with pytest.raises(InputInvalid, match=r"another header in line 3: 'Date,Close.*file of its own"):
        daily(path)


def test_a_separator_line_says_the_delimiter(write: Write, wanted: Frame) -> None:
    semicolons = [line.replace(",", ";") for line in (HEADER, ROW, LATER)]
    assert daily(write("sep=;", *semicolons))[0] == wanted
    tabs = [line.replace(",", "\t") for line in (HEADER, ROW, LATER)]
    assert daily(write("sep=\t", *tabs))[0] == wanted


@pytest.mark.parametrize("sign", ["§", '"', ".", "0", "e", "-"])
def test_a_separator_line_that_names_what_stands_in_fields_is_refused(write: Write, sign: str) -> None:
    with pytest.raises(InputInvalid, match=r"bars.csv says 'sep=.', which can't stand between fields; allowed are"):
        daily(write(f"sep={sign}", *(line.replace(",", sign) for line in (HEADER, ROW))))


def test_of_two_columns_of_one_name_the_one_that_is_meant_is_told_by_its_place(write: Write, wanted: Frame) -> None:
    twice = [f"{line},{more}" for line, more in ((HEADER, "Close"), (ROW, "7"), (LATER, "8"))]
    with pytest.raises(InputInvalid, match=r'two columns for close: .* \(--columns "5=close"\)'):
        daily(write(*twice))
    frame, bad, account = daily(write(*twice), columns={"5": "close"})
    assert (frame, bad) == (wanted, [])
    assert len(account.ignored) == 1


@pytest.mark.parametrize("ends", ["", ",", ",,"])
def test_delimiters_at_the_end_of_header_and_rows_mean_nothing(write: Write, wanted: Frame, ends: str) -> None:
    frame, bad, account = daily(write(*(line + ends for line in (HEADER, ROW, LATER))))
    assert (frame, bad) == (wanted, [])
    assert list(account.ignored.values()) == ["has no name"] * len(ends)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_delimiter_at_the_end_of_all_rows_means_nothing_but_a_field_there_shifts_a_row(
    tmp_path: Path, wanted: Frame, end: str
) -> None:
    path = tmp_path / "bars.csv"
    shifted = "2024-03-11,1,150.00,160.50,140.00,154.00,12"
    path.write_bytes(end.join([HEADER, ROW + ",", LATER + ",", *["2024-03-12,1,2,1,2,3,"] * 999, shifted, ""]).encode())
    frame, bad, _ = daily(path)
    assert frame.to_arrow().slice(0, 2) == wanted.to_arrow()
    assert [(row.location, row.reason) for row in bad] == [
        ("bars.csv:1003", "wrong number of fields: 7, the header has 6")
    ]


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("Datum,Eröffnung,Hoch,Tief,Schluss,Umsatz",
         {"Datum": "ts", "Eröffnung": "open", "Hoch": "high", "Tief": "low", "Schluss": "close", "Umsatz": "volume"}),
        ("Datum,Eröffnung,Hoch,Tief,Schluss,Umsatz",
         {"1": "ts", "2": "open", "3": "high", "4": "low", "5": "close", "6": "volume"}),
        ("日付,始値,高値,安値,終値,出来高",
         {"日付": "ts", "始値": "open", "高値": "high", "安値": "low", "終値": "close", "出来高": "volume"}),
        (",Open,High,Low,Close,Volume", {"1": "ts"}),
        ("Day,Open,High,Low,Last,Volume", {"day": "ts"}),
        ("Date,Open,High,Low,Close,Volume", {"1": "ts", "Open": "open"}),
        (None, {"1": "ts", "2": "open", "3": "high", "4": "low", "5": "close", "6": "volume"}),
    ],
)  # fmt: skip
def test_columns_are_told_by_header_or_by_position(
    write: Write, wanted: Frame, header: str | None, columns: Mapping[str, str]
) -> None:
    frame, bad, account = daily(write(*([header] if header else []), ROW, LATER), columns=columns)
    assert (frame, bad) == (wanted, [])
    assert set(account.columns.values()) == {"ts", "open", "high", "low", "close", "volume"}


def test_two_columns_are_joined_into_one(write: Write) -> None:
    rows = ["2024-03-07;09:30;1;3;0.5;2", "2024-03-07;10:30;2;3;0.5;1"]
    told = {"Day+At": "ts"}
    by_name = CsvSource(write("Day;At;Open;High;Low;Close", *rows), "intraday", interval="1h", symbol="A", zone="UTC",
                        columns=told)  # fmt: skip
    by_place = CsvSource(write(*rows), "intraday", interval="1h", symbol="A", zone="UTC",
                         columns={"1+2": "ts", "3": "open", "4": "high", "5": "low", "6": "close"})  # fmt: skip
    found = Frame.concat([chunk.frame for chunk in by_place.chunks()])
    assert found.column("ts").astype(str).tolist() == ["2024-03-07T09:30:00.000000", "2024-03-07T10:30:00.000000"]
    write("Day;At;Open;High;Low;Close", *rows)
    assert Frame.concat([chunk.frame for chunk in by_name.chunks()]) == found
    assert by_name.account.columns["Day+At"] == "ts"


def test_a_date_and_a_time_column_are_joined_by_what_stands_in_them(write: Write) -> None:
    path = write("Date,Time,Open,High,Low,Close", "2024-03-07,09:30,1,3,0.5,2")
    source = CsvSource(path, "intraday", interval="1h", symbol="A", zone="UTC")
    assert [str(row["ts"]) for chunk in source.chunks() for row in chunk.frame.to_arrow().to_pylist()] == [
        "2024-03-07 09:30:00+00:00"
    ]
    path = write("date,time,open,high,low,close", "2024-03-07 09:30,1709802000,1,3,0.5,2")
    source = CsvSource(path, "intraday", interval="1h", symbol="A")
    with pytest.raises(InputInvalid, match=r"two columns for ts: 'date' and 'time'; say which is meant \(--columns"):
        list(source.chunks())


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"Nope": "close"}, r"no column 'Nope', which columns= names; it has 'Date', 'Open'"),
        ({"9": "close"}, r"no column '9'.*a position, counted from 1"),
        ({"Open+Nope": "ts"}, r"no column 'Open\+Nope'"),
        ({"Open": "close", "Close": "close"}, "columns= names two for close"),
        ({"Open": "price"}, "columns= names 'price'; daily_bars has symbol, ts"),
    ],
)
def test_columns_that_cant_be_meant_are_refused(write: Write, columns: Mapping[str, str], message: str) -> None:
    with pytest.raises(InputInvalid, match=message):
        daily(write(HEADER, ROW), columns=columns)


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_times_below_no_name_are_pointed_at(write: Write, name: str) -> None:
    with pytest.raises(InputInvalid, match=r"lacks ts.*--columns 1=ts"):
        daily(write(f"{name},Open,High,Low,Close,Volume", ROW))


@pytest.mark.parametrize("name", ["Last", "Close/Last", "c"])
def test_the_last_price_is_the_close_where_there_is_no_other(write: Write, wanted: Frame, name: str) -> None:
    frame, _, account = daily(write(HEADER.replace("Close", name), ROW, LATER))
    assert (frame, account.columns[name]) == (wanted, "close")
    _, _, account = daily(write(f"{HEADER},Last", f"{ROW},9.9"))
    assert (account.columns["Close"], account.ignored) == ("close", {"Last": "close is read from Close"})


def test_an_id_is_the_sequence_unless_it_is_made_of_letters(write: Write) -> None:
    header = "timestamp,price,size,id,trade_id"
    source = CsvSource(write(header, "2024-03-08T15:00:00Z,1,2,77,5"), "trades", symbol="A")
    assert [row["sequence"] for chunk in source.chunks() for row in chunk.frame.to_arrow().to_pylist()] == [5]
    assert source.account.ignored == {"id": "sequence is read from trade_id"}
    source = CsvSource(write("timestamp,price,size,id", "2024-03-08T15:00:00Z,1,2,a-7f"), "trades", symbol="A")
    assert [row["sequence"] for chunk in source.chunks() for row in chunk.frame.to_arrow().to_pylist()] == [None]
    assert source.account.ignored == {"id": "is no whole number, which a sequence is"}


def test_a_header_that_is_not_utf_8_is_asked_for_its_encoding_and_what_else_is_open(write: Write) -> None:
    lines = ("Datum;Eröffnung;Hoch;Tief;Schluss", "07.03.2024;10,50;10,80;10,40;10,70")
    with pytest.raises(
        InputInvalid, match=r"not UTF-8.*--encoding cp1252.*header.*--columns.*--time-format.*--decimal"
    ):
        daily(write(*lines, encoding="cp1252"))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_texts_of_other_encodings_are_told_by_their_mark_or_beyond_doubt(
    write: Write, wanted: Frame, encoding: str
) -> None:
    frame, bad, _ = daily(write(HEADER, ROW, LATER, encoding=encoding))
    assert (frame, bad) == (wanted, [])


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-16-le", "cp037", "shift_jis", "utf-8"])
def test_an_encoding_that_is_told_is_read(write: Write, encoding: str) -> None:
    text = "ü" if encoding in ("cp1252", "latin-1", "cp037") else "ア" if encoding == "shift_jis" else "€"
    source = CsvSource(
        write("ts,symbol,price,conditions", f"2024-03-08T15:00:00Z,A,1,{text}", encoding=encoding), "trades",
        encoding=encoding,
    )  # fmt: skip
    assert [row["conditions"] for chunk in source.chunks() for row in chunk.frame.to_arrow().to_pylist()] == [text]


def test_what_is_no_character_of_the_encoding_costs_its_row(write: Write, tmp_path: Path) -> None:
    path = write(HEADER, ROW, LATER)
    path.write_bytes(path.read_bytes() + b"2024-03-11,1,2,1,2,\x81\n")
    assert [(row.location, row.reason[:9]) for row in daily(path, encoding="cp1252")[1]] == [
        ("bars.csv:4", "not UTF-8")
    ]
    broken = codecs.BOM_UTF16_LE + f"{HEADER}\n{ROW}\n{LATER}\n".encode("utf-16-le") + b"2"
    path.write_bytes(broken)
    assert [row.location for row in daily(path)[1]] == ["bars.csv:4"]


def test_an_encoding_against_the_mark_of_the_file_is_refused(write: Write) -> None:
    with pytest.raises(InputInvalid, match="begins with the mark of UTF-16; leave out --encoding cp1252"):
        daily(write(HEADER, ROW, encoding="utf-16"), encoding="cp1252")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"encoding": "klingon"}, "encoding='klingon' given, which is none of texts"),
        ({"encoding": "idna"}, "none of texts"),
        ({"encoding": "rot13"}, "none of texts"),
        ({"decimal": ";"}, r"decimal=';' given; allowed is '.' or ','"),
        ({"time_unit": "m"}, "time_unit='m' given; allowed is 's', 'ms', 'us', 'ns'"),
        ({"stamps": "end", "dimension": "trades"}, "stamps='end' given; trades has no bars"),
        ({"stamps": "middle"}, "stamps='middle' given; allowed is 'start' or 'end'"),
        ({"time_format": "%Q"}, "time_format='%Q' given, which can't be read"),
        ({"time_format": "dd.mm.yyyy"}, "names no part of a time"),
    ],
)
def test_options_that_are_not_allowed_are_refused_at_once(option: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CsvSource("bars.csv", **{"dimension": "daily", **option})  # type: ignore[arg-type]


def test_the_end_of_a_bar_becomes_its_start(write: Write) -> None:
    rows = ["2024-03-08T00:00:00Z,5m,1,2,1,2", "2024-03-08T02:00:00Z,1h,1,2,1,2"]
    source = CsvSource(write("ts,interval,open,high,low,close", *rows), "intraday", symbol="A", stamps="end")
    found = {row["interval"]: str(row["ts"]) for chunk in source.chunks() for row in chunk.frame.to_arrow().to_pylist()}
    assert found == {"5m": "2024-03-07 23:55:00+00:00", "1h": "2024-03-08 01:00:00+00:00"}


def test_the_end_of_a_daily_bar_is_the_midnight_after_its_session(write: Write) -> None:
    rows = ["2024-03-09T00:00:00-05:00,1,2,1,2", "2024-03-01,1,2,1,2"]
    frame, bad, _ = daily(write("ts,open,high,low,close", *rows), stamps="end")
    assert bad == []
    assert sorted(frame.column("ts").astype("datetime64[D]").astype(str)) == ["2024-02-29", "2024-03-08"]


def test_months_have_no_length_to_go_back_by(write: Write) -> None:
    path = write("ts,open,high,low,close", "2024-03-01T00:00Z,1,2,1,2")
    source = CsvSource(path, "intraday", symbol="A", interval="1mo", stamps="end")
    with pytest.raises(InputInvalid, match="1mo has no fixed length"):
        list(source.chunks())


def test_a_mark_that_lacks_does_no_harm_where_the_order_of_bytes_leaves_no_doubt(write: Write, wanted: Frame) -> None:
    frame, bad, _ = daily(write(HEADER, ROW, LATER, encoding="utf-16-be"), encoding="utf-16")
    assert (frame, bad) == (wanted, [])
    for told in ("utf-16", "utf-32"):
        with pytest.raises(InputInvalid, match=rf"bars.csv has no mark of {told.upper()}.*--encoding {told}-le"):
            daily(write(HEADER, ROW, LATER), encoding=told)


def test_line_ends_that_windows_wrote_twice_are_line_ends(write: Write, wanted: Frame) -> None:
    path = write(HEADER, ROW, LATER)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\r\n"))
    assert daily(path)[:2] == (wanted, [])


def test_a_line_longer_than_what_is_read_at_once_is_kept_aside_and_costs_no_other(write: Write, wanted: Frame) -> None:
    frame, bad, _ = daily(write(HEADER, ROW, "x" * 5 * 2**20, LATER))
    assert frame == wanted
    assert [(row.location, row.reason) for row in bad] == [("bars.csv:3", "the line is too long: over 65536 bytes")]
