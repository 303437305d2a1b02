"""Asking over HTTP: at the host's pace, again where that may help, and a clear word where it was in vain."""

from __future__ import annotations

import gzip
import logging
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Self

import pytest

from backbone.settings.secrets import Secret
from backbone.settings.sections.providers import ProvidersSettings
from backbone.sources.errors import InputInvalid, SourceUnavailable, SourceUnset
from backbone.sources.http.client import Client, Pace, Refused, retry_after
from backbone.sources.http.hosts import Hosts
from backbone.sources.http.opening import Connection
from backbone.sources.http.plain import PlainTransport
from backbone.sources.http.timing import Waiting
from backbone.sources.http.transport import Answer, Bounds, Cut, Unreached
from tests.backbone.sources.server import JSON, Provider, Reply, as_json, endless, packed

BOUNDS = Bounds(connect=2.0, read=2.0, whole=30.0, size=100_000)
GOOD = as_json({"fine": True})


class Clock:
    """Time that passes by waiting alone."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waited: list[float] = []
        self.stopped = False

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.check()
        self.waited.append(round(seconds, 3))
        self.now += seconds

    def check(self) -> None:
        if self.stopped:
            raise SourceUnavailable("stopped")

    def stop(self) -> None:
        self.stopped = True


class Asking:
    """Clients of one provider, whose pauses are never random."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.clock = Clock()
        self.hosts = Hosts()
        self.transport = PlainTransport(provider.url.removeprefix("http://"))

    def client(self, **changes: Any) -> Client:
        chosen: dict[str, Any] = {"rate": 1000.0, "attempts": 4, "pause": 1.0, "patience": 60.0, "bounds": BOUNDS}
        pace = Pace(**(chosen | changes))
        return Client(self.provider.url, pace, self.transport, self.clock, self.hosts, random_share=lambda: 1.0)


class Dripping:
    """A host that sends a byte of its headers now and then, and after the first tells that it was asked."""

    def __init__(self) -> None:
        self.came: Callable[[], None] = lambda: None
        self._socket = socket.socket()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._over = threading.Event()

    def __enter__(self) -> Self:
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen()
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._socket.close()
        self._thread.join(5)

    def _serve(self) -> None:
        given, _ = self._socket.accept()
        with given, suppress(OSError):
            given.recv(10_000)
            given.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            self.came()
            while not self._over.wait(0.02):
                given.sendall(b"x")


@pytest.fixture
def asking(provider: Provider) -> Iterator[Asking]:
    given = Asking(provider)
    yield given
    given.transport.close()


def test_an_answer_comes_with_its_status_and_its_body(asking: Asking) -> None:
    asking.provider.answer("/a", GOOD)
    answer = asking.client().get("/a", {"x": "1 & 2"})
    assert (answer.status, answer.body, answer.media_type, answer.charset) == (
        200, b'{"fine": true}', "application/json", "utf-8",
    )  # fmt: skip
    assert asking.provider.seen[0].query == {"x": "1 & 2"}


def test_a_packed_answer_is_unpacked(asking: Asking) -> None:
    asking.provider.answer("/a", packed(b"x" * 50_000))
    assert asking.client().get("/a", {}).body == b"x" * 50_000


@pytest.mark.parametrize("status", [408, 423, 500, 502, 503, 504, 522])
def test_what_may_pass_is_asked_again_after_growing_pauses(asking: Asking, status: int) -> None:
    asking.provider.answer("/a", *[as_json({}, status)] * 2, GOOD)
    assert asking.client().get("/a", {}).status == 200
    assert asking.clock.waited[0] == 0.0
    assert asking.clock.waited[1] >= 1.0
    assert asking.clock.waited[2] >= 2.0


def test_what_does_not_pass_is_given_up_after_a_bounded_number_of_attempts(asking: Asking) -> None:
    asking.provider.answer("/a", as_json({}, 500))
    with pytest.raises(SourceUnavailable, match=r"127\.0\.0\.1:\d+ answers 500 Internal Server Error, 4 times"):
        asking.client().get("/a", {})
    assert len(asking.provider.seen) == 4


