"""No frame that holds a password is in the traceback of an error, whoever prints it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backbone import Backbone
from backbone.cli.failures import failed
from backbone.settings import Settings, SettingsError, load_settings, read_env_file
from backbone.store.timescale import Bounds, TimescaleStore
from tests.backbone.secrecy.impostor import FAULTS, impostor
from tests.backbone.secrecy.reporter import recorded

CANARY = "CANARYpytest"
ROOT = Path(__file__).parents[3]


def environment(port: int, **more: str) -> dict[str, str]:
    return {
        "BACKBONE_PROFILE": "timescale",
        "BACKBONE_STORE_HOST": "127.0.0.1",
        "BACKBONE_STORE_PORT": str(port),
        "BACKBONE_STORE_USER": "u",
        "BACKBONE_STORE_PASSWORD": CANARY,
        "BACKBONE_STORE_DATABASE": "d",
        "BACKBONE_STORE_START_TIMEOUT": "0",
        "BACKBONE_STORE_CONNECT_TIMEOUT": "5",
        "BACKBONE_CONTROL_ENABLED": "false",
        **more,
    }


def settings_for(port: int, **more: str) -> Settings:
    return load_settings(env=environment(port, **more))


async def error_of_opening(settings: Settings) -> BaseException:
    with pytest.raises(Exception) as raised:
        async with Backbone.open(settings):
            pytest.fail("it opened")
    return raised.value


@pytest.mark.parametrize("ssl_mode", ["disable", "prefer"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_an_error_of_opening_holds_no_password(fault: str, ssl_mode: str) -> None:
    with impostor(fault) as server:
        error = await error_of_opening(settings_for(server.port, BACKBONE_STORE_SSL_MODE=ssl_mode))
        assert set(server.passwords) == {CANARY}
    found = recorded(error, but=__file__)
    assert "127.0.0.1" in found
    assert CANARY not in found


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_error_of_the_adapter_holds_no_password(fault: str) -> None:
    with impostor(fault) as server:
        settings = settings_for(server.port, BACKBONE_STORE_SSL_MODE="disable")
        store = TimescaleStore(settings.store.dsn() or "", bounds=Bounds(pool_size=3))
        with pytest.raises(Exception) as raised:
            await store.open()
        await store.close()
        assert set(server.passwords) == {CANARY}
    found = recorded(raised.value, but=__file__)
    assert raised.value.__cause__ is not None
    assert CANARY not in found


async def test_a_server_that_is_silent_is_given_up_without_the_password() -> None:
    with impostor("it is silent") as server:
        error = await error_of_opening(settings_for(server.port, BACKBONE_STORE_CONNECT_TIMEOUT="0.5"))
        assert set(server.passwords) <= {CANARY}
    assert "did not answer in time" in str(error)
    assert CANARY not in recorded(error, but=__file__)


async def test_a_server_that_is_not_there_or_refuses_tls_is_told_without_the_password() -> None:
    with impostor("it hangs up") as server:
        strict = settings_for(server.port, BACKBONE_STORE_SSL_MODE="require")
        refused = await error_of_opening(strict)
        assert not server.passwords
    gone = await error_of_opening(strict)
    missing = await error_of_opening(settings_for(server.port, BACKBONE_STORE_SSL_ROOT_CERT="nowhere.pem"))
    assert CANARY not in "".join(recorded(error, but=__file__) for error in (refused, gone, missing))


SUITE = """
import os
from backbone import Backbone
from backbone.settings import load_settings
from backbone.store.timescale import TimescaleStore

async def test_opening():
    settings = load_settings(env=os.environ)
    async with Backbone.open(settings):
        pass

async def test_opening_the_store():
    settings = load_settings(env=os.environ)
    store = TimescaleStore(settings.store.dsn())
    await store.open()

def test_settings_that_are_wrong():
    load_settings(env={**os.environ, "BACKBONE_STORE_THREADS": "x"})
