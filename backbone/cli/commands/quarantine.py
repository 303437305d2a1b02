"""`backbone quarantine`: bad rows that were kept aside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from backbone.cli.exits import DONE
from backbone.cli.failures import UsageError
from backbone.cli.options import COMMON, Common, Format, Limit, Output, prepare
from backbone.cli.process.confirming import confirm_drop
from backbone.domain.arguments import LARGEST, LONGEST_PAGE

if TYPE_CHECKING:
    from rich.console import Console

    from backbone.facade.backbone import Backbone
    from backbone.facade.quarantine import ShownRow, SomeRows
    from backbone.settings import Settings

__all__ = ["drop", "list_rows", "replay", "show"]

All = Annotated[bool, Parameter(name="--all", negative="")]
_LISTED = ("at", "id", "source", "location", "dimension", "reason", "excerpt")


def list_rows(
    *,
    limit: Annotated[int, Limit] = 100,
    skip: int = 0,
    how: Format = "human",
    output: Output = None,
    common: Common = COMMON,
) -> int:
    """The newest bad rows: where they came from, what is wrong with them, and how they begin.

    A running backbone is asked for them; where none runs, one is opened for it.

    Args:
        limit: so many at most, up to 10000.
        skip: so many newer ones are passed over: the next page.
        how: how it is written.
        output: a file instead of stdout.
        common: the options that all commands share.
    """
    if not 1 <= limit <= LONGEST_PAGE or not 0 <= skip <= LARGEST:
        raise UsageError(
            f"--limit {limit} --skip {skip}: allowed are 1 to {LONGEST_PAGE} rows at once; "
            f"--skip {LONGEST_PAGE} reads on"
        )
    rows = _rows(prepare(common), common, {"limit": limit, "ids": None, "skip": skip})
    _write(rows, how, output, common, whole=False)
    return DONE


def show(row: str, /, *, how: Format = "human", output: Output = None, common: Common = COMMON) -> int:
    """One bad row: where it came from, what is wrong with it, and its values as far as it could be read.

    Args:
        row: the id of the row, as backbone quarantine list has it.
        how: how it is written.
        output: a file instead of stdout.
        common: the options that all commands share.
    """
    _write(_rows(prepare(common), common, {"limit": 1, "ids": (row,)}), how, output, common, whole=True)
    return DONE


def replay(*rows: str, every: All = False, how: Format = "human", common: Common = COMMON) -> int:
    """Judge bad rows again by today's rules: those that are good go in, the others stay with today's reason.

    None takes the place of another version that was stored meanwhile, and none is lost, whatever ends this in between.

    Args:
        rows: the ids of rows, as backbone quarantine list has them.
        every: all of them.
        how: how it is written.
        common: the options that all commands share.
    """
    from backbone.facade.quarantine import SomeRows

    chosen = _chosen(rows, every=every)
    settings = prepare(common)

    async def replayed(backbone: Backbone) -> SomeRows:
        return SomeRows(done=await backbone.quarantine.replay(chosen))

    done = _all_done(settings, common, "replay_quarantine", chosen, replayed).done
    text = f"went in: {done.taken}; stay: {done.stayed}"
    if done.texts:
        text += f"; {done.texts} are texts that could not be read as rows: mend their file, and ingest it again"
    _say(text, {"taken": done.taken, "stayed": done.stayed, "texts": done.texts}, how, common)
    return DONE


def drop(*rows: str, every: All = False, yes: bool = False, how: Format = "human", common: Common = COMMON) -> int:
    """Forget bad rows for good; asks first.

    Args:
        rows: the ids of rows, as backbone quarantine list has them.
        every: all of them.
        yes: do not ask.
        how: how it is written.
        common: the options that all commands share.
    """
    from backbone.facade.quarantine import SomeRows

    chosen = _chosen(rows, every=every)
    settings = prepare(common)
    if not yes:
        confirm_drop("all bad rows" if chosen is None else f"{len(chosen)} bad rows")

    async def dropped(backbone: Backbone) -> SomeRows:
        return SomeRows(dropped=await backbone.quarantine.drop(chosen))

    count = _all_done(settings, common, "drop_quarantine", chosen, dropped).dropped
    _say(f"dropped: {count}", {"dropped": count}, how, common)
    return DONE


def _chosen(ids: Sequence[str], *, every: bool) -> tuple[str, ...] | None:
    """Which rows are meant; None: all.

    Raises:
        UsageError: none, or both some and all.
    """
    if bool(ids) == every:
        raise UsageError("give the ids of rows, as backbone quarantine list has them, or --all")
    return None if every else tuple(ids)


def _rows(settings: Settings, common: Common, wanted: Mapping[str, Any]) -> tuple[ShownRow, ...]:
    """What the running backbone has, or what lies in the store where none runs."""
    from backbone.cli.process.either import done_by_either
    from backbone.facade.quarantine import ShownRows

    return done_by_either(
        settings, common, "quarantine", wanted, ShownRows, lambda backbone: backbone.quarantine.shown(**wanted)
    ).rows


def _all_done(
    settings: Settings,
    common: Common,
    command: str,
    ids: Sequence[str] | None,
    alone: Callable[[Backbone], Awaitable[SomeRows]],
) -> SomeRows:
    """Have it done with all that are meant: by a running backbone with some at a time, which answers within seconds."""
    from backbone.cli.process.either import done_by_either
    from backbone.facade.quarantine import SomeRows

    total = done = done_by_either(settings, common, command, {"ids": ids}, SomeRows, alone)
    while done.until is not None:
        more = {"until": done.until.isoformat(), "skip": done.skip}
        done = done_by_either(settings, common, command, {"ids": ids, **more}, SomeRows, alone)
        total = SomeRows(done=total.done + done.done, dropped=total.dropped + done.dropped)
    return total


def _say(text: str, body: Mapping[str, Any], how: str, common: Common) -> None:
    from backbone.cli.show.output import say_done

    say_done("Quarantine", text, body, how, no_color=common.no_color)


def _write(rows: Sequence[ShownRow], how: str, output: Output, common: Common, *, whole: bool) -> None:
    from backbone.cli.show.output import page, write, write_json

    if how == "json":
        write_json({"rows": rows}, output)
    elif how == "markdown":
        write(_markdown(rows, whole=whole), output)
    else:
        draw = _draw_whole if whole else _draw
        page(lambda console: draw(console, rows), output, no_color=common.no_color)


def _markdown(rows: Sequence[ShownRow], *, whole: bool) -> str:
    from backbone.domain.report import markdown_table

    names = (*_LISTED, *(["run_id", "values"] if whole else []))
    return f"# Quarantine\n\n{markdown_table(names, [[getattr(row, name) for name in names] for row in rows])}"


def _draw(console: Console, rows: Sequence[ShownRow]) -> None:
    from rich.text import Text

    from backbone.cli.show.text import one_line

    for row in rows:
        line = Text().append(one_line(row.location), style="bold")
        line.append(f"  {one_line(row.reason)}")
        console.print(line)
        console.print(Text(f"  {row.id}  {one_line(row.excerpt)}", style="dim"), overflow="ellipsis", no_wrap=True)
    console.print(Text(f"bad rows: {len(rows)}" if rows else "nothing was kept aside", style="dim"))


def _draw_whole(console: Console, rows: Sequence[ShownRow]) -> None:
    from rich.text import Text

    from backbone.cli.show.text import one_line

    for row in rows:
        console.print(Text(one_line(row.location), style="bold"))
        facts = [("reason", row.reason), ("source", row.source), ("dimension", row.dimension), ("run", row.run_id)]
        facts += [("at", f"{row.at:%Y-%m-%d %H:%M:%S} UTC"), ("begins", row.excerpt), *row.values.items()]
        facts += (
            [] if row.replayable else [("replay", "it could not be read as a row: mend its file, and ingest again")]
        )
        for name, text in facts:
            console.print(Text(f"  {one_line(name)}: ", style="dim").append(one_line(text)))
