"""A backbone whose reads use exports, and everything that may happen to it: what it reads is what the store holds.

One seed is one play: writes, corrections, backfills, drops, exports, restarts, restores and damage in random order, and
between any two of them windows whose edges are mostly those of parts, each compared with the store alone.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from backbone import Backbone, Dimension, Frame
from backbone.calls import Calls
from backbone.export.layout import CURRENT
from backbone.store.messages import DropRows, ReadRows
from backbone.store.records import Query

TRADES, BARS, DAILY, MACRO = Dimension.TRADES, Dimension.INTRADAY_BARS, Dimension.DAILY_BARS, Dimension.MACRO_EVENTS
FIRST = datetime(2023, 12, 28, tzinfo=UTC)
DAYS = 5
DAY, MICROSECOND = timedelta(days=1), timedelta(microseconds=1)
SYMBOLS = {TRADES: ("AIG", "BTC/USD"), BARS: ("EURUSD", "GBPUSD"), DAILY: ("AIG",), MACRO: ("US",)}

Opened = Callable[[], AbstractAsyncContextManager[Backbone]]


class Differs(AssertionError):
    """A reader got what the store does not hold."""


class Play:
    """One play.

    Args:
        seed: of it.
        opened: opens the backbone, again after it was closed.
        root: the folder of its exports.
        copies: where its database file lies; None: it has none that could be put back.
    """

    def __init__(self, seed: int, opened: Opened, root: Path, path: Path | None = None) -> None:
        self._random = random.Random(seed)
        self.opened = opened
        self._root = root
        self._path = path
        self._copy = False
        self.backbone: Backbone
        self.told: list[str] = []
        self.history_rows = 0

    async def run(self, acts: int) -> None:
        """Open, act, read, and close, as often as it comes."""
        left = acts
        while left > 0:
            async with self.opened() as self.backbone:
                if left == acts:
                    await self._begin()
                while left > 0:
                    left -= 1
                    if not await self._act():
                        break
                    for _ in range(self._random.randint(2, 5)):
                        await self._compare()
                self.history_rows += self.facts["history_rows"]
            self._between_lives()

    @property
    def facts(self) -> dict[str, Any]:
        """What the roster says of reads from exports."""
        entry = self.backbone.roster().find(f"{self.backbone.path}/history")
        assert entry is not None
        return dict(entry.detail or {})

    async def _begin(self) -> None:
        for dimension in SYMBOLS:
            await self._record(dimension)
            await self._record(dimension)
        await self.backbone.export()

    async def _act(self) -> bool:
        """Let something happen; False: it ends with the backbone."""
        acts: list[tuple[int, str]] = [
            (6, "record"),
            (3, "export"),
            (2, "drop"),
            (1, "restart"),
            (1, "damage"),
            (2, "none"),
        ]
        weights, names = zip(*acts, strict=True)
        [act] = self._random.choices(names, weights)
        self.told.append(act)
        if act == "record":
            await self._record(self._random.choice(list(SYMBOLS)))
        elif act == "export":
            await self._export()
        elif act == "drop":
            await self._drop()
        elif act == "damage":
            self._damage()
        return bool(act != "restart")

    async def _record(self, dimension: Dimension) -> None:
        """Rows of some moments: some new, some late, some corrections of what there is."""
        rows = [self._row(dimension) for _ in range(self._random.choice((1, 1, 3, 20)))]
        self.told[-1:] = [f"record {dimension} {rows[:2]}"]
        await self.backbone.record(Frame.from_records(dimension, rows))

    def _row(self, dimension: Dimension) -> dict[str, Any]:
        chance, ts = self._random, self._moment()
        row: dict[str, Any] = {dimension.partition_column: chance.choice(SYMBOLS[dimension])}
        if dimension is TRADES:
            return {
                **row,
                "ts": ts,
                "sequence": chance.randint(1, 3),
                "price": float(chance.randint(1, 50)),
                "size": 1.0,
            }
        if dimension is MACRO:
            return {**row, "event": chance.choice(("CPI", "GDP")), "ts": ts, "actual": float(chance.randint(1, 50))}
        close = float(chance.randint(10, 50))
        prices = {"open": close, "high": close, "low": close, "close": close}
        if dimension is DAILY:
            return {**row, "ts": ts.replace(hour=0, minute=0, second=0, microsecond=0), **prices}
        interval, minutes = chance.choice((("1h", 60), ("5m", 5)))
        begin = ts - timedelta(minutes=ts.minute % minutes, seconds=ts.second, microseconds=ts.microsecond)
        return {**row, "interval": interval, "ts": begin, **prices}

    def _moment(self) -> datetime:
        """Mostly an edge of a day, or beside one."""
        day = FIRST + self._random.randrange(DAYS) * DAY
        beside = self._random.choice((0, 0, -1, 1)) * MICROSECOND
        return self._random.choice(
            (day + beside, day + beside, day + self._random.randrange(86_400) * timedelta(seconds=1))
        )

    async def _export(self) -> None:
        chance, asked = self._random, dict[str, Any]()
        if chance.random() < 0.3:
            asked["dimensions"] = [chance.choice(list(SYMBOLS)).value]
        if chance.random() < 0.2:
            asked["symbols"] = [chance.choice(SYMBOLS[TRADES])]
        if chance.random() < 0.2:
            asked["start"] = self._moment()
        if chance.random() < 0.1:
            asked["end"] = self._moment()
        if "start" in asked and "end" in asked and asked["start"] > asked["end"]:
            del asked["end"]
        report = await self.backbone.export(**asked)
        self.told[-1] = f"export {asked} -> {report.id}"

    async def _drop(self) -> None:
        before, dimension = self._moment(), self._random.choice(list(SYMBOLS))
        if before > FIRST + DAYS // 2 * DAY:
            return
        await self.ask(DropRows(dimension, before, dry_run=False))
        self.told[-1] = f"drop {dimension} before {before}"

    def _damage(self) -> None:
        """Remove, cut off or change a file of the current export, or CURRENT itself."""
        folder = self._root / (self._root / CURRENT).read_text().strip() if (self._root / CURRENT).exists() else None
        files = sorted(folder.rglob("*part-0.*")) if folder is not None else []
        if not files:
            return
        path = self._random.choice(files)
        self.told[-1] = f"damage {path}"
        how = self._random.choice(("remove", "cut", "change"))
        data = bytearray(path.read_bytes())
        path.unlink()  # links to it stay as they are, and what is mapped
        if how == "cut":
            path.write_bytes(data[: len(data) // 2])
        elif how == "change":
            data[len(data) // 2] ^= 1
            path.write_bytes(data)

    def _between_lives(self) -> None:
        """Now and then take a copy of the database, or put the last one back."""
        if self._path is None:
            return
        copy = self._path.with_suffix(".copy")
        if self._copy and self._random.random() < 0.5:
            self.told.append("restored")
            shutil.copy(copy, self._path)
        elif self._random.random() < 0.7:
            self.told.append("copied")
            shutil.copy(self._path, copy)
            self._copy = True

    async def ask(self, request: Any) -> Any:
        return await Calls(self.backbone.system, self.backbone.path).ask("store", request, 30.0)

    async def _compare(self) -> None:
        """One window, out of files or not, beside the store alone."""
        chance = self._random
        dimension = chance.choice(list(SYMBOLS))
        known = SYMBOLS[dimension]
        symbols = tuple(sorted(chance.sample(known, chance.randint(1, len(known)))))
        moments = sorted(self._moment() for _ in range(2))
        start, end = (None if chance.random() < 0.2 else moment for moment in moments)
        interval = chance.choice((None, "1h", "5m")) if dimension is BARS else None
        limit = 3 if chance.random() < 0.1 else None
        query = Query(dimension, symbols, interval, start, end, limit)
        expected: Frame = (await self.ask(ReadRows(query))).frame
        found = await self.backbone.fetch(
            dimension, symbols=symbols, interval=interval, start=start, end=end, limit=limit, resample=False
        )
        same = found.to_arrow().equals(expected.to_arrow()) and found.to_arrow().schema == expected.to_arrow().schema
        if not (same and all(column.num_chunks == 1 for column in found.to_arrow().columns if len(column))):
            told = "\n".join(self.told)
            raise Differs(f"{query}\n{found.to_arrow().to_pylist()}\n{expected.to_arrow().to_pylist()}\n{told}")