def test_a_host_that_asks_for_a_pause_gets_it_from_all_clients(asking: Asking) -> None:
    asking.provider.answer("/a", as_json({}, 429, **{"Retry-After": "17"}), GOOD)
    asking.provider.answer("/b", GOOD)
    one, other = asking.client(), asking.client()
    began = asking.clock.now
    assert one.get("/a", {}).status == 200
    assert asking.clock.now - began == pytest.approx(17, abs=0.01)
    asking.hosts.of(other.host).pause(asking.clock.now + 5)
    other.get("/b", {})
    assert asking.clock.waited[-1] == pytest.approx(5, abs=0.01)


def test_who_has_a_place_already_waits_as_well_where_the_host_asks_for_a_pause_meanwhile(asking: Asking) -> None:
    asking.provider.answer("/a", GOOD)
    asking.client(rate=0.5).get("/a", {})
    sleep, until = asking.clock.sleep, asking.clock.now + 17

    def told_meanwhile(seconds: float) -> None:
        sleep(seconds)
        asking.hosts.of(asking.client().host).pause(until)

    asking.clock.sleep = told_meanwhile  # type: ignore[method-assign]
    asking.client(rate=0.5).get("/a", {})
    assert asking.clock.now == pytest.approx(until)


def test_a_pause_that_comes_with_another_failure_is_kept_too(asking: Asking) -> None:
    asking.provider.answer("/a", as_json({}, 502, **{"Retry-After": "17"}), GOOD)
    began = asking.clock.now
    assert asking.client().get("/a", {}).status == 200
    assert asking.clock.now - began == pytest.approx(17, abs=0.01)


def test_who_may_ask_only_once_is_told_of_a_refusal_as_such(asking: Asking) -> None:
    asking.provider.answer("/a", as_json({}, 401))
    with pytest.raises(Refused, match=r"refuses to answer: 401 Unauthorized$"):
        asking.client(attempts=1).get("/a", {})


def test_a_pause_beyond_patience_is_told_with_its_length_and_nobody_asks_meanwhile(asking: Asking) -> None:
    asking.provider.answer("/a", as_json({}, 429, **{"Retry-After": "3600"}))
    for _ in range(2):
        with pytest.raises(SourceUnavailable, match=r"asked again in 3600 s") as caught:
            asking.client().get("/a", {})
        assert caught.value.retry_after == pytest.approx(3600)
    assert len(asking.provider.seen) == 1


def test_requests_of_all_clients_of_a_host_are_spread_by_its_rate(asking: Asking) -> None:
    asking.provider.answer("/a", GOOD)
    one, other = asking.client(rate=0.5), asking.client(rate=0.5)
    for client in (one, other, one):
        client.get("/a", {})
    assert asking.clock.waited == [0.0, 2.0, 2.0]


def test_who_is_refused_asks_once_more_without_cookies(asking: Asking) -> None:
    cookie = {**JSON, "Set-Cookie": "stale=1; Path=/"}
    asking.provider.answer("/a", Reply(b"{}", 200, cookie), as_json({}, 401), GOOD)
    client = asking.client()
    client.get("/a", {})
    assert client.get("/a", {}).status == 200
    assert [each.headers.get("cookie") for each in asking.provider.seen] == [None, "stale=1", None]


@pytest.mark.parametrize("status", [401, 403])
def test_who_is_refused_again_is_told(asking: Asking, status: int) -> None:
    asking.provider.answer("/a", as_json({}, status))
    with pytest.raises(Refused, match=f"refuses to answer: {status}"):
        asking.client().get("/a", {})
    assert len(asking.provider.seen) == 2


def test_a_redirect_is_not_followed_but_told(asking: Asking) -> None:
    asking.provider.answer("/a", Reply(b"", 302, {"Location": "https://consent.example/collect?key=1"}))
    with pytest.raises(SourceUnavailable, match=r"sends us to consent\.example \(302 Found\)"):
        asking.client().get("/a", {})


