"""`backbone services`: TimescaleDB, Redis and Kafka for development, by docker compose or without Docker."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from cyclopts import Parameter

from backbone.cli.exits import DONE, NOT_READY, UNREACHABLE
from backbone.cli.failures import CommandFailed, UsageError, note, say

if TYPE_CHECKING:
    from rich.console import Console

    from backbone.services.reports import ServiceStatus

__all__ = ["down", "status", "up", "update"]

_NAMES = ("timescale", "redis", "kafka")

Data = Annotated[Path | None, Parameter(name="--data")]
How = Annotated[Literal["human", "json"], Parameter(name="--format")]
Way = Annotated[Literal["auto", "docker", "native"], Parameter(name="--with")]
Quiet = Annotated[bool, Parameter(name=("--quiet", "-q"), negative="", show_default=False)]
NoColor = Annotated[bool, Parameter(name="--no-color", negative="", show_default=False)]


def up(
    *names: Literal["timescale", "redis", "kafka", "spark"],
    data: Data = None,
    env_file: Annotated[Path | None, Parameter(name="--env-file")] = None,
    way: Way = "auto",
    how: How = "human",
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> int:
    """Start the services, all of them or those named, and wait until each has answered.

    They listen on this machine alone. Those that run already stay as they are; the data of earlier times is used again.

    Args:
        names: timescale, redis, kafka; these if none is given; spark, a cluster of two workers, natively alone.
        data: folder of data, logs and passwords; `.services` beside the project, else in the user's data folder.
        env_file: where addresses and passwords go, for `--env-file` of other commands; `.env` in the data folder.
        way: docker, native (Debian as root), or auto: docker where an engine answers.
        how: how the result is written.
        quiet: no progress.
        no_color: no colours.
    """
    folder, chosen = _folder(data), names or _NAMES
    if env_file is not None and env_file.exists() and not env_file.is_file():
        raise UsageError(f"--env-file {env_file}: is no regular file, and would be replaced by one; give a file")
    tell = _quiet if quiet else say

    async def start(launcher: _Launcher) -> list[ServiceStatus]:
        if launcher.docker:
            found: list[ServiceStatus] = await launcher.module.up(chosen, data=folder, env_file=env_file, progress=tell)
            return found
        services = await launcher.module.up(chosen, data=folder, env_file=env_file, progress=tell)
        found = await services.status()
        return [each for each in found if each.name in chosen]

    way = "native" if "spark" in chosen and way == "auto" else way
    code = _done(folder, way, start, lambda found: _show(found, how, no_color=no_color))
    if code == DONE and not quiet:
        note(_how_to_use(env_file or folder / ".env", chosen))
    return code


def _how_to_use(file: Path, names: Sequence[str]) -> str:
    """What to type next: the profile that uses all of what runs, where there is one."""
    line = f"addresses and passwords are in {file}"
    if "spark" in names:
        line += f"; backbone export spark validate --env-file {file} runs on the cluster"
    if {"timescale", "redis", "kafka"} <= {*names}:
        return f"{line}; backbone rehearse --profile institutional --env-file {file} shows the whole cycle on them"
    if "timescale" in names:
        return f"{line}; backbone run --profile timescale --env-file {file} uses TimescaleDB"
    return line


def down(
    *names: Literal["timescale", "redis", "kafka", "spark"],
    data: Data = None,
    how: How = "human",
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> int:
    """Stop the services, all of them or those named, cleanly; their data stays.

    Args:
        names: timescale, redis, kafka, spark; all if none is given.
        data: the folder that was given to `up`.
        how: how the result is written.
        quiet: no progress.
        no_color: no colours.
    """
    folder = _folder(data)

    async def stop(launcher: _Launcher) -> list[ServiceStatus]:
        found = await launcher.module.down(folder, names or None, progress=_quiet if quiet else say)
        return [each for each in found if not names or each.name in names]

    return _done(folder, "auto", stop, lambda found: _show(found, how, no_color=no_color))


def update(*, quiet: Quiet = False) -> int:
    """Fetch today's versions of PostgreSQL, TimescaleDB and Redis; native servers run them from their next start on.

    Where the mirror can't be reached, exits 4, and what was there stays in use. Kafka and the images of docker compose
    are pinned: their updates come with those of backbone.

    Args:
        quiet: no progress.
    """
    from backbone.services import native

    async def fetch() -> int:
        folder = await native.update(progress=_quiet if quiet else say)
        note(f"{folder}: servers run it from their next start on: backbone services down, then up")
        return DONE

    return _told(fetch)


def status(
    *names: Literal["timescale", "redis", "kafka", "spark"],
    data: Data = None,
    how: How = "human",
    no_color: NoColor = False,
) -> int:
    """Ask each service that was ever started; exits 3 where one does not answer.

    Args:
        names: timescale, redis, kafka, spark; those that were ever started if none is given.
        data: the folder that was given to `up`.
        how: how the result is written.
        no_color: no colours.
    """
    folder = _folder(data)

    async def ask(launcher: _Launcher) -> list[ServiceStatus]:
        found = await launcher.module.status(folder)
        return [each for each in found if not names or each.name in names]

    def judge(found: Sequence[ServiceStatus]) -> int:
        _show(found, how, no_color=no_color)
        complete = bool(found) and {each.name for each in found} >= set(names)
        return DONE if complete and all(each.ready for each in found) else NOT_READY

    return _done(folder, "auto", ask, judge)


class _Launcher(msgspec.Struct, frozen=True):
    """Which of the two ways; the modules have the same three functions."""

    module: Any
    docker: bool


def _folder(given: Path | None) -> Path:
    """The data folder: as given, beside the project in a checkout, else in the user's data folder (XDG)."""
    if given is not None:
        return given.resolve()
    from backbone.settings.resources import resource

    checkout = resource("compose").parent
    if (checkout / "pyproject.toml").is_file():
        return checkout / ".services"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "backbone" / "services"