"""
OPTIONS = [[], ["-l"], ["-vv", "--showlocals", "--full-trace"], ["--tb=native"]]
RUNS = f"import pytest; [pytest.main(['-p', 'no:cacheprovider', *each, 'test_hosts.py']) for each in {OPTIONS}]"


@pytest.mark.slow
def test_what_pytest_prints_of_failing_tests_holds_no_password(tmp_path: Path) -> None:
    (tmp_path / "test_hosts.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    with impostor("the password is wrong") as server:
        given = {name: value for name, value in os.environ.items() if not name.startswith(("BACKBONE_", "PG"))}
        env = given | environment(server.port, PYTHONPATH=str(ROOT), BACKBONE_STORE_SSL_MODE="disable")
        words = (sys.executable, "-c", RUNS)
        done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        assert server.passwords
    assert done.stdout.count("3 failed") == len(OPTIONS), done.stdout + done.stderr
    assert "28P01" in done.stdout
    assert CANARY not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.yaml", f'store:\n  password: "{CANARY}\n'),
        ("x.yaml", f"store:\n  password: *{CANARY}\n"),
        ("x.yaml", f"store:\n  password: !{CANARY} x\n"),
        ("x.yaml", f"store:\n  password: !a!{CANARY} x\n"),
        ("x.yaml", f"store: {{password: {CANARY}\n"),
        ("x.yaml", f"store:\n  password: {CANARY}\n"),
        ("x.yaml", f"store:\n  url: postgresql://u:{CANARY} x@h/d\n"),
        ("x.yaml", f"- {CANARY}\n"),
        ("x.yaml", f"store:\n  password: {CANARY}\n\udcff"),
        ("x.env", f"BACKBONE_STORE_PASSWORD {CANARY}\n"),
        ("x.env", f"BACKBONE_STORE_PASSWORD={CANARY}\nBACKBONE_STORE_PASSWORD={CANARY}\n"),
        ("x.env", f"PGPASSWORD={CANARY}\n\udcff"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_without_what_it_holds(
    tmp_path: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(SettingsError) as refused:
        load_settings(path) if name == "x.yaml" else read_env_file(path)
    assert CANARY not in recorded(refused.value, but=__file__)
    monkeypatch.setenv("BACKBONE_DEBUG", "1")
    failed(refused.value)
    assert CANARY not in "".join(capsys.readouterr())


@pytest.mark.parametrize("name", ["BACKBONE_STORE_PASSWORD", "PGPASSWORD", "BACKBONE_CACHE_URL", "KAFKA_PASSWORD"])
def test_an_error_of_settings_carries_neither_the_environment_nor_overrides(name: str) -> None:
    broken = {"BACKBONE_STORE_THREADS": "x", "BACKBONE_STORE_BACKEND": "timescale"}
    for value in (CANARY, f"redis://u:{CANARY}@h", f"{CANARY}\udcff", f"postgresql://u:{CANARY}"):
        with pytest.raises(SettingsError) as refused:
            load_settings(env={**broken, name: value}, overrides={"store.password": value, "store.pool_size": 0})
        assert CANARY not in recorded(refused.value, but=__file__)


def test_a_secret_given_as_the_name_of_its_file_is_not_told() -> None:
    for value in (CANARY, f"nowhere/{CANARY}", f"postgresql://u:{CANARY}@h/d"):
        with pytest.raises(SettingsError, match="BACKBONE_STORE_PASSWORD_FILE") as refused:
            load_settings(env={"BACKBONE_STORE_PASSWORD_FILE": value})
        assert CANARY not in recorded(refused.value, but=__file__)


def test_a_traceback_for_the_developer_is_redacted_escaped_and_indented(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BACKBONE_DEBUG", "1")
    try:
        raise ConnectionError(f"redis://u:{CANARY} x@h\x1b[31m\x9b\u202e\nbackbone: error: forged")
    except ConnectionError as error:
        error.add_note(f"password='{CANARY} x'")
        failed(error)
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert CANARY not in said
    assert all(line.isprintable() for line in said.splitlines())
    assert [line for line in said.splitlines() if line.startswith("backbone: ")] == [said.splitlines()[-1]]
