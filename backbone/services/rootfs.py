"""A small Debian with TimescaleDB and Redis in the cache, and commands that run inside it.

Each command gets a mount namespace of its own: what is mounted there (its data folder among the rest) goes away with
its last process, whatever happens, and two of them do not see each other.
"""

from __future__ import annotations

import shutil
import signal
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import anyio

from backbone.services import owned
from backbone.services.accounts import Account
from backbone.services.installs import all_of, fingerprint, install_newest
from backbone.services.machine import Say, Unavailable, apt_get, ensure_programs, mortal, require_debian_root, run

SUITE = "trixie"
PACKAGES = ("postgresql-17-timescaledb", "redis-server")
HOME = Path("/srv/backbone")
"""Where a service finds its folder inside the root file system."""

_BUILD_SECONDS = 600.0
_OPTIONS = (
    "--mode=root",
    "--variant=minbase",
    f"--include={','.join(PACKAGES)}",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    # Debian would make a database cluster of its own while installing; ours are made per data folder.
    "--dpkgopt=force-confold",
    '--essential-hook=mkdir -p "$1/etc/postgresql-common"',
    '--essential-hook=echo "create_main_cluster = false" > "$1/etc/postgresql-common/createcluster.conf"',
    f'--customize-hook=mkdir "$1{HOME}"',
)
# Arguments: root file system, folder to be seen as HOME, command. The shell and chroot become the command by exec.
# The user is one of this machine's numbers, made for the purpose; inside it has the name that PostgreSQL asks for.
_ENTER = f"""
mount --rbind /dev "$1/dev"
mount --bind /proc "$1/proc"
mount -t tmpfs -o mode=1777 tmpfs "$1/tmp"
mount --bind "$2" "$1{HOME}"
mount --bind "$2/passwd" "$1/etc/passwd"
root=$1; shift 2
exec chroot "$root" "$@"
"""


async def install(cache: Path, say: Say, *, since: datetime | None = None) -> Path:
    """Return the newest root file system in the cache, building one if none is there.

    Args:
        cache: the folder of installed programs.
        say: told about the installation.
        since: older ones don't count.

    Raises:
        Unavailable: this is not Debian, or not root, or the mirror does not answer.
    """
    require_debian_root("TimescaleDB and Redis")

    async def build(partial: Path) -> None:
        await ensure_programs({"mmdebstrap": "mmdebstrap"}, lock=cache / ".apt.lock", say=say)
        say(f"installing {' and '.join(PACKAGES)} into {cache} (about 425 MB)")
        await _bootstrap(partial)

    return await install_newest(_target(cache), build, say=say, since=since)


async def update(cache: Path, say: Say) -> Path:
    """Build a root file system of today's versions beside the last; older ones go, but for what runs.

    Raises:
        Unavailable: as for `install`; what was there stays and works.
    """
    built = await install(cache, say, since=datetime.now(UTC).replace(microsecond=0))
    for old in all_of(_target(cache))[:-2]:
        if not _is_lived_in(old):
            say(f"removing {old}")
            await anyio.to_thread.run_sync(shutil.rmtree, old)
    return built


def _target(cache: Path) -> Path:
    return cache / f"rootfs-{SUITE}-{fingerprint(repr(_OPTIONS))}"


def _is_lived_in(root: Path) -> bool:
    """Tell whether it is the root of any process."""
    for entry in Path("/proc").glob("[0-9]*/root"):
        with suppress(OSError):
            if entry.samefile(root):
                return True
    return False


async def _bootstrap(target: Path) -> None:
    # In a process namespace that dies with its first process, since an interrupted build must not go on by itself.
    jail = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
    command = [*jail, "mmdebstrap", *_OPTIONS, *await _proxies(), SUITE, str(target), *await _mirrors()]
    await run(mortal(command), what="mmdebstrap (the Debian root file system)", timeout=_BUILD_SECONDS)


async def _mirrors() -> list[str]:
    """Return source lines of the suite on the mirrors that this machine's own apt uses."""
    mirrors = await _apt_targets()
    if not mirrors.get("Debian"):
        await apt_get("update")
        mirrors = await _apt_targets()
    if not mirrors.get("Debian"):
        raise Unavailable("apt knows no Debian mirror here: put one into /etc/apt/sources.list.d, run apt-get update")
    lines = [f"deb {mirrors['Debian']} {SUITE} main"]
    if security := mirrors.get("Debian-Security"):
        lines.append(f"deb {security} {SUITE}-security main")
    return lines


async def _apt_targets() -> dict[str, str]:
    command = ["apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)", "Created-By: Packages"]
    output = await run(command, what="apt-get indextargets", timeout=60)
    rows = (line.split("|") for line in output.splitlines() if line.startswith("Debian|"))
    return {label: uri for _origin, label, uri in rows}


async def _proxies() -> list[str]:
    output = await run(["apt-config", "dump"], what="apt-config dump", timeout=60)
    wanted = ("Acquire::http::Proxy ", "Acquire::https::Proxy ", "Acquire::https::CAInfo ")
    return [f"--aptopt={line.rstrip(';')}" for line in output.splitlines() if line.startswith(wanted)]


def name(home: Path, account: Account, user: str) -> None:
    """Write who is who inside: root, and the service's user under the name of its programs."""
    rows = ("root:x:0:0:root:/root:/bin/sh", f"{user}:x:{account.uid}:{account.gid}::{HOME}:/usr/sbin/nologin")
    owned.write(home / "passwd", "".join(f"{row}\n" for row in rows), account)


def inside(
    root: Path, home: Path, account: Account, command: list[str], *, parent_death: signal.Signals | None = None
) -> list[str]:
    """Return a command that runs another one in the root file system, without root's rights and without a fork.

    Args:
        root: the root file system.
        home: the folder that the command sees as `HOME`.
        account: whom it runs as; `name` has been called for it.
        command: the command, its paths as seen inside.
        parent_death: signal that the kernel sends it when the thread that started it ends. Set last, since a
            change of the user clears it.
    """
    return [*MOUNTING, _ENTER, "sh", str(root), str(home), *without_rights(account, parent_death), *command]


def without_rights(account: Account, parent_death: signal.Signals | None) -> list[str]:
    """Return the words before a command by which it runs as a user who has no rights and can't get any."""
    who = [f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"]
    nothing = ["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]
    return ["setpriv", *who, *nothing, *([] if parent_death is None else [ending_with_parent(parent_death)])]


def ending_with_parent(number: signal.Signals) -> str:
    """Return the option of setpriv by which the kernel sends the signal when the starting thread ends."""
    return f"--pdeathsig={number.name.removeprefix('SIG')}"


MOUNTING = ("/usr/bin/unshare", "--mount", "--propagation=private", "sh", "-ec")
"""What comes before a script that mounts for itself and its successors alone."""

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
"""The environment of every service: nothing of the launcher's own reaches a server."""
