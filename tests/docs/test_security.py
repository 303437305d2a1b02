"""SECURITY.md names bounds: they are those that hold, and the places it names are there."""

import re
from pathlib import Path

import pytest

from backbone import load_settings
from backbone.control.places import ALL, OF_ONE_PROCESS
from backbone.domain.arguments import LONGEST_PAGE
from backbone.domain.text import LONGEST_TEXT
from backbone.sources.pages import MOST_FOOTER_BYTES, MOST_PAGE_BYTES
from backbone.sources.text.opening import MAX_BYTES, MAX_RATIO

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "SECURITY.md").read_text()
BOUNDS = {
    "ingest.record_waiting_rows": "200,000 rows",
    "ingest.record_waiting_bytes": "64 MiB",
    "ingest.record_waiting_calls": "50,000 calls",
    "stream.subscriptions": "10,000, each",
    "stream.subscription_symbols": "10,000 symbols",
    "retention.outbox_hours": "24 hours",
    "retention.outbox_bytes": "2 GiB",
    "retention.journal_days": "90 days",
    "retention.journal_rows": "1,000,000 rows",
    "retention.quarantine_days": "30 days",
}
FIXED = {
    "| 1,024 bytes, in frames": LONGEST_TEXT,
    "| 4 GiB of text": MAX_BYTES // 2**30,
    "200 times its compressed size": MAX_RATIO,
    "unpack to 128 MiB together": MOST_PAGE_BYTES // 2**20,
    "a footer of 16 MiB": MOST_FOOTER_BYTES // 2**20,
    "a page of a list | 10,000 entries": LONGEST_PAGE,
}
UNITS = {"MiB": 2**20, "GiB": 2**30}


@pytest.mark.parametrize(("setting", "said"), BOUNDS.items())
def test_a_bound_that_is_named_is_the_one_that_holds(setting: str, said: str) -> None:
    section, _, name = setting.partition(".")
    value: int = getattr(getattr(load_settings(profile="embedded"), section), name)
    number, _, unit = said.partition(" ")
    assert int(number.rstrip(",").replace(",", "")) * UNITS.get(unit, 1) == value
    assert said in PAGE


@pytest.mark.parametrize(("said", "bound"), FIXED.items())
def test_a_bound_that_nobody_sets_is_the_one_that_holds(said: str, bound: int) -> None:
    assert said in PAGE
    assert f"{bound:,}" in said


def test_the_places_at_the_control_socket_are_as_many_as_are_named() -> None:
    assert f"| {ALL}, of one process {OF_ONE_PROCESS};" in PAGE
    assert f"{ALL} at once, {OF_ONE_PROCESS} of one process" in (ROOT / "docs/reference/cli.md").read_text()


def test_each_place_that_is_named_is_there() -> None:
    places = re.findall(r"`(tests/[a-z_/.]+)`", PAGE)
    assert len(places) > 5
    assert [place for place in places if not (ROOT / place).exists()] == []


def test_readme_and_documentation_lead_to_it() -> None:
    assert "(SECURITY.md)" in (ROOT / "README.md").read_text()
    assert "(project/security.md)" in (ROOT / "docs/index.md").read_text()
