"""`backbone dlq`: messages of the stream that nobody could read."""

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
    from backbone.facade.dead_letters import ShownLetter, SomeDone
    from backbone.settings import Settings

__all__ = ["drop", "list_letters", "replay", "show"]

All = Annotated[bool, Parameter(name="--all", negative="")]


def list_letters(
    *,
    limit: Annotated[int, Limit] = 100,
    skip: int = 0,
    how: Format = "human",
    output: Output = None,
    common: Common = COMMON,
) -> int:
    """The newest messages that nobody could read: where they lay, what is wrong with them, and how they begin.

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
            f"--limit {limit} --skip {skip}: allowed are 1 to {LONGEST_PAGE} letters at once; "
            f"--skip {LONGEST_PAGE} reads on"
        )
    letters = _letters(prepare(common), common, {"limit": limit, "places": None, "skip": skip})
    _write(letters, how, output, common, whole=False)
    return DONE


def show(place: str, /, *, how: Format = "human", output: Output = None, common: Common = COMMON) -> int:
    """One dead letter: its reason, key, headers, and how its value begins.

    Args:
        place: topic/partition/offset, as backbone dlq list has it.
        how: how it is written.
        output: a file instead of stdout.
        common: the options that all commands share.
    """
    _write(_letters(prepare(common), common, {"limit": 1, "places": (place,)}), how, output, common, whole=True)
    return DONE


def replay(*places: str, every: All = False, how: Format = "human", common: Common = COMMON) -> int:
    """Send dead letters back to their topics, whole, and forget them; who can read them now, takes them.

    Args:
        places: topic/partition/offset of each, as backbone dlq list has it.
        every: all of them.
        how: how it is written.
        common: the options that all commands share.
    """
    from backbone.facade.dead_letters import SomeDone

    chosen = _chosen(places, every=every)
    settings = prepare(common)

    async def replayed(backbone: Backbone) -> SomeDone:
        done = await backbone.dead_letters.replay(chosen)
        return SomeDone(done.sent, done.unreadable)

    sent, unreadable = _all_done(settings, common, "replay_dead_letters", chosen, replayed)
    text = f"sent back: {sent}"
    if unreadable:
        text += f"; {unreadable} of them can't be read today either, and come back as dead letters"
    _say(text, {"sent": sent, "unreadable": unreadable}, how, common)
    return DONE


def drop(*places: str, every: All = False, yes: bool = False, how: Format = "human", common: Common = COMMON) -> int:
    """Forget dead letters for good; asks first.

    Args:
        places: topic/partition/offset of each, as backbone dlq list has it.
        every: all of them.
        yes: do not ask.
        how: how it is written.
        common: the options that all commands share.
    """
    from backbone.facade.dead_letters import SomeDone

    chosen = _chosen(places, every=every)
    settings = prepare(common)
    if not yes:
        confirm_drop("all dead letters" if chosen is None else f"{len(chosen)} dead letters")

    async def dropped(backbone: Backbone) -> SomeDone:
        return SomeDone(await backbone.dead_letters.drop(chosen))

    count, _ = _all_done(settings, common, "drop_dead_letters", chosen, dropped)
    _say(f"dropped: {count}", {"dropped": count}, how, common)
    return DONE


def _chosen(places: Sequence[str], *, every: bool) -> tuple[str, ...] | None:
    """Which letters are meant; None: all.

    Raises:
        UsageError: none, or both some and all.
    """
    if bool(places) == every:
        raise UsageError("give the places of letters, as backbone dlq list has them, or --all")
    return None if every else tuple(places)


def _letters(settings: Settings, common: Common, wanted: Mapping[str, Any]) -> tuple[ShownLetter, ...]:
    """What the running backbone has, or what lies in the store where none runs."""
    from backbone.cli.process.either import done_by_either
    from backbone.facade.dead_letters import ShownLetters

    return done_by_either(
        settings, common, "dead_letters", wanted, ShownLetters, lambda backbone: backbone.dead_letters.shown(**wanted)
    ).letters


def _all_done(
    settings: Settings,
    common: Common,
    command: str,
    places: Sequence[str] | None,
    alone: Callable[[Backbone], Awaitable[SomeDone]],
) -> tuple[int, int]:
    """Have it done with all that are meant: by a running backbone with some at a time, which answers within seconds.

    Returns:
        With how many it was done, and how many of them can't be read.
    """
    from backbone.cli.process.either import done_by_either
    from backbone.facade.dead_letters import SomeDone

    done = done_by_either(settings, common, command, {"places": places}, SomeDone, alone)
    letters, unreadable = done.letters, done.unreadable
    while done.until is not None:
        done = done_by_either(
            settings, common, command, {"places": places, "until": done.until.isoformat()}, SomeDone, alone
        )
        letters, unreadable = letters + done.letters, unreadable + done.unreadable
    return letters, unreadable


def _say(text: str, body: Mapping[str, Any], how: str, common: Common) -> None:
    from backbone.cli.show.output import say_done

    say_done("Dead letters", text, body, how, no_color=common.no_color)


def _write(letters: Sequence[ShownLetter], how: str, output: Output, common: Common, *, whole: bool) -> None:
    from backbone.cli.show.output import page, write, write_json

    if how == "json":
        write_json({"letters": letters}, output)
    elif how == "markdown":
        write(_markdown(letters, whole=whole), output)
    else:
        draw = _draw_whole if whole else _draw
        page(lambda console: draw(console, letters), output, no_color=common.no_color)


def _markdown(letters: Sequence[ShownLetter], *, whole: bool) -> str:
    from backbone.domain.report import markdown_table

    names = ["at", "place", "group", "reason", "key", "bytes", "value", *(["headers"] if whole else [])]
    rows = [[_cell(each, name) for name in names] for each in letters]
    return f"# Dead letters\n\n{markdown_table(names, rows)}"


def _cell(letter: ShownLetter, name: str) -> object:
    if name == "headers":
        return ", ".join(f"{header}: {text}" for header, text in letter.headers)
    return getattr(letter, name)


def _draw(console: Console, letters: Sequence[ShownLetter]) -> None:
    from rich.text import Text

    from backbone.cli.show.text import one_line

    for each in letters:
        line = Text().append(one_line(each.place), style="bold")
        line.append(f"  {one_line(each.reason)}")
        console.print(line)
        begin = f"  {each.at:%Y-%m-%d %H:%M:%S} UTC · {each.bytes:,} bytes · {one_line(each.value)}"
        console.print(Text(begin, style="dim"), overflow="ellipsis", no_wrap=True)
    console.print(Text(f"dead letters: {len(letters)}" if letters else "there are no dead letters", style="dim"))


def _draw_whole(console: Console, letters: Sequence[ShownLetter]) -> None:
    from rich.text import Text

    from backbone.cli.show.text import one_line

    for each in letters:
        console.print(Text(one_line(each.place), style="bold"))
        facts = [("reason", each.reason), ("group", each.group), ("at", f"{each.at:%Y-%m-%d %H:%M:%S} UTC")]
        facts += [("key", "none" if each.key is None else each.key), *each.headers]
        for name, text in [*facts, (f"value, {each.bytes:,} bytes", each.value)]:
            console.print(Text(f"  {one_line(name)}: ", style="dim").append(one_line(text)))
