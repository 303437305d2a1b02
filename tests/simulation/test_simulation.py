"""A few seeds in each run of the tests; `make sim` runs hundreds."""

from __future__ import annotations

import pytest

from tests.simulation.__main__ import main
from tests.simulation.faults import PATHS
from tests.simulation.running import run

CAUGHT: dict[str, int] = {"relay_cursor_first": 25, "cache_keeps_older": 34}
"""A seed that found each of these bugs; a change of the product may move it, and the next ones are tried then."""

_WITHIN = 200


@pytest.mark.parametrize("seed", range(10))
def test_what_is_promised_holds(seed: int) -> None:
    outcome = run(seed)
    assert not outcome.wrong, f"{outcome.wrong}\nreplay: make sim SEED={seed}"


@pytest.mark.parametrize("seed", [2, 7])
def test_the_same_seed_gives_the_same_run(seed: int) -> None:
    assert run(seed).hash == run(seed).hash


def found(bug: str) -> int:
    """The seed that finds a bug, and holds without it."""
    seeds = (CAUGHT[bug], *range(_WITHIN))
    seed: int = next(each for each in seeds if run(each, bug).wrong and not run(each).wrong)
    return seed


@pytest.mark.parametrize("bug", CAUGHT)
def test_a_bug_that_was_put_in_is_found_and_told_with_the_command_that_replays_it(
    bug: str, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = found(bug)
    assert main(["--from", str(seed), "--seeds", "1", "--mutant", bug]) == 1
    told = capsys.readouterr().out
    assert f"python -m tests.simulation --seed {seed} --mutant {bug}" in told
    assert all(path in told for path in PATHS)
