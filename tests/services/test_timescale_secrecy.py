"""A canary as the password of a real role: it is in no output of what goes well and of what goes wrong."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import anyio
import pytest

from backbone import Backbone, BackboneError, Dimension, load_settings
from backbone.cli.main import main
from backbone.cli.process.logs import configure
from backbone.operations.validation import observe
from backbone.services import native
from tests.backbone import logs
from tests.backbone.secrecy.reporter import recorded
from tests.services.proxy import proxy
from tests.services.stores import bars, drop_database, make_database

ROOT = Path(__file__).parents[2]
CANARY = "CANARY5erv1ces"
PASSWORD = f"{CANARY} /@:%25'é"
WRONG = f"{CANARY}-wrong"
SAMPLE = ROOT / "config" / "samples" / "eurusd_1h_tail.csv.gz"
BARS = Dimension.INTRADAY_BARS


@pytest.fixture
def role(services: native.Services) -> Iterator[str]:
    """A database of a role whose password is the canary; the URL without it."""
    address = anyio.run(make_database, services, "timescale")
    name, database = f"canary_{secrets.token_hex(4)}", urlsplit(address).path[1:]
    literal = PASSWORD.replace("'", "''")
    for statement in (
        f"CREATE ROLE {name} LOGIN PASSWORD '{literal}'",
        f"GRANT {name} TO CURRENT_USER",
        f"ALTER DATABASE {database} OWNER TO {name}",
    ):
        anyio.run(services.sql, statement)
    parts = urlsplit(address)
    yield urlunsplit(parts._replace(netloc=f"{name}@{parts.netloc.rpartition('@')[2]}"))
    anyio.run(drop_database, services, address)
    anyio.run(services.sql, f"DROP ROLE {name}")


def with_password(url: str, password: str) -> str:
    user, _, rest = url.partition("@")
    return f"{user}:{quote(password, safe='')}@{rest}"


def environment(url: str, password: str, folder: Path, **more: str) -> dict[str, str]:
    return {
        "BACKBONE_PROFILE": "timescale",
        "BACKBONE_STORE_URL": url,
        "BACKBONE_STORE_PASSWORD": password,
        "BACKBONE_STORE_START_TIMEOUT": "0",
        "BACKBONE_STORE_STATEMENT_TIMEOUT": "5",
        "BACKBONE_CONTROL_PATH": str(folder / "s"),
        **more,
    }


@pytest.mark.parametrize("how", ["console", "json"])
async def test_an_outage_and_a_changed_password_are_told_without_it(
    services: native.Services, role: str, how: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The connections break, the server takes the password no more, later it takes it again."""
    host = asyncio.all_tasks()
    said: list[str] = []
    async with proxy(urlsplit(role).port or 5432) as network:
        env = environment(
            network.dsn(role), PASSWORD, tmp_path, BACKBONE_LOGGING_FORMAT=how, BACKBONE_LOGGING_LEVEL="debug"
        )
        settings = load_settings(env=env)
        with logs.restored():
            configure(settings, verbose=2, quiet=False, serves=True)
            async with Backbone.open(settings) as backbone:
                assert (await backbone.record(bars({0: 1.0}, "SECRET"))).inserted == 1
                await set_password(services, role, "another")
                await cut(services, role)
                said.append(await failing(backbone, 1))
                for words in (["status"], ["roster"], ["connectors"]):
                    for form in ("human", "json", "markdown"):
                        given = [*words, "--format", form, "--set", f"control.path={tmp_path / 's'}"]
                        await anyio.to_thread.run_sync(main, given)
                said += [task.get_name() for task in asyncio.all_tasks()]
                said += [repr(backbone), repr(backbone.settings), repr(backbone.roster())]
                await set_password(services, role, PASSWORD)
                with anyio.fail_after(60):
                    while "raised" in (again := await failing(backbone, 2)):
                        said.append(again)
                roster = backbone.roster()
            report = observe(roster, host, settings_hash=settings.hash)
            said += [report.to_json().decode(), report.to_markdown()]
    out = capfd.readouterr()
    assert "28P01" in said[0]
    assert out.err
    assert CANARY not in "".join((*said, out.out, out.err))