def test_a_host_that_is_not_there_is_told(asking: Asking) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        asking.provider.url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(SourceUnavailable, match=r"gives no answer: .*refused.*, 2 times"):
            asking.client(attempts=2).get("/a", {})


def test_a_silent_host_is_given_up(asking: Asking) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        asking.provider.url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(SourceUnavailable, match=r"gives no answer: silent for 0\.05 s"):
            asking.client(attempts=1, bounds=Bounds(1.0, 0.05, 1.0, 1000)).get("/a", {})


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Reply(endless(), size=None), "is larger than 100,000 bytes"),
        (Reply(b"x" * 100_001), "is larger than 100,000 bytes"),
        (packed(b"x" * 50_000_000), "is larger than 100,000 bytes"),
        (Reply(b"no gzip", 200, {**JSON, "Content-Encoding": "gzip"}), "can't be unpacked"),
        (Reply(b"{}", 200, {**JSON, "Content-Encoding": "br"}), "is packed as 'br', which was not asked for"),
    ],
    ids=["endless", "large", "bomb", "no gzip", "brotli"],
)
def test_an_answer_that_cannot_be_taken_is_refused_at_once(asking: Asking, reply: Reply, why: str) -> None:
    asking.provider.answer("/a", reply)
    with pytest.raises(InputInvalid, match=why):
        asking.client().get("/a", {})
    assert len(asking.provider.seen) == 1


def test_an_answer_that_never_ends_is_given_up_by_the_clock_not_by_its_size(asking: Asking) -> None:
    def slow() -> Iterator[bytes]:
        for _ in range(5):
            asking.clock.now += 10
            yield b" " * 10

    asking.provider.answer("/a", Reply(slow(), size=50))
    with pytest.raises(InputInvalid, match="was not at its end after 30 s"):
        asking.client().get("/a", {})


@pytest.fixture
def dripping() -> Iterator[Dripping]:
    with Dripping() as given:
        yield given


def test_a_host_that_never_ends_its_headers_is_given_up_by_the_deadline(asking: Asking, dripping: Dripping) -> None:
    asking.provider.url = dripping.url
    with pytest.raises(InputInvalid, match=r"was not at its end after 0.2 s, which providers.deadline allows"):
        asking.client(bounds=Bounds(5.0, 5.0, 0.2, 1000)).get("/a", {})


