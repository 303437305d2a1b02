"""Calendars of exchanges, out of the package exchange_calendars: computed once, in a process of their own, and kept.

The package brings pandas with it and takes over a second to load, so it is never imported here. Its sessions are kept
in a file whose name has the exchange and the version of the package; a newer version makes another, and half a year
does, for the package knows one ahead. What can't be read is made anew; where nothing can be written, that is done
without.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Lock
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from backbone.domain.values import numpy_of
from backbone.domain.zones import Stamps, load_zone, to_wall_time
from backbone.files import replace
from backbone.quality.sessions import Calendar
from backbone.quality.tables import Table
from backbone.settings.exchanges import PACKAGE

__all__ = ["SCHEMA", "CalendarUnavailable", "calendar_of_table", "exchange", "is_loaded", "why_missing"]

SCHEMA = pa.schema(
    [
        ("day", pa.date32()),
        *((name, pa.timestamp("us", "UTC")) for name in ("open", "close", "pause_start", "pause_end")),
    ]
)
"""Columns of the table of an exchange; its metadata has the ``zone``, and the date on which it was ``made``."""

_WORKER = """
import sys
sys.path.insert(0, sys.argv[1])  # of this very package, not of a folder that somebody happens to be in
from backbone.quality.exchange_worker import main
main(sys.argv[2])
"""
_TIMEOUT = 60.0
_STEP = 0.1  # seconds between two looks at whether somebody still waits
_LARGEST = 64 * 1024 * 1024
_FRESH = timedelta(days=180)
_RECENT = 250
_US = "datetime64[us]"
_AGAIN = 300.0  # seconds until what failed is tried again
_loaded: dict[tuple[str, str], Calendar] = {}
_failed: dict[tuple[str, str], tuple[float, str]] = {}
_loading: dict[tuple[str, str], Lock] = {}


class CalendarUnavailable(ValueError):
    """The calendar of an exchange can't be had; name another one, or mend what the message says."""


class _Stopped(CalendarUnavailable):
    """Nobody waits for it any more; that says nothing of whether it can be had."""


def _never() -> bool:
    return False


def is_loaded(name: str, folder: str) -> bool:
    """Whether a calendar is at hand."""
    return (name, folder) in _loaded


def why_missing(name: str, folder: str) -> str:
    """Why a calendar is not at hand."""
    return _failed.get((name, folder), (0.0, f"the calendar {name} is not loaded"))[1]


def exchange(name: str, folder: str, stopped: Callable[[], bool] = _never) -> Calendar:
    """The calendar of an exchange, from memory, from the folder, or computed, which takes seconds.

    One that is at hand never waits for another that is being computed.

    Args:
        name: its market identifier code, such as ``XLON``.
        folder: where it is kept.
        stopped: whether nobody waits for it any more; asked now and then while it is computed.

    Raises:
        CalendarUnavailable: the package is not installed, or fails.
    """
    key = (name, folder)
    if key in _loaded:
        return _loaded[key]
    with _held(key, stopped):
        if key not in _loaded:
            since, text = _failed.get(key, (float("-inf"), ""))
            if time.monotonic() - since < _AGAIN:
                raise CalendarUnavailable(text)
            try:
                _loaded[key] = _load(name, Path(folder), stopped)
            except _Stopped:
                raise
            except CalendarUnavailable as error:
                _failed[key] = (time.monotonic(), str(error))
                raise
        return _loaded[key]


@contextlib.contextmanager
def _held(key: tuple[str, str], stopped: Callable[[], bool]) -> Iterator[None]:
    """While nobody else computes the same.

    Raises:
        CalendarUnavailable: nobody waits for it any more.
    """
    lock = _loading.setdefault(key, Lock())
    while not lock.acquire(timeout=_STEP):
        if stopped():
            raise _Stopped(f"the calendar {key[0]} is being computed; ask again")
    try:
        yield
    finally:
        lock.release()


