"""Reads damaged bytes under limits of memory and time: `python -m tests.fuzz.child KIND SEED FIRST COUNT`.

The last line of stdout is what was found, as JSON. What was at work when the process fell stands in the line before it.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

from backbone.domain.codec import CodecError, checksum_of, decode, encode, read_meta
from backbone.sources.errors import SourceError
from backbone.sources.registry import open_source
from tests.fuzz.mutating import mutated
from tests.fuzz.seeds import PACKED, files, payloads
from tests.peaks import peak

MEMORY = 4 * 2**30
"""Bytes of address space."""
HANG = 30.0
"""Seconds of real time after which one case is a hang, on a machine that does other things as well."""

Read = Callable[[Random], str]


def payload(rng: Random) -> str:
    """Decode a damaged payload, with the checksum of the whole one and without."""
    whole, other = rng.choice(payloads()), rng.choice(payloads())
    data = mutated(rng, whole, other)
    try:
        decode(data, checksum_of(whole))
        if data != whole:
            raise AssertionError("damage went unnoticed")
    except CodecError:
        pass
    try:
        read_meta(data)
        frame = decode(data)
    except CodecError:
        return "refused"
    if decode(encode(frame)) != frame:
        raise AssertionError("what was accepted can't be written again")
    return "equal" if data == whole else "another frame"


def file(form: str, folder: Path) -> Read:
    """Read a damaged file of a format."""
    path = folder / f"trades.{form}"

    def read(rng: Random) -> str:
        whole, other = rng.choice(files(form)), rng.choice(files(form))
        if form in PACKED and rng.random() < 0.5:
            data = PACKED[form](mutated(rng, rng.choice(files("csv")), rng.choice(files("csv"))))
        else:
            data = mutated(rng, whole, other)
        path.write_bytes(data)
        kind = "parquet" if form == "parquet" else "csv"
        try:
            chunks = list(open_source(kind, path=path, dimension="trades", zone="UTC").chunks())
        except SourceError:
            return "refused"
        return "bad rows" if any(chunk.quarantined for chunk in chunks) else "read"

    return read


def main(kind: str, seed: int, first: int, count: int) -> None:
    """Read so many, and tell what became of them."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    found: Counter[str] = Counter()
    slowest, at = 0.0, first
    with tempfile.TemporaryDirectory() as folder:
        read = payload if kind == "payload" else file(kind, Path(folder))
        read(Random(0))  # what is loaded once counts for nobody
        before = peak()
        for number in range(first, first + count):
            _tell(number)
            signal.setitimer(signal.ITIMER_REAL, HANG)  # its default ends the process, whatever it is at
            began = time.process_time()
            found[read(Random(zlib.crc32(f"{kind} {seed} {number}".encode())))] += 1
            spent = time.process_time() - began
            slowest, at = max((slowest, at), (spent, number))
        signal.setitimer(signal.ITIMER_REAL, 0)
    _tell(json.dumps({"found": found, "slowest": slowest, "at": at, "grown": peak() - before}))


def _tell(line: object) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]))
