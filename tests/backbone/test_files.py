"""Files that are written: whole or not at all, for the right people, never over a device."""

from __future__ import annotations

import ast
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backbone.files import PRIVATE, deliver, is_there, private_folder, replace
from backbone.services import envfile
from backbone.services.state import State, save

ROOT = Path(__file__).parents[2]
SCRIPT = Path(sys.executable).with_name("backbone")


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"])
def test_a_name_of_stdout_means_stdout_whatever_that_is(tmp_path: Path, name: str) -> None:
    """As root, the file took the place of /dev/stdout itself, for the whole machine."""
    if name == "link":
        (tmp_path / "link").symlink_to("/dev/stdout")
    words = [str(SCRIPT), "config", "show", "--format", "json", "--output", name]
    before = os.lstat("/dev/stdout").st_ino
    with (tmp_path / "out").open("wb") as out:
        out.write(b"first\n")
        out.flush()
        assert subprocess.run(words, stdout=out, cwd=tmp_path, env=clean()).returncode == 0
    first, opening = (tmp_path / "out").read_bytes().splitlines()[:2]
    assert (first, opening) == (b"first", b"{")
    piped = subprocess.run(words, stdout=subprocess.PIPE, cwd=tmp_path, env=clean())
    assert (piped.returncode, piped.stdout[:1]) == (0, b"{")
    assert os.lstat("/dev/stdout").st_ino == before
    assert (tmp_path / "link").is_symlink() is (name == "link")


def clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("BACKBONE_")}


def test_a_device_is_written_to_and_stays_one() -> None:
    reading, writing = os.openpty()
    try:
        terminal = Path(os.ttyname(writing))
        deliver(terminal, b"x")
        assert os.read(reading, 1) == b"x"
        with pytest.raises(FileExistsError, match="no regular file"):
            replace(terminal, b"x")
        assert terminal.is_char_device()
    finally:
        os.close(reading)
        os.close(writing)


def test_a_socket_is_refused_and_stays_one(tmp_path: Path) -> None:
    place = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(place))
        with pytest.raises(OSError, match="No such device or address"):
            deliver(place, b"x")
        with pytest.raises(FileExistsError):
            replace(place, b"x")
    assert place.is_socket()


def test_a_descriptor_that_takes_nothing_is_refused() -> None:
    reading, writing = os.pipe()
    try:
        with pytest.raises(OSError, match="Bad file descriptor"):
            deliver(Path(f"/proc/self/fd/{reading}"), b"x")
        deliver(Path(f"/proc/self/fd/{writing}"), b"abc")
        assert os.read(reading, 10) == b"abc"
    finally:
        os.close(reading)
        os.close(writing)


def test_a_link_to_a_file_is_replaced_and_its_target_kept(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "out").symlink_to(victim)
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    for name in ("out", "nowhere"):
        deliver(tmp_path / name, b"theirs")
        assert (tmp_path / name).read_text() == "theirs"
        assert not (tmp_path / name).is_symlink()
    assert victim.read_text() == "mine"
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize(("mask", "report"), [(0o000, 0o640), (0o022, 0o640), (0o077, 0o600)])
def test_who_may_read_a_file_is_so_from_its_first_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mask: int, report: int
) -> None:
    seen: list[int] = []
    sync = os.fsync

    def look(handle: int) -> None:
        seen.append(stat.S_IMODE(os.fstat(handle).st_mode))
        sync(handle)

    monkeypatch.setattr(os, "fsync", look)
    with umask(mask):
        replace(tmp_path / "report", b"x")
        replace(tmp_path / "secret", b"x", PRIVATE)
        private_folder(tmp_path / "a" / "b")
    assert seen == [report, 0o600]
    assert (mode(tmp_path / "report"), mode(tmp_path / "secret")) == (report, 0o600)
    assert (mode(tmp_path / "a"), mode(tmp_path / "a" / "b")) == (0o700, 0o700)


