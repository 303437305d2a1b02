"""Damage and read: `python -m tests.fuzz --payloads 100000 --files 2000`; one again by `--kind csv --case 17`."""

from __future__ import annotations

import argparse
import sys

from tests.fuzz.running import MOST_GROWTH, campaign
from tests.fuzz.seeds import FORMATS


def main() -> int:
    """Run the campaigns; 1 where one found something."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--payloads", type=int, default=100_000)
    parser.add_argument("--files", type=int, default=2_000, help="of each format")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", choices=MOST_GROWTH, help="only these")
    parser.add_argument("--case", type=int, help="only this one")
    options = parser.parse_args()
    failed = False
    for kind in ("payload", *FORMATS):
        if options.kind not in {None, kind}:
            continue
        count = options.payloads if kind == "payload" else options.files
        done = campaign(kind, options.seed, 1 if options.case is not None else count, options.case or 0)
        sys.stdout.write(f"{done}\n")
        sys.stdout.flush()
        failed |= bool(done.wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
