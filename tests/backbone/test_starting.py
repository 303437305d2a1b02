"""What a program loads that opens a backbone: the libraries of the backends that it has, and none for later."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import PATIENCE, ROOT

PROGRAM = """
import asyncio, logging, sys
from backbone import Backbone, StoreUnavailable, load_settings

async def main():
    overrides = {"control.enabled": False, "store.start_timeout": 0.1} | OVERRIDES
    try:
        async with Backbone.open(load_settings(profile=PROFILE, env={}, overrides=overrides)):
            pass
    except StoreUnavailable:
        print("down")

logging.getLogger("actors").setLevel(logging.CRITICAL)  # a line about a database that is down would load what makes it
asyncio.run(main())
print(*(name for name in HEAVY if name in sys.modules))
"""
HEAVY = (
    *("aiokafka", "asyncpg", "cyclopts", "duckdb", "exchange_calendars", "importlib.metadata", "matplotlib"),
    *("opentelemetry", "pandas", "plotext", "polars", "prompt_toolkit", "pyarrow", "pyarrow.csv", "pyarrow.dataset"),
    *("pyarrow.parquet", "redis", "rich", "structlog", "tomllib"),
)


@pytest.mark.parametrize(
    ("profile", "overrides", "told"),
    [
        # duckdb asks for its own version
        ("embedded", {"store.path": "b.duckdb"}, ["duckdb importlib.metadata pyarrow"]),
        ("timescale", {"store.url": "postgresql://somebody:word@127.0.0.1:1/nothing"}, ["down", "asyncpg pyarrow"]),
    ],
)
def test_a_start_loads_what_its_backends_need(
    profile: str, overrides: dict[str, object], told: list[str], tmp_path: Path
) -> None:
    given = f"PROFILE, OVERRIDES, HEAVY = {profile!r}, {overrides!r}, {HEAVY!r}\n"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", given + PROGRAM]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=PATIENCE, env=environment, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == told
