"""Options that stand before the command, as many other programs take them, moved to where cyclopts reads them."""

from __future__ import annotations

from collections.abc import Sequence

from backbone.cli.failures import UsageError
from backbone.cli.table import COMMANDS

__all__ = ["path_of", "reordered"]

_VALUED = ("--profile", "--config", "--env-file", "--set")
_FLAGS = ("--verbose", "-v", "-vv", "--quiet", "-q", "--no-color")
_OWN = ("-h", "--help", "-V", "--version")


def reordered(words: Sequence[str]) -> list[str]:
    """The same command line with its first options behind the command.

    Raises:
        UsageError: the option is none of those that all commands share.
    """
    taken = _taken(words)
    rest = list(words[taken:])
    if not taken or not rest:
        return list(words)
    place = len(path_of(rest))
    return [*rest[:place], *words[:taken], *rest[place:]]


def path_of(words: Sequence[str]) -> tuple[str, ...]:
    """The words that name the command."""
    known = {command.words for command in COMMANDS}
    return tuple(words[:2]) if tuple(words[:2]) in known else tuple(words[:1])


def _taken(words: Sequence[str]) -> int:
    """How many words are options and their values."""
    place = 0
    while place < len(words) and words[place].startswith("-") and words[place] not in _OWN:
        place += _length(words[place:])
    return place


def _length(words: Sequence[str]) -> int:
    option, equals, _ = words[0].partition("=")
    if option in _FLAGS and not equals:
        return 1
    if option not in _VALUED:
        from backbone.settings.errors import suggestion

        near = suggestion(option, (*_VALUED, *_FLAGS))
        raise UsageError(
            f"{option} given before a command, where only options of all commands can stand "
            f"({', '.join(_VALUED)} and the like){near or f'; put it after: backbone COMMAND {option}'}"
        )
    if not equals and (len(words) < 2 or words[1].startswith("-")):
        raise UsageError(f"{option} given without a value; such as: backbone {option} VALUE COMMAND")
    return 1 if equals else 2
