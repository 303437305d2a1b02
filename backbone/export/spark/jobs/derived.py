"""What a job writes: a folder below `derived`, in its place at once, with a manifest of its own.

Spark's own mark of success says nothing of what lies there, and its names are others each time. So it writes beside;
its files get plain names, are read again on the executors, and only then the folder gets its name.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from backbone.domain.clock import utc_now
from backbone.domain.report import package_version
from backbone.export.derived import DERIVED
from backbone.export.errors import ContentDiffers
from backbone.export.files import Disk, hash_of, locked
from backbone.export.layout import MANIFEST
from backbone.export.manifest import UNREADABLE
from backbone.export.spark.jobs.looking import Looked, looked_at
from backbone.export.spark.wire import Done, Job

__all__ = ["Derived", "derive"]

_STAGING = ".staging-"


class Derived(msgspec.Struct, frozen=True, kw_only=True):
    """The manifest of what a job has written.

    Attributes:
        job: which, over which export, how.
        version, spark: of what wrote it.
        key: by which the rows of each file are in order.
        files: all of them.
    """

    schema: int = 1
    job: Job
    version: str
    spark: str
    generated_at: datetime
    key: tuple[str, ...]
    rows: int
    files: tuple[Looked, ...]


def derive(
    spark: Any,
    job: Job,
    key: Sequence[str],
    write: Callable[[str], int | None],
    step: Callable[[str], None],
) -> Done:
    """Have a job write its folder, unless it has before.

    Args:
        spark: the session.
        job: which job.
        key: by which the rows of each file are to be in order.
        write: writes Parquet into a new folder; returns the rows that have to be in it, None: however many there are.
        step: told how far it is.

    Raises:
        ContentDiffers: what was written is not what should be.
        ExportBusy: another job writes to that folder.
        OSError: the disk takes nothing.
    """
    disk, above = Disk(), Path(job.root, DERIVED)
    place = above / _name(job)
    disk.folder(above)
    with locked(above):
        known = _known(place)
        if known is not None:
            return Done(rows=known.rows, files=len(known.files), folder=str(place), kept=True)
        with _staging(above, place) as staging:
            expected = write(str(staging))
            step("reading again what was written")
            files = _looked(spark, staging, key)
            for folder in {staging / Path(each.path).parent for each in files}:
                disk.sync(folder)
            rows = sum(each.rows for each in files)
            wrong = [each.path for each in files if not each.ascends]
            if wrong or expected not in (None, rows):
                what = f"{wrong[0]} is not in order" if wrong else f"{rows} rows were written of {expected}"
                raise ContentDiffers(f"{place.name}: {what}; it was not taken")
            manifest = Derived(
                job=job,
                version=package_version(),
                spark=spark.version,
                generated_at=utc_now(),
                key=tuple(key),
                rows=rows,
                files=tuple(files),
            )
            disk.put(staging / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")
            shutil.rmtree(place, ignore_errors=True)  # what has no manifest, or other files than that says
            disk.rename(staging, place)
    return Done(rows=rows, files=len(files), folder=str(place))


def _name(job: Job) -> str:
    """The same job over the same export has the same name."""
    digest = blake2b(msgspec.json.encode(msgspec.structs.replace(job, root="")), digest_size=8).hexdigest()
    words = [job.kind, job.dimension or "all", *filter(None, [job.spelled])]
    return f"{'-'.join(words)}-{digest}"


def _known(place: Path) -> Derived | None:
    """What the same job has written before, whole; None: nothing, or not all of it is as it was."""
    try:
        manifest = msgspec.json.decode((place / MANIFEST).read_bytes(), type=Derived)
    except (FileNotFoundError, NotADirectoryError, *UNREADABLE):
        return None
    sound = all(hash_of(place / each.path) == each.sha256 for each in manifest.files)
    return manifest if sound else None


@contextmanager
def _staging(above: Path, place: Path) -> Iterator[Path]:
    """A folder to write into, gone afterwards unless it was renamed, and with it what killed jobs have left."""
    for rest in above.glob(f"{_STAGING}*"):
        shutil.rmtree(rest, ignore_errors=True)
    staging = above / f"{_STAGING}{place.name}-{secrets.token_hex(4)}"
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _looked(spark: Any, staging: Path, key: Sequence[str]) -> list[Looked]:
    """Give the files their names, and look at each of them on the executors."""
    for each in [*staging.rglob(".*.crc"), *staging.rglob("_SUCCESS")]:
        each.unlink()
    written = sorted(path for path in staging.rglob("*.parquet") if path.is_file())  # a symbol's name may end so
    numbers: dict[Path, int] = {}
    places = []
    for path in written:
        n = numbers[path.parent] = numbers.get(path.parent, -1) + 1
        places.append(path.rename(path.with_name(f"part-{n}.parquet")).relative_to(staging).as_posix())
    if not places:
        return []
    folder, names = str(staging), list(key)
    context = spark.sparkContext
    slices = min(len(places), 4 * context.defaultParallelism)
    found: list[Looked] = context.parallelize(places, slices).map(lambda each: looked_at(folder, each, names)).collect()
    return found
