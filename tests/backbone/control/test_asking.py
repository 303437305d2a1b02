"""Asking, where somebody else listens: another user, one who answers nonsense, one who never comes to an end."""

import os
import socket
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from backbone.control.asking import Line, ask_running, bytes_of_running
from backbone.control.errors import ControlUnreachable
from backbone.control.wire import refusal
from tests.backbone.control.impostor import listening, saying
from tests.backbone.control.users import NOBODY, root_only

GOOD = b'{"schema":1,"ok":true,"result":{"a":1}}\n'
HOSTILE = {
    "nothing": b"",
    "another protocol": b"HTTP/1.1 400 Bad Request\n",
    "half an answer": b'{"ok": tr',
    "a list": b"[1]\n",
    "a result that is a list": b'{"schema":1,"ok":true,"result":[1]}\n',
    "no schema": b'{"ok":true,"result":{"a":1}}\n',
    "another schema": b'{"schema":2,"ok":true,"result":{"a":1}}\n',
    "deep": b"[" * 2_000_000 + b"\n",
    "deep inside": b'{"schema":1,"ok":true,"result":{"a":' + b"[" * 200 + b"]" * 200 + b"}}\n",
    "no text": b'{"schema":1,"ok":true,"result":{"a":"\xff"}}\n',
    "half a character": b'{"schema":1,"ok":true,"result":{"a":"\\ud800"}}\n',
    "a huge number": b'{"schema":1,"ok":true,"result":{"a":' + b"9" * 100_000 + b"}}\n",
    "a huge schema": b'{"schema":' + b"9" * 5_000 + b',"ok":true,"result":{}}\n',
    "no truth": b'{"schema":1,"ok":"yes","result":{}}\n',
    "a novel for an error": b'{"schema":1,"ok":false,"error":"' + b"x" * 1_000_000 + b'"}\n',
}


@pytest.mark.parametrize("answer", HOSTILE.values(), ids=HOSTILE)
def test_who_answers_something_else_is_refused_in_one_way(tmp_path: Path, answer: bytes) -> None:
    path = tmp_path / "b.sock"
    with listening(path, saying(answer)), pytest.raises(ControlUnreachable, match=r"b\.sock gave no answer") as refused:
        ask_running(path, "status")
    assert len(str(refused.value)) < 1_000


ANNOUNCED = {
    "too many": b'{"schema":1,"ok":true,"result":{"bytes":5000}}\n',
    "none": b'{"schema":1,"ok":true,"result":{}}\n',
    "fewer than none": b'{"schema":1,"ok":true,"result":{"bytes":-1}}\n',
    "a truth": b'{"schema":1,"ok":true,"result":{"bytes":true}}\nx',
    "half of them": b'{"schema":1,"ok":true,"result":{"bytes":4}}\nab',
}


@pytest.mark.parametrize("answer", [*HOSTILE.values(), *ANNOUNCED.values()], ids=[*HOSTILE, *ANNOUNCED])
def test_who_sends_other_bytes_than_announced_is_refused_in_one_way(tmp_path: Path, answer: bytes) -> None:
    path = tmp_path / "b.sock"
    with listening(path, saying(answer)), pytest.raises(ControlUnreachable, match=r"b\.sock gave no answer"):
        bytes_of_running(path, "sql", 2.0, {}, 4096)


def test_bytes_are_those_that_are_announced_and_a_refusal_has_its_code(tmp_path: Path) -> None:
    path = tmp_path / "b.sock"
    with listening(path, saying(b'{"schema":1,"ok":true,"result":{"bytes":4}}\nab\ncd')):
        assert bytes_of_running(path, "sql", 2.0, {}, 4096) == b"ab\nc"
    with listening(tmp_path / "c.sock", saying(b'{"schema":1,"ok":false,"error":"no","code":"statement"}\n')):
        assert bytes_of_running(tmp_path / "c.sock", "sql", 2.0, {}, 4096) == ("statement", "no")


def test_a_refusal_of_any_length_is_read_as_one(tmp_path: Path) -> None:
    path = tmp_path / "b.sock"
    with listening(path, saying(refusal("x" * 20_000, "statement"))):
        code, why = bytes_of_running(path, "sql", 2.0, {}, 4096)
    assert (code, why) == ("statement", "x" * 4095 + "…")


