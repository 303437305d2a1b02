"""What has to hold, whatever went wrong: of rows that were acknowledged, of windows, and in the end of everything."""

from __future__ import annotations

from collections.abc import Sequence

import anyio

from backbone import Backbone, Frame
from backbone.ingest.messages import RecordResult
from backbone.store.errors import StoreUnavailable
from backbone.store.records import Query
from tests.simulation.model import Key, Rows, Series, rows_of
from tests.simulation.world import DIMENSIONS, SYMBOLS, World

__all__ = ["acknowledged", "quiet", "wanted", "window"]

_QUIET = 120  # virtual seconds in which everything has to be well again once nothing goes wrong any more


def acknowledged(world: World, what: str, given: Rows, since: int, superseded: int = 0) -> None:
    """Rows that a call said are in have been in the table at some time of the call; later fetches show them."""
    missing = []
    for key, value in given.items():
        commits = [number for number, held in world.model.since(key, since) if held == value]
        if commits:
            world.promise(key.series, commits[0])
        else:
            missing.append((key, value))
    if len(missing) > superseded:
        raise world.fail(f"{what} acknowledged rows that are not in: {missing}")


def counted(world: World, rows: int, result: RecordResult) -> None:
    """Each row has become something."""
    total = result.inserted + result.changed + result.unchanged + result.quarantined + result.superseded
    if total != rows:
        raise world.fail(f"record of {rows} rows accounts for {total}: {result}")
    newest = max((commit.position for commit in world.model.commits), default=0)
    if result.position > newest:
        raise world.fail(f"record answers position {result.position}, the newest is {newest}")


def wanted(rows: Rows, query: Query) -> Rows:
    """What of the model's rows a query asks for."""
    symbols = query.symbols or SYMBOLS
    found = {
        key: value
        for key, value in rows.items()
        if key.series.dimension is query.dimension
        and key.series.symbol in symbols
        and (query.start is None or key.ts >= query.start)
        and (query.end is None or key.ts <= query.end)
    }
    newest = sorted(found, key=lambda key: key.ts)[-query.limit :] if query.limit else list(found)
    return {key: found[key] for key in newest}


def window(world: World, query: Query, frame: Frame, promised: int, latest: int) -> None:
    """A window is what the table held at one moment: not before what was promised, not after it was answered.

    Args:
        world: with the model.
        query: what was asked.
        frame: the answer.
        promised: number of the commit that the backbone has told of when the call began.
        latest: number of the last one when it ended.
    """
    got = rows_of(frame)
    oldest = 0 if frame.stale else promised
    if frame.stale:
        world.faults.saw("fetch served stale")
    if any(wanted(world.model.at(number), query) == got for number in range(latest, oldest - 1, -1)):
        return
    older = next((n for n in range(oldest - 1, -1, -1) if wanted(world.model.at(n), query) == got), None)
    why = f"is of commit {older}, promised was {promised}" if older is not None else "was never in the table"
    raise world.fail(f"fetch of {query.dimension} {query.symbols} limit {query.limit}: {why} (now {latest}): {got}")


def promised_to(world: World, query: Query) -> int:
    """The newest commit that the backbone has told of, of a query's symbols."""
    symbols: Sequence[str] = query.symbols or SYMBOLS
    return max((world.promised.get(Series(query.dimension, each), 0) for each in symbols), default=0)


async def quiet(world: World, backbone: Backbone) -> None:
    """Nothing goes wrong any more: soon all parts work, all is published, and the table is the model."""
    for _ in range(_QUIET):
        if await _well(world, backbone):
            break
        await anyio.sleep(1.0)
    else:
        failed = [entry.path for entry in backbone.roster().entries if entry.state != "running"]
        raise world.fail(f"not well {_QUIET} s after the last fault: {failed}")
    rows: dict[Key, float] = {}
    for dimension in DIMENSIONS:
        rows.update(rows_of((await world.store.read(Query(dimension))).frame))
        fetched = rows_of(await world.bounded("fetch of all", backbone.fetch(dimension)))
        expected = {key: value for key, value in world.model.rows.items() if key.series.dimension is dimension}
        if fetched != expected:
            raise world.fail(f"fetch of all {dimension} differs: {_apart(fetched, expected)}")
    if rows != world.model.rows:
        raise world.fail(f"the store differs: {_apart(rows, world.model.rows)}")


async def _well(world: World, backbone: Backbone) -> bool:
    if any(entry.state != "running" for entry in backbone.roster().entries):
        return False
    try:
        status = await world.store.outbox_status()
    except StoreUnavailable:  # its actor has not opened it again yet
        return False
    return not status.pending


def _apart(got: Rows, expected: Rows) -> str:
    more = dict(sorted(got.items() - expected.items()))
    return f"it has {more}, where {dict(sorted(expected.items() - got.items()))} should be"
