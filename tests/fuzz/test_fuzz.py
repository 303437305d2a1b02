"""The share of the fuzz campaigns that every run of the tests takes."""

from __future__ import annotations

from random import Random

import pytest

from tests.fuzz.mutating import mutated
from tests.fuzz.running import campaign
from tests.fuzz.seeds import FORMATS, files, payloads


@pytest.mark.parametrize(("kind", "count"), [("payload", 2_000), *((form, 60) for form in FORMATS)])
def test_damaged_bytes_are_refused_or_read_within_bounds(kind: str, count: int) -> None:
    done = campaign(kind, 0, count)
    assert done.wrong == ""
    assert done.found.total() == count
    assert len(done.found) > 1


def test_damage_is_the_same_for_the_same_seed() -> None:
    for whole in (payloads()[5], *(files(form)[0] for form in FORMATS)):
        once, again = (mutated(Random(7), whole, whole) for _ in range(2))
        assert once == again
