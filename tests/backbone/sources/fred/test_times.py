"""At what moment a release comes out: a time of day of New York, summer and winter."""

from __future__ import annotations

import pytest

from backbone.sources.fred.times import ReleaseTimes


@pytest.mark.parametrize(
    ("date", "release", "moment"),
    [
        ("2024-01-11", 10, "2024-01-11T13:30:00+00:00"),  # CPI, in winter
        ("2024-07-11", 10, "2024-07-11T12:30:00+00:00"),  # and in summer
        ("2024-03-08", 50, "2024-03-08T13:30:00+00:00"),  # the Friday before the clocks change
        ("2024-03-11", 50, "2024-03-11T12:30:00+00:00"),  # the Monday after
        ("2024-11-01", 50, "2024-11-01T12:30:00+00:00"),
        ("2024-11-04", 50, "2024-11-04T13:30:00+00:00"),
        ("2024-03-20", 101, "2024-03-20T18:00:00+00:00"),  # FOMC
        ("2024-03-15", 13, "2024-03-15T13:15:00+00:00"),
        ("2024-03-15", 999_999, "2024-03-15T12:30:00+00:00"),
        ("1974-01-07", None, "1974-01-07T12:30:00+00:00"),  # that winter the clocks were of summer
    ],
)
def test_releases_come_out_by_the_clocks_of_new_york(date: str, release: int | None, moment: str) -> None:
    assert ReleaseTimes({}).moment(date, release).isoformat() == moment


def test_settings_say_it_otherwise() -> None:
    times = ReleaseTimes({"10": "09:00", "*": "17:00"})
    assert times.moment("2024-01-11", 10).isoformat() == "2024-01-11T14:00:00+00:00"
    assert times.moment("2024-01-11", 11).isoformat() == "2024-01-11T22:00:00+00:00"
    assert times.moment("2024-01-11", 101).isoformat() == "2024-01-11T19:00:00+00:00"


@pytest.mark.parametrize("wrong", [{"10": "8:30"}, {"10": "24:00"}, {"CPI": "08:30"}, {"10": ""}])
def test_what_is_no_time_of_day_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"providers\.fred\.release_times has .*; allowed is such as 10=08:30"):
        ReleaseTimes(wrong)


def test_a_time_that_the_clocks_skip_is_refused() -> None:
    with pytest.raises(ValueError, match="does not exist"):
        ReleaseTimes({"*": "02:30"}).moment("2024-03-10")
