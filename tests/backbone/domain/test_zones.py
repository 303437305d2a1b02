"""Wall clocks for columns agree with ``zoneinfo`` row by row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone.domain.zones import from_wall_time, load_zone, second_pass, to_wall_time

ZONES = ["America/New_York", "Europe/London", "Asia/Tokyo", "Australia/Lord_Howe", "America/St_Johns", "UTC"]


def column(moments: list[datetime]) -> np.ndarray:
    return np.array([moment.replace(tzinfo=None) for moment in moments], dtype="datetime64[us]")


@given(
    name=st.sampled_from(ZONES),
    moments=st.lists(st.datetimes(datetime(1950, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)), max_size=20),  # noqa: DTZ001
)
def test_to_wall_time_agrees_with_zoneinfo(name: str, moments: list[datetime]) -> None:
    zone = load_zone(name)
    expected = [moment.astimezone(zone) for moment in moments]
    np.testing.assert_array_equal(to_wall_time(column(moments), zone), column(expected))


@given(name=st.sampled_from(ZONES), wall=st.datetimes(datetime(1950, 1, 1), datetime(2090, 1, 1)))  # noqa: DTZ001
def test_from_wall_time_agrees_with_zoneinfo(name: str, wall: datetime) -> None:
    zone = load_zone(name)
    utc, ambiguous, nonexistent = from_wall_time(column([wall]), zone)
    first = wall.replace(tzinfo=zone).astimezone(UTC)
    exists = first.astimezone(zone).replace(tzinfo=None) == wall
    twice = exists and wall.replace(tzinfo=zone).utcoffset() != wall.replace(tzinfo=zone, fold=1).utcoffset()
    assert bool(nonexistent[0]) is not exists
    assert bool(ambiguous[0]) is twice
    if exists:
        np.testing.assert_array_equal(utc, column([first]))


def test_the_hours_of_a_change_of_clocks_are_told_apart() -> None:
    zone = load_zone("America/New_York")
    wall = np.array(["2018-03-11T01:59", "2018-03-11T02:30", "2018-03-11T03:00"], dtype="datetime64[us]")
    utc, ambiguous, nonexistent = from_wall_time(wall, zone)
    assert nonexistent.tolist() == [False, True, False]
    assert not ambiguous.any()
    assert utc[2] - utc[0] == timedelta(minutes=1)
    _, ambiguous, _ = from_wall_time(np.array(["2018-11-04T01:30"], dtype="datetime64[us]"), zone)
    assert ambiguous.tolist() == [True]


def test_the_second_pass_of_a_repeated_hour_is_what_zoneinfo_says() -> None:
    for name, wall in (("Europe/London", "2024-10-27T01:30"), ("America/New_York", "2024-11-03T01:59:59.5"),
                       ("Australia/Lord_Howe", "2024-04-07T01:45")):  # fmt: skip
        first, ambiguous, _ = from_wall_time(np.array([wall], dtype="datetime64[us]"), load_zone(name))
        expected = datetime.fromisoformat(wall).replace(tzinfo=load_zone(name), fold=1).astimezone(UTC)
        assert ambiguous.all()
        assert second_pass(first, load_zone(name))[0] == np.datetime64(expected.replace(tzinfo=None), "us")


def test_the_ends_of_the_calendar_do_not_overflow() -> None:
    edges = np.array(["0001-01-01", "9999-12-31T23:59:59"], dtype="datetime64[us]")
    assert len(to_wall_time(edges, load_zone("Asia/Tokyo"))) == 2


def test_an_unknown_zone_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="Mars/Base"):
        load_zone("Mars/Base")
