"""What this machine offers, and the one way in which the launcher runs other programs."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from subprocess import STDOUT

import anyio

from backbone.services.locks import exclusive

Say = Callable[[str], None]

DOCKER_WAY = "or use Docker: docker compose -f compose/docker-compose.yml up --detach --wait"
_APT_SECONDS = 300.0


class Unavailable(RuntimeError):
    """Something the services need can't be had here; the message says what was found and what to do."""


async def run(
    command: Sequence[str],
    *,
    what: str,
    timeout: float,
    stdin: str = "",
    env: Mapping[str, str] | None = None,
) -> str:
    """Run a program to its end and return its output (stdout and stderr together).

    Args:
        command: the program and its arguments; never a secret, since every user of the machine can read them.
        what: the activity, for error messages.
        timeout: seconds after which the program is killed.
        stdin: text for its standard input.
        env: its whole environment; this process's own if None.

    Raises:
        Unavailable: it is missing, ended with an error, or did not end in time.
    """
    try:
        # A file in memory, since a pipe breaks where the program ends before it has read its input.
        with os.fdopen(os.memfd_create("stdin"), "w+b") as words, anyio.fail_after(timeout):
            words.write(stdin.encode())
            words.seek(0)
            done = await anyio.run_process(
                list(command), stdin=words, check=False, stderr=STDOUT, env=env, start_new_session=True
            )
    except TimeoutError:
        raise Unavailable(f"{what}: no end within {timeout:g} s (raise the limit or look at the network)") from None
    except OSError as error:
        raise Unavailable(f"{what}: {command[0]} could not be run: {error.strerror}") from None
    output = done.stdout.decode(errors="replace")
    if done.returncode:
        raise Unavailable(f"{what} failed with exit code {done.returncode}: {last_lines(output)}")
    return output


def mortal(command: Sequence[str]) -> list[str]:
    """Return a command that is killed with its launcher, so that two builds never write into one folder."""
    return ["setpriv", "--pdeathsig=KILL", *command]


def last_lines(text: str, count: int = 4) -> str:
    """Return the last lines of a program's output that are not empty, as one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-count:]) or "it printed nothing"


def is_debian() -> bool:
    """Tell whether this is Debian itself (its archive keys and mirror are what the root file system is built from)."""
    try:
        release = Path("/etc/os-release").read_text(encoding="utf-8")
    except OSError:
        return False
    return "ID=debian" in release.splitlines() and shutil.which("apt-get") is not None


def require_debian_root(what: str) -> None:
    """Raise Unavailable, with what to do, unless this process is root on Debian."""
    if not is_debian():
        raise Unavailable(f"{what} without Docker needs Debian, this is {sys.platform} without it; {DOCKER_WAY}")
    if os.geteuid() != 0:
        raise Unavailable(
            f"{what} without Docker needs root (chroot), this is uid {os.geteuid()}: use sudo; {DOCKER_WAY}"
        )


def require_linux() -> None:
    """Raise Unavailable unless processes can be followed through /proc, as the launcher does."""
    if not Path("/proc/self/stat").exists():
        raise Unavailable(f"services without Docker need Linux, this is {sys.platform}; {DOCKER_WAY}")


async def ensure_programs(programs: Mapping[str, str], *, lock: Path, say: Say) -> None:
    """Install missing programs with apt-get.

    Args:
        programs: program name to the Debian package that has it.
        lock: lock file that keeps two launchers from calling apt-get at once.
        say: told about each installation.

    Raises:
        Unavailable: a program is missing and can't be installed here.
    """
    missing = [program for program in programs if shutil.which(program) is None]
    if not missing:
        return
    packages = sorted({programs[program] for program in missing})
    if not is_debian() or os.geteuid() != 0:
        raise Unavailable(f"{', '.join(missing)} not found: install {' '.join(packages)}, {DOCKER_WAY}")
    async with exclusive(lock, what="apt-get", say=say, timeout=_APT_SECONDS):
        say(f"installing {' '.join(packages)} with apt-get")
        await apt_get("update")
        await apt_get("install", "--yes", "--no-install-recommends", *packages)


async def apt_get(*arguments: str) -> None:
    """Run apt-get without questions; raise Unavailable with its last words where it fails."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120", *arguments]
    await run(command, what=f"apt-get {arguments[0]}", timeout=_APT_SECONDS, env=environment)
