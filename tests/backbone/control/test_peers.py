"""Who is at the other end, on systems that tell it in different words."""

import os
import socket
import struct
from typing import cast

import pytest

from backbone.control.peers import Peer, is_trusted, peer_of
from backbone.control.places import ALL, OF_ONE_PROCESS, Places

US = os.geteuid()


class Told:
    """A connection of which the kernel says this."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer

    def getsockopt(self, level: int, option: int, size: int) -> bytes:
        return self.answer[:size]


def test_of_our_own_process_the_kernel_says_so() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert peer_of(one) == Peer(os.getpid(), US)


def test_processes_of_containers_without_a_number_here_are_not_taken_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    nameless = peer_of(cast("socket.socket", Told(struct.pack("3i", 0, US, US))))
    assert nameless == Peer(None, US)
    places = Places()
    assert [places.take(nameless) for _ in range(OF_ONE_PROCESS + 1)] == [""] * (OF_ONE_PROCESS + 1)


@pytest.mark.parametrize("platform", ["darwin", "freebsd14"])
def test_bsd_tells_the_user_and_no_process(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", platform)
    xucred = struct.pack("2Ih", 0, 501, 1) + bytes(66)
    assert peer_of(cast("socket.socket", Told(xucred))) == Peer(None, 501)


def test_where_nobody_tells_the_rights_of_the_file_have_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "sunos5")
    assert peer_of(cast("socket.socket", Told(b""))) == Peer(None, None)
    assert is_trusted(Peer(None, None))


@pytest.mark.parametrize(("uid", "trusted"), [(US, True), (0, True), (US + 1, False), (65534, False)])
def test_only_we_and_root_are_trusted(uid: int, trusted: bool) -> None:
    assert is_trusted(Peer(1, uid)) is trusted


def test_places_are_given_by_process_and_in_all_and_come_back() -> None:
    places = Places()
    for _ in range(OF_ONE_PROCESS):
        assert places.take(Peer(1, US)) == ""
    assert "process 1 has" in places.take(Peer(1, US))
    for pid in range(2, 2 + ALL - OF_ONE_PROCESS):
        assert places.take(Peer(pid, US)) == ""
    assert f"{ALL} connections are open" in places.take(Peer(99, US))
    places.leave(Peer(1, US))
    assert places.take(Peer(99, US)) == ""


def test_where_no_process_is_told_only_the_number_of_all_counts() -> None:
    places = Places()
    assert [places.take(Peer(None, US)) for _ in range(ALL)] == [""] * ALL
    assert places.take(Peer(None, US))