def test_what_is_behind_the_line_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "b.sock"
    with listening(path, saying(GOOD + b"more")):
        assert ask_running(path, "status") == {"a": 1}


def test_who_answers_a_byte_at_a_time_does_not_keep_the_asker_beyond_its_deadline(tmp_path: Path) -> None:
    path = tmp_path / "b.sock"
    told = threading.Event()

    def drip(client: socket.socket) -> None:
        while not told.wait(0.02):
            client.sendall(b" ")

    with listening(path, drip):
        with pytest.raises(ControlUnreachable, match="gave no answer"):
            ask_running(path, "status", 0.2)
        told.set()


def test_who_never_ends_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "b.sock"

    def endless(client: socket.socket) -> None:
        client.recv(65536)
        while True:
            client.sendall(b"x" * 65536)

    with listening(path, endless), pytest.raises(ControlUnreachable, match="gave no answer"):
        ask_running(path, "status")


def test_a_full_queue_in_front_of_the_socket_is_busy_and_not_away(tmp_path: Path) -> None:
    path = tmp_path / "b.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server, ExitStack() as waiting:
        server.bind(os.fspath(path))
        server.listen(0)
        for _ in range(64):
            client = waiting.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            client.setblocking(False)
            try:
                client.connect(os.fspath(path))
            except BlockingIOError:
                break
        else:
            pytest.fail("the queue never filled")
        with pytest.raises(ControlUnreachable, match=r"is busy.* ask again"):
            ask_running(path, "status", 0.2)


def test_a_refusal_that_means_wait_is_told_from_one_that_means_no(tmp_path: Path) -> None:
    path = tmp_path / "b.sock"
    busy = b'{"schema":1,"ok":false,"error":"32 questions are open; ask again","code":"busy"}\n'
    with listening(path, saying(busy)), pytest.raises(ControlUnreachable, match="32 questions are open; ask again"):
        ask_running(path, "status")
    path.unlink()
    with listening(path, saying(b'{"schema":1,"ok":false,"error":"no such"}\n')), pytest.raises(ValueError, match="no"):
        ask_running(path, "status")


def test_a_refusal_sent_before_the_question_was_read_is_heard(tmp_path: Path) -> None:
    path = tmp_path / "b.sock"
    busy = b'{"schema":1,"ok":false,"error":"full","code":"busy"}\n'
    with listening(path, lambda client: client.sendall(busy)), pytest.raises(ControlUnreachable, match="full"):
        ask_running(path, "status")


@root_only
def test_a_socket_of_another_user_is_not_asked(tmp_path: Path) -> None:
    path = tmp_path / "b.sock"
    asked: list[bytes] = []

    def take(client: socket.socket) -> None:
        asked.append(client.recv(65536))
        client.sendall(GOOD)

    with listening(path, take, NOBODY), pytest.raises(ControlUnreachable, match=f"uid {NOBODY}.* nothing was asked"):
        ask_running(path, "status")
    assert not any(asked)


def test_a_file_that_is_no_socket_is_not_taken_for_a_backbone_that_does_not_run(tmp_path: Path) -> None:
    path = tmp_path / "b.sock"
    path.write_text("")
    with pytest.raises(ControlUnreachable, match=r"is no socket.* even if one runs; move it away"):
        ask_running(path, "roster")


def test_a_path_with_a_nul_is_no_backbone_either() -> None:
    with pytest.raises(ControlUnreachable, match="no running backbone"):
        ask_running("a\0b.sock", "roster")


def test_the_deadline_counts_from_the_first_step(tmp_path: Path) -> None:
    path = tmp_path / "b.sock"
    with listening(path, saying(GOOD)), pytest.raises(ControlUnreachable, match="is busy"):
        ask_running(path, "status", 0.0)


def test_who_hangs_up_before_he_is_through_asks_nothing_and_who_does_so_behind_it_hits_nobody() -> None:
    line = Line()
    line.hang_up()
    near, far = socket.socketpair()
    with near, far, line.over(near):
        far.settimeout(30)
        assert far.recv(1) == b""
    line = Line()
    near, far = socket.socketpair()
    with near, far:
        with line.over(near):
            pass
        line.hang_up()
        near.sendall(b"x")
        assert far.recv(1) == b"x"