def _load(name: str, folder: Path, stopped: Callable[[], bool]) -> Calendar:
    from importlib.metadata import PackageNotFoundError, version

    try:
        file = folder / f"{name}-{version(PACKAGE)}.arrow"
    except PackageNotFoundError as error:
        text = f"the calendar {name} needs {PACKAGE}: pip install '{PACKAGE}>=4.13', or name another calendar"
        raise CalendarUnavailable(text) from error
    with contextlib.suppress(OSError, ValueError, pa.ArrowException):
        if file.stat().st_size <= _LARGEST:
            kept = _read(file.read_bytes())
            if abs(datetime.now(UTC).date() - date.fromisoformat(kept.schema.metadata[b"made"].decode())) < _FRESH:
                return calendar_of_table(name, kept)
    data = _compute(name, stopped)
    try:
        found = calendar_of_table(name, _read(data))
    except (ValueError, pa.ArrowException) as error:
        raise CalendarUnavailable(f"the calendar {name}: {PACKAGE} gave no table of sessions ({error})") from error
    with contextlib.suppress(OSError):  # it is computed again by the next process
        replace(file, data)
    return found


def _compute(name: str, stopped: Callable[[], bool]) -> bytes:
    import subprocess

    command = [sys.executable, "-P", "-c", _WORKER, str(Path(__file__).parents[2]), name]
    until = time.monotonic() + _TIMEOUT
    try:
        process = subprocess.Popen(  # noqa: S603  our own module
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    except OSError as error:
        raise CalendarUnavailable(f"the calendar {name} could not be computed: {error}") from error
    with process:
        output = None
        while output is None:
            try:
                output, errors = process.communicate(timeout=_STEP)
            except subprocess.TimeoutExpired as error:
                if stopped():
                    process.kill()
                    raise _Stopped(f"the calendar {name} is not computed yet; ask again") from error
                if time.monotonic() >= until:
                    process.kill()
                    text = f"the calendar {name} could not be computed within {_TIMEOUT:g} s"
                    raise CalendarUnavailable(f"{text}; see what keeps Python from importing {PACKAGE}") from error
    if process.returncode:
        lines = errors.decode(errors="replace").strip().splitlines() or [f"exit {process.returncode}"]
        raise CalendarUnavailable(f"the calendar {name} could not be computed by {PACKAGE}: {lines[-1][:300]}")
    return output


def _read(data: bytes) -> pa.Table:
    with pa.ipc.open_stream(data) as reader:
        table = reader.read_all()
    table.validate(full=True)
    if (
        not table.schema.equals(SCHEMA)
        or not table.num_rows
        or not {b"zone", b"made"} <= {*(table.schema.metadata or ())}
    ):
        raise ValueError("it is no table of sessions")
    return table


def calendar_of_table(name: str, table: pa.Table) -> Calendar:
    """The calendar that has these sessions, and goes on before and after them as in the last year of them.

    Args:
        name: of the exchange.
        table: of the `SCHEMA`, at least one row, ascending days.

    Raises:
        ValueError: the zone is unknown, or the days do not ascend.
    """
    zone = load_zone(table.schema.metadata[b"zone"].decode())
    days, opens, closes, starts, ends = (numpy_of(column, np.datetime64("NaT")) for column in table.columns)
    days = days.astype("datetime64[D]")
    if np.isnat(opens).any() or np.isnat(closes).any() or not (np.diff(days) > np.timedelta64(0, "D")).all():
        raise ValueError("its sessions are not in order, or have no hours")
    opening, closing = (_usual(days, each, zone) for each in (opens, closes))
    paused = ~np.isnat(starts[-_RECENT:])
    pause = (_usual(days, starts, zone), _usual(days, ends, zone)) if paused.mean() > 0.5 else None
    return Calendar(
        name,
        zone.key,
        opening,
        closing,
        weekdays=frozenset(((days[-_RECENT:].astype(np.int64) + 3) % 7).tolist()),
        breaks=(pause,) if pause else (),
        table=Table(days, opens, closes, starts, ends, _times(days, opens, zone).min().item()),
    )


def _usual(days: NDArray[np.datetime64], moments: Stamps, zone: ZoneInfo) -> timedelta:
    """The commonest time of the last year, counted from the start of the session date."""
    recent = _times(days[-_RECENT:], moments[-_RECENT:], zone)
    values, counts = np.unique(recent[~np.isnat(recent)], return_counts=True)
    usual: timedelta = values[counts.argmax()].item()
    return usual


def _times(days: NDArray[np.datetime64], moments: Stamps, zone: ZoneInfo) -> NDArray[np.timedelta64]:
    known = ~np.isnat(moments)
    times = np.full(moments.size, np.timedelta64("NaT", "us"))
    times[known] = to_wall_time(moments[known].astype(_US), zone) - days[known].astype(_US)
    return times
