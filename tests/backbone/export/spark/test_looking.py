"""What an executor sees in a file: rows, keys, order and sums, by the definition that an export has."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backbone.export.manifest import Entry
from backbone.export.shelf import verify
from backbone.export.spark.jobs.looking import Order, judged, looked_at
from backbone.store.snapshots import PART_ROWS
from tests.backbone.export.kit import Bench, bench, trades


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path) as made:
        await made.put(trades(range(500)))
        await made.export()
        yield made


def _entry(desk: Bench) -> Entry:
    (entry,) = desk.manifest.files
    return entry


def _judged(desk: Bench, entry: Entry) -> tuple[int, list[str]]:
    return judged(str(desk.current), "parquet", msgspec.json.encode(entry))


async def test_a_file_that_is_as_its_manifest_says_has_no_problem(desk: Bench) -> None:
    assert _judged(desk, _entry(desk)) == (500, [])


async def test_a_file_that_is_not_there_is_told(desk: Bench) -> None:
    entry = _entry(desk)
    (desk.current / entry.path).unlink()
    assert "is missing, or not to be seen on this executor" in _judged(desk, entry)[1][0]


async def test_other_values_rows_and_bytes_are_told(desk: Bench) -> None:
    entry = _entry(desk)
    path = desk.current / entry.path
    table = pq.read_table(path, partitioning=None)
    path.unlink()
    price = table.schema.get_field_index("price")
    other = table.set_column(price, table.schema.field(price), pa.array([1.0] * 500)).slice(0, 499)
    pq.write_table(other, path)
    rows, problems = _judged(desk, entry)
    assert rows == 499
    told = " ".join(problems)
    assert "its SHA-256 is another" in told
    assert "it has 499 rows of 500" in told
    assert "other values in" in told


async def test_a_file_that_asks_for_what_is_not_built_is_told(desk: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one byte of the footer does: an integer of more than 64 bits."""

    def refused(*_: object, **__: object) -> None:
        raise pa.ArrowNotImplementedError("Integers with more than 64 bits not implemented")

    monkeypatch.setattr(pq, "ParquetFile", refused)
    told = "it can't be read: Integers with more than 64 bits not implemented"
    assert told in _judged(desk, _entry(desk))[1][0]
    report = verify(desk.root)
    assert report.status == "failed"
    assert "can't be read: Integers with more" in report.problems[0]


async def test_rows_out_of_order_are_told(desk: Bench) -> None:
    entry = _entry(desk)
    path = desk.current / entry.path
    table = pq.read_table(path, partitioning=None)
    path.unlink()
    pq.write_table(table.take(list(reversed(range(500)))), path)
    assert any("not in ascending order of their key" in each for each in _judged(desk, entry)[1])


def test_order_is_kept_from_page_to_page_and_equal_keys_are_none() -> None:
    rising, falling, equal = Order(["n"]), Order(["n"]), Order(["n"])
    for order, second in ((rising, [3, 4]), (falling, [1, 5]), (equal, [2, 3])):
        order.add(pa.table({"n": [1, 2]}))
        order.add(pa.table({"n": second}))
    assert (rising.ascends, falling.ascends, equal.ascends) == (True, False, False)


def test_keys_without_a_value_are_counted() -> None:
    order = Order(["n"])
    order.add(pa.table({"n": pa.array([1, None], pa.int64())}))
    assert list(order.problems()) == ["1 rows without n, which is part of their key"]


def test_sums_do_not_depend_on_row_groups(tmp_path: Path) -> None:
    count = PART_ROWS + 10
    table = pa.table({"n": pa.array(range(count), pa.int64())})
    pq.write_table(table, tmp_path / "one.parquet", row_group_size=count)
    pq.write_table(table, tmp_path / "many.parquet", row_group_size=999)
    one, many = (looked_at(str(tmp_path), name, ["n"]) for name in ("one.parquet", "many.parquet"))
    assert one.rows == many.rows == count
    assert one.ascends
    assert one.sums == many.sums
    pages = (range(PART_ROWS), range(PART_ROWS, count))
    hashes = [hashlib.sha256(b"".join(n.to_bytes(8, "big") for n in page)).digest() for page in pages]
    assert one.sums == {"n": hashlib.sha256(b"".join(hashes)).hexdigest()}
    assert one.sha256 == hashlib.sha256((tmp_path / "one.parquet").read_bytes()).hexdigest()