async def _launcher(folder: Path, way: str) -> _Launcher:
    """The way in which this data folder was used before, else the one asked for, else Docker where it answers."""
    from backbone.services import docker, machine
    from backbone.services import native as native_way

    native = folder / "services.json"
    before = "docker" if docker.used(folder) else "native" if native.is_file() else None
    if before is not None and way not in ("auto", before):
        raise UsageError(f"--with {way} given, but {folder} was made by {before}; give another --data")
    chosen = before or way
    if chosen == "native":
        return _Launcher(native_way, docker=False)
    why_not = await docker.answers()
    if why_not is None:
        return _Launcher(docker, docker=True)
    if chosen == "docker":
        raise machine.Unavailable(f"docker compose can't be used: {why_not}; start the engine")
    return _Launcher(native_way, docker=False)


def _done(
    folder: Path,
    way: str,
    work: Callable[[_Launcher], Awaitable[list[ServiceStatus]]],
    judge: Callable[[Sequence[ServiceStatus]], int],
) -> int:
    """Do the work in the way that fits the folder, and judge what it found."""

    async def chosen() -> int:
        return judge(await work(await _launcher(folder, way)))

    return _told(chosen)


def _told(work: Callable[[], Awaitable[int]]) -> int:
    """Work, and turn the launcher's errors into one line and a code."""
    from backbone.cli.process.running import run
    from backbone.services.launch import StartError
    from backbone.services.machine import Unavailable

    try:
        return run(work)
    except Unavailable as error:
        say(f"error: {error}")
        return UNREACHABLE
    except ValueError as error:
        raise UsageError(str(error)) from error
    except (StartError, TimeoutError) as error:
        raise CommandFailed(str(error)) from error


def _quiet(_line: str) -> None:
    pass


def _show(found: Sequence[ServiceStatus], how: str, *, no_color: bool) -> int:
    from backbone.cli.show.output import page, write_json

    if how == "json":
        write_json({"services": found}, None)
    else:
        page(lambda console: _draw(console, found), None, no_color=no_color)
    return DONE


def _draw(console: Console, found: Sequence[ServiceStatus]) -> None:
    from rich.table import Table
    from rich.text import Text

    from backbone.cli.commands.symbols import STYLES, SYMBOLS
    from backbone.cli.show.text import one_line

    if not found:
        console.print("no services here; start them: backbone services up")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("", "SERVICE", "STATE"):
        table.add_column(name, no_wrap=True)
    table.add_column("PORT", justify="right", no_wrap=True)
    table.add_column("VERSION", overflow="fold")
    for each in found:
        mark = "ok" if each.ready else "off" if each.state == "stopped" else "failed"
        word = each.state if each.ready or each.state != "running" else "not ready"
        row = (each.name, Text(word, style=STYLES[mark]), str(each.port or "-"), one_line(each.version))
        table.add_row(Text(SYMBOLS[mark], style=STYLES[mark]), *row)
    console.print(table)
    for each in found:
        console.print(Text(f"{each.name}: {one_line(each.detail)}", style="dim"))
