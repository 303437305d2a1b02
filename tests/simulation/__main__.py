"""Simulate seeds: `python -m tests.simulation --seeds 200 --jobs 2`, and one again by `--seed 17`."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

from tests.simulation.faults import PATHS
from tests.simulation.mutants import MUTANTS
from tests.simulation.play import Outcome
from tests.simulation.running import run

_ALL_PATHS = 200  # seeds that have to see each path


def outcomes(seeds: range, jobs: int, mutant: str | None) -> Iterator[Outcome]:
    """In the order of the seeds, so many at once."""
    if jobs == 1:
        yield from (run(seed, mutant) for seed in seeds)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(partial(run, mutant=mutant), seeds, chunksize=5)


def table(seen: Counter[str]) -> str:
    """How often each path was gone."""
    width = max(map(len, PATHS))
    return "\n".join(f"{path:<{width}}  {seen[path] or 'never':>8}" for path in PATHS)


def replay(seed: int, mutant: str | None) -> int:
    """Show all that happens in a seed."""
    outcome = run(seed, mutant)
    sys.stdout.write("\n".join([*outcome.trace, f"trace {outcome.hash}", outcome.wrong or "all held", ""]))
    return 1 if outcome.wrong else 0


def many(options: argparse.Namespace) -> int:
    """Run the seeds and tell which failed, and what was seen."""
    seeds = range(options.first, options.first + options.seeds)
    seen: Counter[str] = Counter()
    failed = []
    with_bug = f" --mutant {options.mutant}" if options.mutant else ""
    for outcome in outcomes(seeds, options.jobs, options.mutant):
        seen.update(outcome.seen)
        if outcome.wrong:
            failed.append(outcome.seed)
            replayed = f"python -m tests.simulation --seed {outcome.seed}{with_bug}"
            sys.stdout.write(f"FAILED {outcome.wrong}\n  replay: {replayed}\n")
            sys.stdout.flush()
            if options.stop:
                break
    unseen = [path for path in PATHS if not seen[path]] if len(seeds) >= _ALL_PATHS and not options.stop else []
    sys.stdout.write(f"{table(seen)}\n{len(failed)} of {len(seeds)} seeds failed: {failed}\n")
    for path in unseen:
        sys.stdout.write(f"never seen in {len(seeds)} seeds: {path}\n")
    return 1 if failed or unseen else 0


def main(arguments: list[str] | None = None) -> int:
    """Returns 1 where something did not hold, or a fault was never seen."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="this one alone, with its trace")
    parser.add_argument("--seeds", type=int, default=200, help="how many (default: 200)")
    parser.add_argument("--from", type=int, default=0, dest="first", metavar="SEED", help="the first one (default: 0)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--mutant", choices=MUTANTS, help="with this bug put in")
    parser.add_argument("--stop", action="store_true", help="at the first seed that fails")
    options = parser.parse_args(arguments)
    return many(options) if options.seed is None else replay(options.seed, options.mutant)


if __name__ == "__main__":
    sys.exit(main())