class Looked(Waiting):
    """Tells that a piece was taken."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = threading.Event()

    def check(self) -> None:
        super().check()
        self.taken.set()


def test_an_answer_that_is_cut_short_by_a_stop_is_none(provider: Provider) -> None:
    waiting, transport, over = Looked(), PlainTransport(provider.url.removeprefix("http://")), threading.Event()

    def pieces() -> Iterator[bytes]:
        yield b" " * 65_536  # without a length: where it ends, the connection does
        waiting.taken.wait(5)
        waiting.stop()
        transport.cut()
        over.wait(5)

    provider.answer("/a", Reply(pieces(), size=None))
    with pytest.raises(SourceUnavailable, match="stopped before the provider had answered"):
        transport.get(f"{provider.url}/a", {}, {}, Bounds(5.0, 5.0, 60.0, 10**9), waiting)
    over.set()
    transport.close()


def test_no_proxy_of_the_environment_leads_to_this_machine(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ALL_PROXY", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    provider.answer("/a", GOOD)
    transport = PlainTransport(provider.url.removeprefix("http://"))
    assert transport.get(f"{provider.url}/a", {}, {}, BOUNDS, Clock()).status == 200
    transport.close()


@pytest.mark.parametrize(("error", "expected"), [(Unreached, SourceUnavailable), (Cut, InputInvalid)])
def test_a_key_in_the_words_of_a_transport_is_not_told(
    asking: Asking, monkeypatch: pytest.MonkeyPatch, error: type[Exception], expected: type[Exception]
) -> None:
    def get(*_: object) -> Answer:
        raise error("at https://provider.example/a?api_key=f00dfeed")

    monkeypatch.setattr(asking.transport, "get", get)
    with pytest.raises(expected, match=r"provider\.example") as caught:
        asking.client(attempts=1).get("/a", {})
    assert "f00dfeed" not in str(caught.value)


def test_who_is_stopped_while_a_host_is_silent_waits_no_longer(dripping: Dripping) -> None:
    connection = Connection(ProvidersSettings(read_timeout=600.0, deadline=600.0))
    client = connection.client(dripping.url, 1000.0)
    dripping.came = connection.stop
    with pytest.raises(SourceUnavailable, match="stopped before the provider had answered"):
        client.get("/a", {})
    connection.close()


@pytest.mark.parametrize("scheme", ["socks5", "foo"])
def test_a_proxy_that_cannot_be_used_is_told_without_its_password(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setitem(sys.modules, "socksio", None)
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://user:hunter22@127.0.0.1:1")
    with pytest.raises(SourceUnset, match=r"what the environment says of proxies .*; mend HTTPS_PROXY") as caught:
        PlainTransport("provider.example")
    assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize(
    "reply",
    [packed(b"x" * 50_000, cut=40), Reply(b"{}", size=100)],
    ids=["gzip", "length"],
)
def test_an_answer_that_breaks_off_is_asked_for_again(asking: Asking, reply: Reply) -> None:
    asking.provider.answer("/a", reply, GOOD)
    assert asking.client().get("/a", {}).status == 200
    asking.provider.answer("/a", reply)
    with pytest.raises(SourceUnavailable, match="gives no answer: "):
        asking.client().get("/a", {})


def test_who_is_stopped_waits_no_longer(asking: Asking) -> None:
    asking.provider.answer("/a", as_json({}, 500))
    asking.clock.stop()
    with pytest.raises(SourceUnavailable, match="stopped"):
        asking.client().get("/a", {})
    assert not asking.provider.seen


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "30"}, 30.0),
        ({"retry-after": "Wed, 06 Mar 2024 12:01:00 GMT", "date": "Wed, 06 Mar 2024 12:00:00 GMT"}, 60.0),
        ({"retry-after": "Wed, 06 Mar 2024 11:00:00 GMT", "date": "Wed, 06 Mar 2024 12:00:00 GMT"}, 0.0),
        ({"retry-after": "soon", "date": "Wed, 06 Mar 2024 12:00:00 GMT"}, None),
        ({"retry-after": "Wed, 06 Mar 2024 12:01:00 GMT"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "86399"}, 86_399.0),
        ({"retry-after": "1000000000"}, 86_400.0),
        ({"retry-after": "9" * 1000}, 86_400.0),
        ({"retry-after": "Wed, 06 Mar 9999 12:00:00 GMT", "date": "Wed, 06 Mar 2024 12:00:00 GMT"}, 86_400.0),
        ({}, None),
    ],
)
def test_how_long_a_host_wants_to_be_left_alone(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(Answer(429, headers)) == seconds


def test_a_key_in_the_query_is_in_no_log_and_no_error(asking: Asking, caplog: pytest.LogCaptureFixture) -> None:
    key = Secret("f00dfeed" * 4)
    caplog.set_level(logging.DEBUG)
    asking.provider.answer("/a", as_json({}, 500))
    with pytest.raises(SourceUnavailable) as caught:
        asking.client(attempts=1).get("/a", {"api_key": key.reveal()})
    assert asking.provider.seen[0].query["api_key"] == key.reveal()
    assert caplog.records
    shown = [record.getMessage() for record in caplog.records]
    assert not [line for line in [*shown, str(caught.value), repr(caught.value)] if key.reveal() in line]


def test_a_packed_answer_in_two_members_is_refused_as_broken_off_never_half_taken(asking: Asking) -> None:
    body = gzip.compress(b"[1,") + gzip.compress(b"2]")
    asking.provider.answer("/a", Reply(body, 200, {**JSON, "Content-Encoding": "gzip"}))
    with pytest.raises(InputInvalid, match="goes on behind its end"):
        asking.client().get("/a", {})
