"""A change as a record of Kafka and back; of what others write nothing is believed."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone.domain.dimension import Dimension
from backbone.domain.text import hidden
from backbone.store.records import OutboxRow
from backbone.stream.kafka.wire import Headers, Marker, Replayed, Unreadable, decoded, encoded, marked
from backbone.stream.records import Record
from tests.backbone.stream.kit import row

LARGEST = 2**63 - 1
CHANGE = row(7, "EURUSD")

symbols = st.text(min_size=1, max_size=200).filter(lambda text: not hidden(text) and text.isprintable())
names = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=128)
numbers = st.integers(0, LARGEST)


def read(change: OutboxRow) -> Record | Marker | Replayed:
    key, value, headers = encoded(change)
    return decoded("backbone.quotes", 3, 11, key, value, headers)


def without(headers: Headers, name: str) -> Headers:
    return [(each, value) for each, value in headers if each != name]


def with_header(name: str, value: bytes) -> Headers:
    return [*without(encoded(CHANGE)[2], name), (name, value)]


def outcome(
    key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes | None]]
) -> Record | Marker | Replayed | Unreadable:
    try:
        return decoded("backbone.quotes", 3, 11, key, value, headers)
    except Unreadable as error:
        return error


@given(
    symbol=symbols,
    event=names,
    ingest=names,
    position=st.integers(1, LARGEST),
    revision=numbers,
    rows=numbers,
    payload=st.binary(),
    checksum=st.none() | st.integers(0, 2**32 - 1),
    dimension=st.sampled_from(Dimension),
)
def test_a_change_comes_back_as_it_was(
    symbol: str,
    event: str,
    ingest: str,
    position: int,
    revision: int,
    rows: int,
    payload: bytes,
    checksum: int | None,
    dimension: Dimension,
) -> None:
    change = OutboxRow(position, event, ingest, dimension, symbol, rows, revision, payload, CHANGE.created_at, checksum)
    assert read(change) == Record(
        position=position,
        partition=3,
        offset=11,
        key=symbol,
        event_id=event,
        ingest_id=ingest,
        dimension=dimension,
        rows=rows,
        revision=revision,
        payload=payload,
        checksum=checksum,
        created_at=CHANGE.created_at,
    )


def test_all_that_travels_beside_the_rows_is_readable_text() -> None:
    key, value, headers = encoded(CHANGE)
    assert (key, value) == (b"EURUSD", CHANGE.payload)
    assert dict(headers) == {
        "event_id": b"event-7",
        "position": b"7",
        "ingest_id": b"chunk",
        "revision": b"7",
        "rows": b"1",
        "dimension": b"intraday_bars",
        "checksum": str(CHANGE.checksum).encode(),
        "created_at": b"1767225600000000",
        "content-type": b"application/vnd.apache.arrow.stream",
    }


@given(names, numbers)
def test_a_marker_comes_back_as_it_was(generation: str, position: int) -> None:
    marker = Marker(generation, position)
    key, value, headers = marked(marker)
    assert decoded("backbone.quotes", 0, 0, key, value, headers) == marker


@given(
    st.none() | st.binary(max_size=2000),
    st.none() | st.binary(max_size=100),
    st.lists(
        st.tuples(
            st.sampled_from([name for name, _ in encoded(CHANGE)[2]]) | st.text(max_size=20),
            st.none() | st.binary(max_size=200) | st.sampled_from([value for _, value in encoded(CHANGE)[2]]),
        ),
        max_size=12,
    ),
)
def test_whatever_others_write_is_read_or_refused_as_unreadable(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    read = outcome(key, value, headers)
    if isinstance(read, Unreadable):
        assert read.reason
        assert str(read).isprintable()
        assert len(read.reason) < 400
    else:
        assert msgspec.json.decode(msgspec.json.encode(read), type=type(read)) == read


@given(st.sampled_from(encoded(CHANGE)[2]), st.binary(max_size=150))
def test_any_bytes_in_one_header_are_read_or_refused(header: tuple[str, bytes], other: bytes) -> None:
    key, value, _ = encoded(CHANGE)
    read = outcome(key, value, with_header(header[0], other))
    assert not isinstance(read, Unreadable) or header[0] in read.reason


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("position", b"0", "positions begin at 1"),
        ("position", b"-1", "allowed is a number from 0"),
        ("position", b"07", "allowed is a number from 0"),
        ("position", b" 7", "allowed is a number from 0"),
        ("position", b"1_0", "allowed is a number from 0"),
        ("position", b"9223372036854775808", "allowed is a number from 0"),
        ("rows", b"1e3", "the header rows is 1e3"),
        ("revision", b"", "the header revision is"),
        ("checksum", b"4294967296", "from 0 to 4294967295"),
        ("dimension", b"Quotes", "allowed are daily_bars"),
        ("dimension", b"\xff", "the header dimension is"),
        ("event_id", b"a b", "printable ASCII"),
        ("event_id", b"a\x00b", "printable ASCII"),
        ("event_id", b"e" * 129, "1 to 128"),
        ("ingest_id", b"", "1 to 128"),
        ("content-type", b"text/plain", "content-type text/plain given"),
    ],
)
def test_what_a_header_may_say_is_told(name: str, value: bytes, said: str) -> None:
    key, payload, _ = encoded(CHANGE)
    with pytest.raises(Unreadable, match=said) as refused:
        decoded("backbone.quotes", 3, 11, key, payload, with_header(name, value))
    assert str(refused.value).startswith("backbone.quotes, partition 3, offset 11: ")


@pytest.mark.parametrize("name", ["event_id", "position", "ingest_id", "revision", "rows", "dimension", "content-type"])
def test_a_header_that_is_missing_or_doubled_is_named(name: str) -> None:
    key, value, headers = encoded(CHANGE)
    with pytest.raises(Unreadable, match=f"no header {name}"):
        decoded("t", 0, 0, key, value, without(headers, name))
    with pytest.raises(Unreadable, match=f"the header {name} given twice"):
        decoded("t", 0, 0, key, value, [*headers, (name, dict(headers)[name])])
    with pytest.raises(Unreadable, match=f"the header {name} given without a value"):
        decoded("t", 0, 0, key, value, [*without(headers, name), (name, None)])


def test_a_checksum_may_be_missing_and_headers_of_others_are_passed_over() -> None:
    key, value, headers = encoded(CHANGE)
    read = decoded("t", 0, 0, key, value, [*without(headers, "checksum"), ("traceparent", b"\xff"), ("x", None)])
    assert isinstance(read, Record)
    assert read.checksum is None


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (None, "no key given"),
        (b"", "no key given"),
        (b"\xff\xfe", "in UTF-8"),
        (b"EUR\x00USD", r"no character U\+0000"),
        ("EUR\u202eUSD".encode(), r"no character U\+202E"),
        (b"E" * 1025, "a key of 1025 bytes"),
    ],
)
def test_a_key_that_is_no_symbol_is_refused(key: bytes | None, said: str) -> None:
    _, value, headers = encoded(CHANGE)
    with pytest.raises(Unreadable, match=said):
        decoded("t", 0, 0, key, value, headers)


def test_a_deletion_is_refused() -> None:
    key, _, headers = encoded(CHANGE)
    with pytest.raises(Unreadable, match="a deletion, which we never send"):
        decoded("t", 0, 0, key, None, headers)