@pytest.mark.parametrize("name", ["é" * 120, "日" * 80, "x" * 255], ids=["two bytes", "three bytes", "one byte"])
def test_a_name_as_long_as_a_folder_takes_is_written_to(tmp_path: Path, name: str) -> None:
    """The name that the file has at first was longer, and too long."""
    replace(tmp_path / name, b"x")
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_a_folder_that_is_there_keeps_its_rights(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a").chmod(0o755)
    private_folder(tmp_path / "a")
    assert mode(tmp_path / "a") == 0o755
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        private_folder(tmp_path / "file")


def test_what_others_laid_where_the_passwords_will_be_written_is_neither_used_nor_followed(tmp_path: Path) -> None:
    """Everyone may write to the folder, and the names that were guessable are taken by files that others may read."""
    tmp_path.chmod(0o777)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    laid = [tmp_path / f".{name}.{os.getpid()}.new" for name in (".env", "services.json")]
    laid[0].touch(0o666)
    laid[1].symlink_to(victim)
    inode = laid[0].stat().st_ino
    with umask(0):
        envfile.update(tmp_path / ".env", {"PASSWORD": "canary"})
        save(tmp_path, State(str(tmp_path / ".env")))
    for name in (".env", "services.json"):
        written = tmp_path / name
        assert mode(written) == 0o600
        assert not written.is_symlink()
        assert written.stat().st_ino != inode
    assert (victim.read_text(), laid[0].read_text()) == ("mine", "")
    assert envfile.read(tmp_path / ".env") == {"PASSWORD": "canary"}


WRITES = {"write_text", "write_bytes", "mkstemp", "NamedTemporaryFile", "touch"}
ELSEWHERE = {
    "backbone/files.py",
    "backbone/cli/process/streams.py",  # opens /dev/null
}


def test_files_are_written_in_one_place() -> None:
    """The servers on this machine get their configuration from `services/`, in folders of their own."""
    for path in (*ROOT.glob("backbone/**/*.py"), *ROOT.glob("actors/**/*.py")):
        name = str(path.relative_to(ROOT))
        if name in ELSEWHERE or (name.startswith("backbone/services/") and path.stem not in {"envfile", "state"}):
            continue
        text = path.read_text()
        # to look is cheaper than to parse
        for node in ast.walk(ast.parse(text)) if any(name in text for name in (*WRITES, "open")) else ():
            if isinstance(node, ast.Call):
                assert not _writes(node), f"{name}:{node.lineno} writes a file; let backbone.files do it"


def _writes(call: ast.Call) -> bool:
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    values = [*call.args, *(word.value for word in call.keywords)]
    given = [each.value for each in values if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    if name in {"open", "fdopen"}:
        return any(set(each) <= set("rwaxbt+") and bool(set(each) & set("wax+")) for each in given)
    return name in WRITES


@pytest.mark.parametrize("laid", ["file", "link", "dangling link"])
def test_what_lies_under_the_name_of_the_new_file_is_neither_used_nor_followed(
    laid: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can guess the name; where somebody did, nothing of ours goes there."""
    monkeypatch.setattr("backbone.files.secrets.token_hex", lambda _: "guessed")
    theirs, partial = tmp_path / "theirs", tmp_path / ".report.json.guessed.partial"
    if laid != "dangling link":
        theirs.write_text("theirs")
    if laid == "file":
        partial.write_text("theirs")
    else:
        partial.symlink_to(theirs)
    with pytest.raises(FileExistsError):
        replace(tmp_path / "report.json", b"ours")
    assert theirs.exists() == (laid != "dangling link")
    assert partial.is_symlink() or partial.read_text() == "theirs"
    assert not (tmp_path / "report.json").exists()


def test_a_switch_that_can_not_be_looked_at_is_on(tmp_path: Path) -> None:
    switch = tmp_path / "kill"
    assert not is_there(None)
    assert not is_there(str(switch))
    switch.symlink_to("nowhere")
    assert is_there(str(switch))
    (tmp_path / "circle").symlink_to("circle")
    assert is_there(str(tmp_path / "circle" / "kill"))
    assert is_there(str(tmp_path / ("x" * 300)))
