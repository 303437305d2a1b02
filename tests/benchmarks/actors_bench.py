"""The actor runtime beside a bare asyncio.Queue, anyio memory object streams and pykka."""

from __future__ import annotations

from tests.benchmarks import actors_asks, actors_life, actors_roster, actors_tasks, actors_tells
from tests.benchmarks.report import Floor, Report, Table

_INTRO = (
    "Each contestant does the same work once per round; the numbers are medians of the rounds. Rates are per second of "
    "processor time of this process with all its threads, which a busy machine distorts less than elapsed time; the "
    "best round is the one that it distorted least, and the one by which the floors are judged. The last column is the "
    "contestant's rate as a multiple of the first row's. Made by `make bench`."
)


def run(quick: bool = False) -> Report:
    """Everything, in about two minutes."""
    scale = 0.1 if quick else 1.0
    tables: list[Table] = []
    floors: list[Floor] = []
    for module in (actors_tells, actors_asks, actors_life, actors_tasks, actors_roster):
        made, kept = module.run(scale)
        tables += made
        floors += kept
    return Report(
        title="Benchmarks of the actor runtime",
        tables=tables,
        floors=floors,
        packages=("anyio", "msgspec", "pykka"),
        page="docs/reference/benchmarks-actors.md",
        intro=_INTRO,
    )
