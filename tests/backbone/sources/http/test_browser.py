"""The transport that speaks as browsers do gives the same answers, within the same bounds."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from backbone.sources.errors import InputInvalid, SourceUnset
from backbone.sources.http.decoding import decoded
from backbone.sources.http.transport import Bounds, Cut, Unreached
from tests.backbone.sources.http.test_client import BOUNDS, Clock
from tests.backbone.sources.server import JSON, Provider, Reply, as_json, endless, packed

pytest.importorskip("curl_cffi")

from backbone.sources.http.browser import BrowserTransport


@pytest.fixture
def transport() -> Iterator[BrowserTransport]:
    given = BrowserTransport("chrome")
    yield given
    given.close()


def test_it_asks_as_a_browser_does_and_gives_the_answer(provider: Provider, transport: BrowserTransport) -> None:
    provider.answer("/a", packed(b'{"fine": true}'))
    answer = transport.get(f"{provider.url}/a", {"x": "1 & 2"}, {}, BOUNDS, Clock())
    assert (answer.status, answer.body, answer.media_type) == (200, b'{"fine": true}', "application/json")
    (seen,) = provider.seen
    assert seen.query == {"x": "1 & 2"}
    assert "Chrome/" in seen.headers["user-agent"]


def test_cookies_are_kept_until_they_are_forgotten(provider: Provider, transport: BrowserTransport) -> None:
    provider.answer("/a", Reply(b"{}", 200, {**JSON, "Set-Cookie": "stale=1; Path=/"}), as_json({}))
    for _ in range(2):
        transport.get(f"{provider.url}/a", {}, {}, BOUNDS, Clock())
    transport.forget()
    transport.get(f"{provider.url}/a", {}, {}, BOUNDS, Clock())
    assert [each.headers.get("cookie") for each in provider.seen] == [None, "stale=1", None]


@pytest.mark.parametrize("reply", [Reply(endless(), size=None), packed(b"x" * 5_000_000)], ids=["endless", "bomb"])
def test_an_answer_grows_no_further_than_its_bound(
    provider: Provider, transport: BrowserTransport, reply: Reply
) -> None:
    provider.answer("/a", reply)
    with pytest.raises(Cut, match="is larger than 100,000 bytes"):
        transport.get(f"{provider.url}/a", {}, {}, BOUNDS, Clock())


def test_an_answer_that_breaks_off_is_none(provider: Provider, transport: BrowserTransport) -> None:
    provider.answer("/a", Reply(b"{}", size=100))
    with pytest.raises(Unreached):
        transport.get(f"{provider.url}/a", {}, {}, BOUNDS, Clock())


def test_a_packed_answer_that_breaks_off_is_refused_by_what_is_in_it(
    provider: Provider, transport: BrowserTransport
) -> None:
    """curl takes it for whole, and half of a JSON text is none."""
    body = b'{"values": [%s]}' % b",".join(b"%d" % n for n in range(5000))
    provider.answer("/a", packed(body, cut=5000))
    answer = transport.get(f"{provider.url}/a", {}, {}, BOUNDS, Clock())
    with pytest.raises(InputInvalid, match="is no JSON"):
        decoded(answer, dict[str, list[int]])


def test_a_host_that_is_not_there_is_told_without_the_query(transport: BrowserTransport) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/a"
        with pytest.raises(Unreached) as caught:
            transport.get(url, {"crumb": "sesame"}, {}, Bounds(1.0, 1.0, 1.0, 100), Clock())
    assert "sesame" not in str(caught.value)
    assert str(caught.value)


def test_a_redirect_is_not_followed(provider: Provider, transport: BrowserTransport) -> None:
    provider.answer("/a", Reply(b"", 302, {"Location": f"{provider.url}/b"}))
    assert transport.get(f"{provider.url}/a", {}, {}, BOUNDS, Clock()).status == 302
    assert not provider.asked("/b")


def test_a_silent_host_is_given_up(transport: BrowserTransport) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(Unreached, match="1 bytes/sec"):
            transport.get(url, {}, {}, Bounds(1.0, 1.0, 60.0, 1000), Clock())


def test_a_browser_that_nobody_knows_is_refused_with_the_setting(provider: Provider) -> None:
    transport = BrowserTransport("netscape4")
    with pytest.raises(SourceUnset, match=r"knows no browser 'netscape4' .*; set providers\.yahoo\.impersonate"):
        transport.get(f"{provider.url}/a", {}, {}, BOUNDS, Clock())
