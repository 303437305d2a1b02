"""The command line of the launcher: results to stdout, progress to stderr."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import anyio

from backbone.domain.text import written_out
from backbone.services import processes
from backbone.services.launch import SERVICES, StartError
from backbone.services.machine import Unavailable
from backbone.services.native import ALL, bring_up, down, status
from backbone.services.reports import ServiceStatus

_DONE, _FAILED, _USAGE, _NOT_READY, _UNREACHABLE = 0, 1, 2, 3, 4
_SIGNALLED = 128


def run(argv: Sequence[str]) -> int:
    """Run `up`, `down` or `status` and return the exit code.

    Returns:
        0 done, 1 failed, 2 usage, 3 `status` found one not ready, 4 the machine can't have them, 130 and 143 as usual.
    """
    arguments = _parser().parse_args(argv)
    try:
        found, number = anyio.run(_until_signalled, arguments)
    except Unavailable as error:
        return _complain(error, _UNREACHABLE)
    except ValueError as error:
        return _complain(error, _USAGE)
    except (StartError, TimeoutError, OSError) as error:
        return _complain(error, _FAILED)
    if number:
        return _SIGNALLED + number
    print(_as_json(found) if arguments.format == "json" else _as_table(found))
    if arguments.command == "status" and not (found and all(each.ready for each in found)):
        return _NOT_READY
    return _DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="native", description="TimescaleDB, Redis and Kafka without Docker")
    parser.add_argument("command", choices=["up", "down", "status"])
    parser.add_argument(
        "services", nargs="*", metavar="SERVICE", help=f"among {', '.join(SERVICES)}; all but spark if none is given"
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of data, logs and state")
    parser.add_argument("--cache", type=Path, help="folder of installed programs")
    parser.add_argument("--env-file", type=Path, help="where addresses and passwords go (default: DATA/.env)")
    parser.add_argument("--format", choices=["human", "json"], default="human")
    parser.add_argument("--no-fsync", action="store_true", help="for tests: faster, not safe against loss of power")
    parser.add_argument("--with-parent", action="store_true", help="stop them when the calling process (a shell) ends")
    return parser


async def _until_signalled(arguments: argparse.Namespace) -> tuple[list[ServiceStatus], int]:
    """Do the work; on SIGINT or SIGTERM undo what was half done and return the signal's number."""
    found: list[ServiceStatus] = []
    caught = 0

    async def listen(scope: anyio.CancelScope) -> None:
        nonlocal caught
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for number in signals:
                caught = number
                scope.cancel()

    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(listen, group.cancel_scope)
        try:
            found = await _work(arguments)
        except (Unavailable, StartError, ValueError, OSError) as error:
            # Raised below: out of a task group it would come wrapped in a group.
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return found, caught


async def _work(arguments: argparse.Namespace) -> list[ServiceStatus]:
    chosen = arguments.services
    if arguments.command == "up":
        services = await bring_up(
            chosen or ALL,
            data=arguments.data,
            cache=arguments.cache,
            env_file=arguments.env_file,
            say=_say,
            parent=processes.identify(os.getppid()) if arguments.with_parent else None,
            ports={},
            fsync=not arguments.no_fsync,
            timeout=60.0,
        )
        found = await services.status()
    elif arguments.command == "down":
        found = await down(arguments.data, chosen or None, progress=_say)
    else:
        found = await status(arguments.data)
    if unknown := set(chosen) - set(SERVICES):
        raise ValueError(f"unknown service {', '.join(sorted(unknown))}; known are {', '.join(SERVICES)}")
    return [each for each in found if not chosen or each.name in chosen]


def _say(line: str) -> None:
    print(written_out(line, keep="\n"), file=sys.stderr, flush=True)


def _complain(error: Exception, code: int) -> int:
    _say(f"error: {error}")
    return code


def _as_json(found: Sequence[ServiceStatus]) -> str:
    return json.dumps([asdict(each) for each in found], indent=2)


def _as_table(found: Sequence[ServiceStatus]) -> str:
    if not found:
        return "no services here: start them with up"
    rows = [("SERVICE", "STATE", "READY", "PID", "PORT", "VERSION", "DETAIL")]
    for each in found:
        ready = "yes" if each.ready else "no"
        rows.append((each.name, each.state, ready, str(each.pid or "-"), str(each.port), each.version, each.detail))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
