"""The options of `format("backbone")`: which rows, of which moment, and never an address."""

from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from backbone import Dimension, SettingsError
from backbone.export.spark.source.connecting import address_of, database_of, is_lost
from backbone.export.spark.source.moment import moment
from backbone.export.spark.source.where import Where, store_of, where_of
from backbone.store.errors import Unsupported

GIVEN = {"dimension": "trades", "moment": "00000003-1"}


def test_symbols_and_bounds_are_pushed_down() -> None:
    where = where_of({**GIVEN, "symbols": "AIG, IBM", "start": "2024-01-02", "end": "2024-01-03T12:00Z"})
    assert where.parts.symbols == ("AIG", "IBM")
    assert where.parts.dimension is Dimension.TRADES
    assert (where.parts.period, where.parts.by_symbol) == ("day", True)
    assert where.parts.start is not None
    assert where.parts.end is not None
    assert where.parts.start < where.parts.end


def test_an_interval_is_part_of_each_partition() -> None:
    where = where_of({**GIVEN, "dimension": "intraday", "interval": "1h"})
    assert where.parts.period == "month"
    assert where.query(where.parts.part("AIG", None)).interval == "1h"


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"dimension": "trades"}, "option moment is missing"),
        ({"moment": "3-1"}, "option dimension is missing"),
        ({**GIVEN, "dimension": "candles"}, "candles"),
        ({**GIVEN, "symbol": "AIG"}, "option symbol given; allowed: dimension, symbols"),
        ({**GIVEN, "period": "week"}, "period='week' given; allowed: day, month, year, all"),
        ({**GIVEN, "start": "2024-01-03", "end": "2024-01-02"}, "start"),
        ({**GIVEN, "interval": "1h"}, "interval"),
        ({**GIVEN, "symbols": " , "}, "given, which names none; leave it out for all"),
        ({**GIVEN, "url": "postgresql://u:canary@h/d"}, "would stand in the plan: write it into a file"),
        ({**GIVEN, "PASSWORD": "canary"}, "would stand in the plan"),
    ],
)
def test_a_wrong_option_is_refused_before_anybody_is_asked(options: dict[str, str], wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong) as caught:
        where_of(options)
    assert "canary" not in str(caught.value)


def test_what_travels_to_executors_is_where_the_address_stands(tmp_path: Path) -> None:
    import pickle

    file = tmp_path / ".env"
    file.write_text("BACKBONE_STORE_URL=postgresql://u:canary-77@127.0.0.1:1/d\n")
    where = where_of({**GIVEN, "env_file": str(file)})
    assert isinstance(where, Where)
    assert b"canary" not in pickle.dumps(where)
    store = store_of(where.profile, where.env_file)
    assert "canary" not in repr(store)
    address = store.dsn()
    assert address is not None
    assert "canary-77" in address.reveal()


def test_an_embedded_store_says_what_to_do_instead() -> None:
    with pytest.raises(Unsupported, match=r"backbone export writes files that spark\.read\.parquet reads"):
        store_of("embedded", None)


def test_a_machine_without_an_address_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / ".env"
    file.write_text("BACKBONE_STORE_SCHEMA_NAME=market_data\n")
    with pytest.raises(Unsupported, match=r"\.env has no BACKBONE_STORE_URL"):
        store_of("timescale", str(file))


def test_another_machine_is_not_asked_without_verified_tls(tmp_path: Path) -> None:
    pytest.importorskip("asyncpg")
    file = tmp_path / ".env"
    file.write_text("BACKBONE_STORE_URL=postgresql://u:canary-77@db.example:5432/d\n")
    with pytest.raises(SettingsError, match="TLS") as caught:
        database_of(store_of("timescale", str(file)))
    assert "canary" not in str(caught.value)


def test_a_client_that_waits_for_ever_is_told_how_long(tmp_path: Path) -> None:
    pytest.importorskip("asyncpg")
    file = tmp_path / ".env"
    file.write_text("BACKBONE_STORE_URL=postgresql://u:canary-77@127.0.0.1:1/d?connect_timeout=9\n")
    address = address_of(store_of("timescale", str(file)))
    assert "canary" not in repr(address)
    told = dict(parse_qsl(urlsplit(address.reveal()).query))
    assert (told["connect_timeout"], told["keepalives_idle"], told["keepalives_count"]) == ("9", "10", "3")
    file.write_text("BACKBONE_STORE_URL=postgresql://u:canary-77@127.0.0.1:1/d\nBACKBONE_STORE_CONNECT_TIMEOUT=3.5\n")
    told = dict(parse_qsl(urlsplit(address_of(store_of("timescale", str(file))).reveal()).query))
    assert told["connect_timeout"] == "4"
    assert told["application_name"].endswith(" spark")


@pytest.mark.parametrize("seconds", [0, 0.5, 2_147_484])
def test_a_moment_is_held_for_as_long_as_the_server_counts(seconds: float) -> None:
    with pytest.raises(ValueError, match="allowed: 1 to 2147483"), moment(seconds=seconds):
        pass


@pytest.mark.parametrize(("state", "gone"), [("42704", True), ("22023", True), ("57014", False), (None, False)])
def test_a_moment_that_nobody_holds_is_told_by_the_state_of_the_error(state: str | None, gone: bool) -> None:
    error = RuntimeError("x")
    if state is not None:
        error.sqlstate = state  # type: ignore[attr-defined]
    assert is_lost(error) is gone
