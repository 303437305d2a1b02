"""Which rows are read, of which moment, and where it stands how the store is reached.

What travels to the executors is where the address stands, never the address itself: a plan, an event log or a pickle
that somebody keeps holds no password. Each executor reads its own file, or its own environment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from backbone.domain.clock import parse_time
from backbone.domain.dimension import Dimension
from backbone.settings import Settings, load_settings, read_env_file
from backbone.settings.sections.export import ExportPeriods
from backbone.settings.sections.store import StoreSettings
from backbone.store.errors import Unsupported
from backbone.store.records import Query
from backbone.store.snapshots import Part, Parts

__all__ = ["OPTIONS", "Where", "store_of", "where_of"]

OPTIONS = ("dimension", "symbols", "interval", "start", "end", "period", "moment", "profile", "env_file")
_SECRETS = ("url", "dsn", "password")
_DATE = len("2024-01-02")


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one moment.

    Attributes:
        parts: which rows, and how they are cut into partitions.
        interval: only bars of it.
        moment: by which PostgreSQL knows the snapshot.
        profile, env_file: where the address of the store stands.
    """

    parts: Parts
    interval: str | None
    moment: str
    profile: str
    env_file: str | None

    def query(self, part: Part) -> Query:
        """The rows of one partition."""
        return msgspec.structs.replace(part.query, interval=self.interval)


def where_of(options: Mapping[str, str]) -> Where:
    """What the options of a read say.

    Raises:
        ValueError: one is unknown, missing, or no such value; or it is a secret, which would stand in the plan.
    """
    given = {name.lower(): value for name, value in options.items()}
    if any(name in _SECRETS for name in given):
        raise ValueError("an address given as an option would stand in the plan: write it into a file, give env_file")
    unknown = sorted(set(given) - set(OPTIONS))
    if unknown:
        raise ValueError(f"option {', '.join(unknown)} given; allowed: {', '.join(OPTIONS)}")
    for name in ("dimension", "moment"):
        if not given.get(name):
            raise ValueError(f"option {name} is missing; `with moment(…) as held` gives all but the dimension")
    dimension = Dimension.parse(given["dimension"])
    symbols = tuple(name for each in given.get("symbols", "").split(",") if (name := each.strip()))
    if given.get("symbols") and not symbols:
        raise ValueError(f"symbols={given['symbols']!r} given, which names none; leave it out for all")
    start, end = (_moment(given.get(name)) for name in ("start", "end"))
    period = given.get("period") or ExportPeriods().of(dimension)
    interval = given.get("interval") or None
    _ = Query(dimension, symbols, interval=interval, start=start, end=end)
    return Where(
        parts=Parts(dimension, symbols, start, end, period, by_symbol=True),  # type: ignore[arg-type]
        interval=interval,
        moment=given["moment"],
        profile=given.get("profile", "timescale"),
        env_file=given.get("env_file"),
    )


def _moment(text: str | None) -> datetime | None:
    """A moment; a date alone is midnight UTC."""
    if not text:
        return None
    return parse_time(text, "UTC" if len(text.strip()) == _DATE else None)


def store_of(profile: str, env_file: str | None) -> StoreSettings:
    """How the store is reached from here.

    Raises:
        SettingsError: the file can't be read, or says what can't be.
        Unsupported: it is no server.
    """
    env: Mapping[str, str] = os.environ if env_file is None else read_env_file(Path(env_file))
    settings: Settings = load_settings(profile=profile, env=env)
    if settings.store.backend != "timescale":
        raise Unsupported(
            "the embedded store is a file that one process owns, executors can't read it; "
            "backbone export writes files that spark.read.parquet reads"
        )
    if settings.store.dsn() is None:
        place = "the environment of this executor" if env_file is None else env_file
        raise Unsupported(f"{place} has no BACKBONE_STORE_URL; give env_file, a file that each executor can read")
    return settings.store
