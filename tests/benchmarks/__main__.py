"""Run the benchmark modules: all of them, or those named: `python -m tests.benchmarks actors`.

One that is made of parts can be told to measure some of them: `python -m tests.benchmarks reads embedded`.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from tests.benchmarks import report

_SUFFIX = "_bench"


def names() -> list[str]:
    """The benchmarks there are: each `NAME_bench.py` beside this file, which offers `run(quick) -> Report`."""
    return sorted(path.stem.removesuffix(_SUFFIX) for path in Path(__file__).parent.glob(f"*{_SUFFIX}.py"))


def main(arguments: list[str] | None = None) -> int:
    """Run, print and, where a report names a page, write it. Returns 1 where a floor was missed under --strict."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(names())} (default: all)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work: for a look, not for the record")
    parser.add_argument("--strict", action="store_true", help="exit 1 where a floor is missed")
    options = parser.parse_intermixed_args(arguments)
    missed = False
    for name, parts in wanted(parser, options.names or names()).items():
        benchmark = importlib.import_module(f"tests.benchmarks.{name}{_SUFFIX}")
        result = benchmark.run(options.quick, parts) if parts else benchmark.run(options.quick)
        text = report.markdown(result)
        sys.stdout.write(text + "\n")
        if result.page and not options.quick:
            Path(result.page).parent.mkdir(parents=True, exist_ok=True)
            Path(result.page).write_text(text, encoding="utf-8")
        missed = missed or any(floor.met is False for floor in result.floors)
    return 1 if missed and options.strict else 0


def wanted(parser: argparse.ArgumentParser, given: list[str]) -> dict[str, list[str]]:
    """The benchmarks named, each with its parts that follow it; a part goes before a benchmark of its name."""
    named: dict[str, list[str]] = {}
    parts: tuple[str, ...] = ()
    for word in given:
        if word in parts:
            named[next(reversed(named))].append(word)
        elif word in names():
            named[word] = []
            parts = getattr(importlib.import_module(f"tests.benchmarks.{word}{_SUFFIX}"), "PARTS", ())
        else:
            parser.error(f"got {word}; allowed: {', '.join((*parts, *names()))}")
    return named


if __name__ == "__main__":
    sys.exit(main())
