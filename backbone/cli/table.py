"""Every command: its words, its group, what it does, and where it is defined. Nothing of it is loaded here."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["COMMANDS", "GROUPS", "NOT_BUILT", "Command", "names"]


class Command(NamedTuple):
    """One command; `function` has the same name in its module as its last word, or is given."""

    words: tuple[str, ...]
    group: str
    summary: str
    module: str
    function: str


def _command(words: str, group: str, summary: str, function: str | None = None, module: str | None = None) -> Command:
    parts = tuple(words.split())
    return Command(parts, group, summary, f"backbone.cli.commands.{module or parts[0]}", function or parts[-1])


GROUPS = {"data": "Data", "running": "A running backbone", "upkeep": "Upkeep"}
"""Headings of the help page, in order."""

COMMANDS: tuple[Command, ...] = (
    _command("rehearse", "data", "one full cycle over real bars, with the evidence"),
    _command("ingest", "data", "read a file, or what a provider has, into the store"),
    _command("fetch", "data", "rows from the store, as a table, CSV or JSON"),
    _command("sql", "data", "a SELECT over what is stored, also while it runs"),
    _command("subscribe", "data", "committed changes as they come: table, JSON or Arrow"),
    _command("backfill", "data", "find what is missing, and ask a source for it"),
    _command("quarantine list", "data", "bad rows that were kept aside, with their reasons", "list_rows"),
    _command("quarantine show", "data", "one of them, with its values"),
    _command("quarantine replay", "data", "judge them again by today's rules"),
    _command("quarantine drop", "data", "forget them"),
    _command("why", "data", "how a row came to be: source, run, versions, change, cache"),
    _command("export", "data", "rows into files: Parquet, CSV or JSON by line"),
    _command("export list", "data", "the exports that lie in the folder", "list_exports"),
    _command("export show", "data", "one of them: its jobs and files"),
    _command("export verify", "data", "read its files again and compare them with its manifest"),
    _command("export stress", "data", "exports one after the other, with thresholds"),
    _command("export spark", "data", "validate, bars, compaction by Spark", module="export_spark"),
    _command("replay", "data", "send stored rows to a topic of Kafka again"),
    _command("dlq list", "data", "messages of the stream that nobody could read", "list_letters"),
    _command("dlq show", "data", "one of them, with its headers"),
    _command("dlq replay", "data", "send them back to their topics"),
    _command("dlq drop", "data", "forget them"),
    _command("run", "running", "fetch, also by schedule, and run until SIGINT or SIGTERM"),
    _command("runs list", "running", "what became of the last runs, and which way they go", "list_runs"),
    _command("runs show", "running", "one of them, with all that is known of it"),
    _command("resume", "running", "let a schedule that has stopped or was paused go on"),
    _command("pause", "running", "let the schedule wait until it is resumed"),
    _command("status", "running", "what is wrong, since when, and what to do; worst first"),
    _command("roster", "running", "the supervision tree with every actor's state"),
    _command("events", "running", "what it tells of runs, quality, cache and Kafka, as it comes"),
    _command("connectors", "running", "its parts, and whether store, cache and stream answer"),
    _command("freshness", "running", "how old the newest rows are, in the time of their market"),
    _command("config show", "upkeep", "every setting with its value and origin"),
    _command("config check", "upkeep", "what is questionable about the settings"),
    _command("config template", "upkeep", "an env file with every setting, explained"),
    _command("instruments", "upkeep", "what symbols are taken for, and which rule says so"),
    _command("migrate", "upkeep", "bring the tables up to date"),
    _command("retention", "upkeep", "what is covered and what is beyond the cap; --apply drops it"),
    _command("services up", "upkeep", "start TimescaleDB, Redis, Kafka on this machine, to develop"),
    _command("services down", "upkeep", "stop them; their data stays"),
    _command("services update", "upkeep", "fetch today's versions of their programs"),
    _command("services status", "upkeep", "whether they answer, where, and what is wrong"),
)

NOT_BUILT = {
    "top": "backbone roster shows the supervision tree once",
    "readiness": "backbone status says what is wrong, and exits 3 where something is",
    "describe": "backbone roster --format json tells all of every actor",
    "drill": "backbone rehearse runs one full cycle and judges it",
    "doctor": "backbone config check judges the settings, backbone connectors a running backbone",
    "restart": "Ctrl-C, then backbone run; what crashes is restarted by its supervisor",
}
"""Commands to come, and what serves meanwhile."""


def names() -> tuple[str, ...]:
    """The first words, in order, without repetition."""
    return tuple(dict.fromkeys(command.words[0] for command in COMMANDS))
