"""When the next run is due: an interval later, jittered, and not while every market is shut."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backbone.ingest.timing import Timing
from backbone.quality.sessions import NO_CALENDAR, calendar
from backbone.settings import SettingsError, load_settings
from backbone.settings.sections.schedule import ScheduleSettings

FRIDAY = datetime(2026, 3, 6, tzinfo=UTC)
EQUITIES, FOREX, ALWAYS = calendar("us_equities"), calendar("fx"), calendar("24x7")


def timing(**given: object) -> Timing:
    return Timing(ScheduleSettings(enabled=True, **{"jitter": 0.0, "seed": 7, **given}))  # type: ignore[arg-type]


def test_ten_thousand_delays_stay_within_the_jitter_and_are_spread_over_it() -> None:
    chosen = timing(interval=3600.0, jitter=120.0)
    delays = [chosen.delay() for _ in range(10_000)]
    assert 3480 <= min(delays) < 3490
    assert 3710 < max(delays) <= 3720
    assert sum(delays) / len(delays) == pytest.approx(3600, abs=3)


def test_a_jitter_greater_than_the_interval_never_makes_it_run_without_a_pause() -> None:
    chosen = timing(interval=60.0, jitter=3600.0)
    assert min(chosen.delay() for _ in range(10_000)) == 1.0


def test_the_same_seed_gives_the_same_times_and_another_one_others() -> None:
    first, again, other = (timing(jitter=120.0, seed=seed) for seed in (1, 1, 2))
    drawn = [[each.delay() for _ in range(5)] for each in (first, again, other)]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(
    ("now", "calendars", "due"),
    [
        pytest.param("06T15:00", [EQUITIES], "06T16:00", id="in a session"),
        pytest.param("06T20:30", [EQUITIES], "06T21:30", id="to the end of it and beyond"),
        pytest.param("06T21:45", [EQUITIES], "06T22:45", id="once more after the close, for what comes late"),
        pytest.param("06T22:45", [EQUITIES], "09T14:30", id="then over the weekend, and over a change of clocks"),
        pytest.param("06T22:45", [EQUITIES, FOREX], "06T23:45", id="unless another market shut a moment ago"),
        pytest.param("06T23:45", [EQUITIES, FOREX], "08T22:00", id="the first that opens counts"),
        pytest.param("07T12:00", [EQUITIES, ALWAYS], "07T13:00", id="one that never shuts"),
        pytest.param("07T12:00", [NO_CALENDAR], "07T13:00", id="of which nothing is known"),
        pytest.param("07T12:00", [], "07T13:00", id="what comes at any time"),
    ],
)
def test_when_the_next_run_is_due(now: str, calendars: list[object], due: str) -> None:
    at = datetime.fromisoformat(f"2026-03-{now}+00:00")
    found = timing(interval=3600.0).next(at, calendars)  # type: ignore[arg-type]
    assert found.at == datetime.fromisoformat(f"2026-03-{due}+00:00")
    assert bool(found.why) is (found.at - at > timedelta(hours=1))


def test_sessions_are_not_looked_at_where_the_settings_say_so() -> None:
    saturday = FRIDAY + timedelta(days=1)
    assert timing(sessions=False).next(saturday, [EQUITIES]).at == saturday + timedelta(hours=1)


def test_the_reason_for_a_longer_pause_is_said() -> None:
    assert timing().next(FRIDAY + timedelta(days=1), [EQUITIES]).why == "no market is open before 2026-03-09 13:30 UTC"


@pytest.mark.parametrize("name", ["interval", "jitter", "max_failures"])
@pytest.mark.parametrize("value", ["-1", "never"])
def test_a_wrong_value_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=rf"schedule\.{name}"):
        load_settings(profile="embedded", overrides={f"schedule.{name}": value})


def test_an_interval_of_nothing_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"schedule\.interval .* >= 60"):
        load_settings(profile="embedded", env={"TIMESCALE_INGEST_INTERVAL_SECONDS": "0"})
