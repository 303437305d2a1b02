"""However large an answer is, packed or not, it costs a bounded amount of memory."""

from __future__ import annotations

import json

import pytest

from tests.programs import end_of

MOST_MIB = 300
ASKED = """
import json

from backbone.settings import load_settings
from backbone.sources.errors import InputInvalid
from backbone.sources.yahoo.source import YahooSource
from tests.backbone.sources.server import Reply, as_json, endless, packed, serving
from tests.backbone.sources.shapes import START, chart, path
from tests.peaks import peak

BODIES = {
    "endless": lambda: Reply(endless(), size=None),
    "bomb": lambda: packed(b" " * 200_000_000),
    "wide": lambda: Reply(b'{"x": [' + b"[],{}," * 1_300_000 + b"1]}"),
    "numbers": lambda: Reply(b'{"chart": {"result": [{"timestamp": [' + b"1," * 4_000_000 + b"1]}]}}"),
    "keys": lambda: Reply(b'{"x": {' + b",".join(b'"%d":1' % n for n in range(600_000)) + b"}}"),
    "deep": lambda: Reply(b'{"x": ' + b"[" * 4_000_000 + b"]" * 4_000_000 + b"}"),
    "text": lambda: Reply(b'{"chart": "' + b"x" * 8_000_000 + b'"}'),
}


def asked(symbol):
    source = YahooSource("intraday", symbols=[symbol], interval="1h", start=START, settings=settings)
    return sum(chunk.frame.num_rows for chunk in source.chunks())


with serving() as provider:
    provider.answer(path("OK"), as_json(chart("OK")))
    chosen = {"providers.yahoo.base_url": provider.url, "providers.attempts": 1, "providers.yahoo.rate": 1000.0}
    settings = load_settings(profile="embedded", overrides=chosen)
    replies = {name: make() for name, make in BODIES.items()}
    for name, reply in replies.items():
        provider.answer(path(name.upper()), reply)
    assert asked("OK") == 3
    before, grown = peak(), {}
    for name in replies:
        try:
            asked(name.upper())
        except InputInvalid:
            grown[name] = (peak() - before) // 2**20
    assert asked("OK") == 3
    print(json.dumps(grown))
"""


@pytest.mark.slow
def test_hostile_answers_cost_a_bounded_amount_of_memory_and_the_next_good_one_is_read() -> None:
    ended = end_of(ASKED)
    assert ended.code == 0, ended.err
    grown = json.loads(ended.out)
    assert list(grown) == ["endless", "bomb", "wide", "numbers", "keys", "deep", "text"]
    assert max(grown.values()) < MOST_MIB, grown
