"""The first page of help, and `backbone help`: plain text, so that it is there at once."""

from __future__ import annotations

from backbone.cli.exits import EXITS
from backbone.cli.table import COMMANDS, GROUPS

__all__ = ["TOPICS", "exit_codes", "first_page"]

_EXAMPLES = (
    ("backbone rehearse", "5,000 real EURUSD bars through every stage, with the evidence"),
    ("backbone fetch intraday --symbols EURUSD --interval 1h", "the newest bars"),
    ("backbone run", "keep it running; then, from another terminal:"),
    ("backbone status", "what is wrong, since when, what to do"),
)
TOPICS = ("exit-codes",)


def first_page() -> str:
    """What there is."""
    lines = ["backbone: market data from source to store, cache and stream, by actors", ""]
    lines += ["Usage: backbone COMMAND [OPTIONS]", "", "Examples:"]
    for line, meaning in _EXAMPLES:
        lines += [f"  {line}", f"      {meaning}"]
    for group, heading in GROUPS.items():
        lines += ["", f"{heading}:"]
        lines += [f"  {' '.join(each.words):<18}{each.summary}" for each in COMMANDS if each.group == group]
    lines += [
        "",
        "Help:",
        "  COMMAND --help    the options of a command; -h for short",
        "  help exit-codes   what the exit code tells",
        "  -V, --version     the version",
        "",
        "Settings come from --profile NAME or --config FILE, then the environment",
        "(BACKBONE_*), then --set KEY=VALUE; these may stand before the command too.",
        "Data goes to stdout; progress, notes and logs go to stderr.",
    ]
    return "\n".join(lines)


def exit_codes() -> str:
    """The table of exit codes."""
    return "Exit codes:\n" + "\n".join(f"  {code:>3}  {meaning}" for code, meaning in EXITS.items())