async def set_password(services: native.Services, role: str, password: str) -> None:
    literal = password.replace("'", "''")
    await services.sql(f"ALTER ROLE {urlsplit(role).username} PASSWORD '{literal}'")


async def cut(services: native.Services, role: str) -> None:
    await services.sql(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{urlsplit(role).username}'"  # noqa: S608
    )


async def failing(backbone: Backbone, minute: int) -> str:
    """What a crash reporter would record of a write that fails; "" where it does not."""
    try:
        await backbone.record(bars({minute: 1.0}, "SECRET"))
    except BackboneError as error:
        return f"raised {recorded(error, but=__file__)}"
    return ""


SUITE = """
import os
import pytest
from backbone import Backbone, Dimension
from backbone.settings import load_settings
from backbone.store.timescale import TimescaleStore

async def test_opening():
    settings = load_settings(env=os.environ)
    async with Backbone.open(settings) as backbone:
        await backbone.fetch(Dimension.INTRADAY_BARS, symbols=["X"], interval="1 parsec")

async def test_the_store():
    settings = load_settings(env=os.environ)
    store = TimescaleStore(settings.store.dsn())
    await store.open()
    try:
        assert settings == store
    finally:
        await store.close()
"""


OPTIONS = [[], ["-l"], ["-vv", "--showlocals"], ["--tb=native"]]
RUNS = f"import pytest; [pytest.main(['-p', 'no:cacheprovider', *each, 'test_hosts.py']) for each in {OPTIONS}]"


def test_commands_and_failing_tests_in_other_processes_say_no_password(role: str, tmp_path: Path) -> None:
    (tmp_path / "test_hosts.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    backbone = str(Path(sys.executable).with_name("backbone"))
    migration, tests = [backbone, "migrate", "-vv"], [sys.executable, "-c", RUNS]
    shown = [backbone, "config", "show", "--format", "json"]
    rehearsal = [backbone, "rehearse", str(SAMPLE), "--interval", "1h", "--output", "report", "-vv"]
    given = {name: value for name, value in os.environ.items() if not name.startswith(("BACKBONE_", "PG"))}
    more = {"BACKBONE_DEBUG": "1", "BACKBONE_LOGGING_LEVEL": "debug", "PYTHONPATH": str(ROOT)}
    nowhere = urlunsplit(urlsplit(role)._replace(path="/nowhere"))
    cases = {
        "right": (role, PASSWORD),
        "wrong": (role, WRONG),
        "right, in the url": (with_password(role, PASSWORD), ""),
        "wrong in the url": (with_password(role, WRONG), ""),
        "no such database": (nowhere, PASSWORD),
        "not readable": (role.replace("@", f":{CANARY} x@"), ""),
        "nobody there": (urlunsplit(urlsplit(role)._replace(netloc="u@127.0.0.1:1")), PASSWORD),
    }
    for case, (url, password) in cases.items():
        env = given | environment(url, password, tmp_path, **more)
        commands = [migration, *([rehearsal, tests] if case == "right" else [])]
        commands += [tests] if "wrong" in case else [shown]
        for command in commands:
            done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, check=False, timeout=120)
            text = (done.stdout + done.stderr).decode(errors="replace")
            assert text, command
            assert CANARY not in text, (case, command)
            if command[0] == backbone:
                assert (done.returncode == 0) == ("right" in case or "show" in command), text
            else:
                assert text.count("2 failed") == len(OPTIONS), text
    written = [path for path in (tmp_path / "report").rglob("*") if path.is_file()]
    assert [path for path in written if path.suffix == ".json"]
    assert not [path for path in written if CANARY.encode() in path.read_bytes()]
