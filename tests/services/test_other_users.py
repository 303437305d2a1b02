"""Other users of this machine, the servers' own among them: they read nothing, write nothing, and lead root nowhere."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from backbone.services import native, owned, processes, state
from backbone.services.accounts import account_of
from tests.services.clients import NAMES, status_of
from tests.services.conftest import bring_up

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="NOT TESTED AS ANOTHER USER: only root can become one; run the tests as root"
)

STRANGER = 59_998
PACKAGES = Path(anyio.__file__).parents[1]
WORDS = "root's own, of nobody's concern\n"


def as_user(number: int, script: str, *words: object) -> str:
    """What a shell of that user prints; the words are its arguments."""
    command = ["/bin/sh", "-c", script, "sh", *map(str, words)]
    done = subprocess.run(
        command, user=number, group=number, extra_groups=[], cwd="/", capture_output=True, text=True, check=False
    )
    return done.stdout


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that everybody can reach, as pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="backbone-users-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def reachable(place: Path) -> Iterator[native.Services]:
    """All servers, their data in a folder that everybody may look into."""
    data = place / "data"
    data.mkdir(mode=0o755)
    try:
        yield anyio.run(bring_up, NAMES, data)
    except native.Unavailable as error:
        pytest.skip(f"NOT TESTED AGAINST REAL SERVERS: {error}")
    finally:
        anyio.run(native.down, data)


@pytest.fixture
def victim(place: Path) -> Iterator[Path]:
    path = place / "victim"
    path.write_text(WORDS)
    path.chmod(0o600)
    yield path
    path.unlink()


def untouched(path: Path) -> bool:
    facts = path.stat()
    return path.read_text() == WORDS and (facts.st_uid, facts.st_gid, stat.S_IMODE(facts.st_mode)) == (0, 0, 0o600)


def sleeper(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["/bin/sleep", "60"], cwd=folder)


def server(services: native.Services, name: str) -> int:
    return Path(f"/proc/{services.pid(name)}").stat().st_uid


def test_every_server_has_a_user_of_its_own_whom_this_machine_does_not_know(reachable: native.Services) -> None:
    users = {name: server(reachable, name) for name in NAMES}
    assert len(set(users.values())) == len(NAMES)
    assert not {each.pw_uid for each in pwd.getpwall()} & set(users.values())
    for name in NAMES:
        everyone = processes.residents(reachable.data / name)
        assert everyone
        for each in everyone:
            status = Path(f"/proc/{each.pid}/status").read_text()
            facts = {line.partition(":")[0]: line.split()[1:] for line in status.splitlines()}
            assert facts["Uid"] == [str(users[name])] * 4
            assert facts["Groups"] == []
            assert facts["NoNewPrivs"] == ["1"]
            assert {int(facts[kind][0], 16) for kind in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")} == {0}


def test_another_user_reads_no_data_no_secret_no_socket(reachable: native.Services) -> None:
    assert "timescale" in as_user(STRANGER, 'ls "$1"', reachable.data), "the folder itself is reachable"
    found = as_user(STRANGER, 'find "$1" ! -type d -readable 2>/dev/null; ls "$1"/*/ 2>/dev/null', reachable.data)
    assert [line for line in found.splitlines() if not line.endswith("/services.json")] == []
    for name in NAMES:
        assert as_user(STRANGER, 'cat "/proc/$1/environ" 2>/dev/null | wc -c', reachable.pid(name)).strip() == "0"
    shared = as_user(STRANGER, "find /dev/shm -user $1 -readable 2>/dev/null", account_of("timescale").uid)
    assert shared == ""


def test_another_user_writes_nowhere_and_signals_nobody(reachable: native.Services) -> None:
    assert as_user(STRANGER, 'find "$1" -writable 2>/dev/null', reachable.data) == ""
    for name in NAMES:
        assert as_user(STRANGER, 'kill -0 "$1" 2>/dev/null && echo yes', reachable.pid(name)) == ""


@pytest.mark.parametrize("name", NAMES)
def test_a_server_reads_and_writes_nothing_of_the_others_or_of_the_launcher(
    reachable: native.Services, name: str
) -> None:
    user, home = server(reachable, name), reachable.data / name
    writable = as_user(user, 'find "$1" -writable 2>/dev/null', reachable.data).splitlines()
    own = {home / part for part in ("cluster", "sockets", "keys", "logs")}
    assert writable
    assert all(any(Path(line).is_relative_to(part) for part in own) for line in writable)
    readable = as_user(user, 'find "$1" -type f -readable 2>/dev/null', reachable.data).splitlines()
    outside = [line for line in readable if not Path(line).is_relative_to(home)]
    assert outside in ([], [str(reachable.data / "services.json")])
    assert str(home / "service.log") not in readable


LINKS = 'cd "$1" && for name in $3; do rm -rf "$name"; ln -s "$2" "$name"; done'
FILES = {
    "timescale": "pg_hba.conf postgresql.conf passwd service.log cluster/postgresql.conf",
    "redis": "redis.conf users.acl passwd service.log",
    "kafka": "server.properties log4j2.properties service.log",
}


@pytest.mark.parametrize("name", NAMES)
async def test_a_server_can_not_lead_root_to_another_file(reachable: native.Services, victim: Path, name: str) -> None:
    user, home = server(reachable, name), reachable.data / name
    await native.down(reachable.data, [name])
    as_user(user, LINKS, home, victim, FILES[name])
    await reachable.restart(name)
    assert (await status_of(reachable, name)).ready
    assert untouched(victim)


@pytest.mark.parametrize("name", NAMES)
async def test_a_folder_that_was_the_servers_as_a_whole_is_taken_back_without_following_its_links(
    reachable: native.Services, victim: Path, name: str
) -> None:
    """As earlier versions made them; the user may be somebody else of this machine."""
    home, former = reachable.data / name, STRANGER
    await native.down(reachable.data, [name])
    for path in (home, *home.rglob("*")):
        os.chown(path, former, former, follow_symlinks=False)
    as_user(former, LINKS, home, victim, FILES[name])
    await reachable.restart(name)
    assert (await status_of(reachable, name)).ready
    assert untouched(victim)
    assert home.stat().st_uid == 0
    assert as_user(former, 'find "$1" -writable -o -type f -readable', home) == ""
    for path in home.iterdir():
        facts = path.lstat()
        assert not stat.S_ISLNK(facts.st_mode)
        assert facts.st_uid == (account_of(name).uid if stat.S_ISDIR(facts.st_mode) else 0)


async def test_a_link_in_place_of_a_servers_folder_is_refused_by_its_name(
    reachable: native.Services, place: Path
) -> None:
    keys, mine = reachable.data / "redis" / "keys", place / "mine"
    mine.mkdir(mode=0o700)
    await native.down(reachable.data, ["redis"])
    keys.rename(keys.with_name("aside"))
    keys.symlink_to(mine)
    try:
        with pytest.raises(ValueError, match=r"redis/keys: is no folder of its own \(a link\?\); remove it"):
            await reachable.restart("redis")
        assert (mine.stat().st_uid, stat.S_IMODE(mine.stat().st_mode)) == (0, 0o700)
    finally:
        keys.unlink()
        keys.with_name("aside").rename(keys)
        await reachable.restart("redis")


async def test_a_link_to_where_somebody_works_has_nobody_ended(reachable: native.Services, place: Path) -> None:
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    (reachable.data / "redis" / "link").symlink_to(elsewhere)
    bystander = sleeper(elsewhere)
    try:
        await reachable.restart("redis")
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
        (reachable.data / "redis" / "link").unlink()


def test_a_tree_is_handed_over_without_what_is_linked_into_it(place: Path, victim: Path) -> None:
    home, redis = place / "home", account_of("redis")
    owned.take(home, redis)
    keys = home / "keys"
    keys.mkdir()
    (keys / "own").touch()
    os.link(victim, keys / "hard")
    (keys / "soft").symlink_to(victim)
    for path in (keys, keys / "own"):
        os.chown(path, STRANGER, STRANGER)
    assert owned.give(home, "keys", redis) == keys
    assert (keys / "own").stat().st_uid == redis.uid
    assert untouched(victim)


def test_a_log_that_is_also_somebody_elses_file_is_begun_anew(place: Path, victim: Path) -> None:
    logs = place / "logs"
    logs.mkdir(exist_ok=True)
    for name, make in (("hard", os.link), ("soft", os.symlink)):
        make(victim, logs / name)
    os.mkfifo(logs / "fifo")
    for name in ("hard", "soft", "fifo", "fresh"):
        for _ in range(2):
            with owned.log(logs / name) as handle:
                os.write(handle, b"line\n")
        assert (logs / name).read_text() == "line\nline\n"
    assert untouched(victim)


@pytest.mark.parametrize("of", ["data", "cache"])
@pytest.mark.parametrize("flaw", ["belongs to", "may write there"])
async def test_a_folder_that_others_command_is_refused(place: Path, flaw: str, of: str) -> None:
    own, theirs = place / f"own {of} {flaw}", place / f"their {of} {flaw}"
    theirs.mkdir()
    if flaw == "belongs to":
        os.chown(theirs, STRANGER, STRANGER)
    else:
        theirs.chmod(0o777)
    data, cache = (theirs, own) if of == "data" else (own, theirs)
    with pytest.raises(ValueError, match=rf"their {of} {flaw}: .*{flaw}"):
        await native.up(["redis"], data=data, cache=cache)
    assert state.load(data) is None


def test_who_is_not_root_runs_kafka_as_himself(reachable: native.Services, place: Path) -> None:
    """With an interpreter that he may reach, and a copy of the programs."""
    python = next((each for each in (sys.executable, "/usr/bin/python3") if runs(each)), None)
    if python is None:
        pytest.skip("NOT TESTED AS ANOTHER USER: no Python of this version that other users can reach")
    current = state.load(reachable.data)
    assert current is not None
    cache, data = place / "cache", place / "his" / "data"
    shutil.copytree(current.services["kafka"].install, cache / Path(current.services["kafka"].install).name)
    data.parent.mkdir(mode=0o700)
    for path in (data.parent, cache):
        os.chown(path, STRANGER, STRANGER)
    words = (python, f"{Path(native.__file__).parents[2]}:{PACKAGES}")
    launch = 'PYTHONPATH="$2" "$1" -B -m backbone.services.native "$3" kafka --data "$4" --cache "$5"'
    try:
        assert "running  yes" in as_user(STRANGER, launch, *words, "up", data, cache)
        (broker, *_) = processes.residents(data / "kafka")
        assert Path(f"/proc/{broker.pid}").stat().st_uid == STRANGER
        assert {path.stat().st_uid for path in data.rglob("*")} == {STRANGER}
        assert not any(stat.S_IMODE(path.stat().st_mode) & 0o077 for path in (data, data / "kafka"))
        assert stat.S_IMODE((data / "kafka" / "server.properties").stat().st_mode) == 0o600
    finally:
        as_user(STRANGER, launch, *words, "down", data, cache)
    assert not processes.residents(data / "kafka")


def runs(python: str) -> bool:
    """Whether the other user can run it, with the packages of this one."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    command = 'PYTHONPATH="$2" "$1" -c "import sys, anyio; print(*sys.version_info[:2], sep=chr(46))"'
    return as_user(STRANGER, command, python, PACKAGES).strip() == version
