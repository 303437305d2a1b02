"""What a server hears that is not the one it should be: never a password. All of it on 127.0.0.0/8, or in a network
namespace of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from backbone.settings import SettingsError
from backbone.store.errors import StoreUnavailable
from backbone.store.timescale import Bounds, TimescaleStore
from tests.backbone.store.impostor import Certificate, authority, impostor, issued, self_signed

HASTY = Bounds(pool_size=1, max_overflow=0, pool_timeout=1.0, connect_timeout=1.0, statement_timeout=1.0)
HOST = "127.0.0.2"
CANARY = "CANARYpassword"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def ours(folder: Path) -> Certificate:
    return authority(folder, "ours")


def url(port: int, host: str = HOST, **options: object) -> str:
    query = "&".join(f"{name}={given}" for name, given in options.items())
    return f"postgresql://trader:{CANARY}@{host}:{port}/market?{query}"


async def refused(dsn: str) -> str:
    with pytest.raises(StoreUnavailable) as error:
        await TimescaleStore(dsn, bounds=HASTY).open()
    return str(error.value)


async def test_a_server_that_proves_to_be_the_one_is_told_the_password(folder: Path, ours: Certificate) -> None:
    """So the tests below would hear it."""
    right = issued(folder, "right", HOST, ours)
    with impostor(HOST, b"S", right.context()) as server:
        await refused(url(server.port, sslmode="verify-full", sslrootcert=ours.crt))
    assert CANARY.encode() in server.heard


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("wrong host", "not valid for '127.0.0.2'"),
        ("expired", "expired"),
        ("self-signed", "self-signed"),
        ("unknown authority", "unable to get local issuer"),
    ],
)
async def test_a_certificate_that_does_not_prove_it_ends_the_connection_before_the_password(
    folder: Path, ours: Certificate, kind: str, why: str
) -> None:
    made = {
        "wrong host": lambda: issued(folder, "other-host", "127.0.0.3", ours),
        "expired": lambda: issued(folder, "expired", HOST, ours, days=-1),
        "self-signed": lambda: self_signed(folder, "self", HOST),
        "unknown authority": lambda: issued(folder, "foreign", HOST, authority(folder, "theirs")),
    }[kind]()
    with impostor(HOST, b"S", made.context()) as server:
        text = await refused(url(server.port, sslmode="verify-full", sslrootcert=ours.crt))
    assert why in text
    assert server.clients
    assert CANARY.encode() not in server.heard
    assert CANARY not in text


@pytest.mark.parametrize("answer", [b"N", b"\x00\xff garbage", b"R\x00\x00\x00\x08\x00\x00\x00\x03", b"E", b"S", b""])
@pytest.mark.parametrize("mode", ["verify-full", "verify-ca", "require"])
async def test_a_server_that_speaks_no_tls_where_it_is_asked_for_hears_nothing_more(
    ours: Certificate, answer: bytes, mode: str
) -> None:
    with impostor(HOST, answer) as server:
        text = await refused(url(server.port, sslmode=mode, sslrootcert=ours.crt))
    assert server.clients
    assert CANARY.encode() not in server.heard
    assert b"trader" not in server.heard
    assert CANARY not in text


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u:p@0.0.0.0:1/d",
        "postgresql://u:p@0.0.0.0:1/d?sslmode=prefer",
        "postgresql://u:p@0.0.0.0:1/d?sslmode=require",
        "postgresql://u:p@0.0.0.0:1/d?sslmode=verify-ca&sslrootcert=/etc/ssl/certs/ca-certificates.crt",
        "postgresql://u:p@127.0.0.1,0.0.0.0:1/d",
        "postgresql:///d?host=0.0.0.0:1",
    ],
)
async def test_the_store_itself_refuses_another_machine_without_verified_tls(dsn: str) -> None:
    with pytest.raises(SettingsError, match=r"0\.0\.0\.0:1, another machine, without verified TLS"):
        await TimescaleStore(dsn, bounds=HASTY).open()


AWAY = "10.9.9.9"
"""On the loopback interface of a namespace that nobody else is in; no address of this machine's own to the product."""

NAMESPACE = f"""
import asyncio, json, os, pathlib, subprocess, sys
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["ip", "address", "add", "{AWAY}/32", "dev", "lo"], check=True)
pathlib.Path("hosts").write_text("{AWAY} localhost")
subprocess.run(["mount", "--bind", "hosts", "/etc/hosts"], check=True)
import socket
from backbone import Backbone, load_settings
from backbone.domain.errors import BackboneError
from tests.backbone.store.impostor import impostor

async def opened(env, given, overrides):
    os.environ.update(env)
    try:
        async with Backbone.open(load_settings(profile="timescale", env=given, overrides=overrides)):
            return "opened"
    except BackboneError as error:
        return f"{{type(error).__name__}}: {{error}}"
    finally:
        for name in env:
            del os.environ[name]

with impostor("{AWAY}") as server:
    port, said = server.port, {{}}
    hasty = {{"store.start_timeout": 0, "store.connect_timeout": 1, "control.enabled": False}}
    parts = {{"PGPORT": str(port), "PGUSER": "trader", "PGPASSWORD": "{CANARY}"}}
    away = "postgresql://trader:{CANARY}@"
    pathlib.Path("services.conf").write_text("[away]\\nhost={AWAY}\\nport=%d\\npassword={CANARY}\\n" % port)
    service = {{"PGSERVICEFILE": "services.conf", "PGSERVICE": "away"}}
    ways = {{
        "url": ({{}}, {{"BACKBONE_STORE_URL": f"{{away}}{AWAY}:{{port}}/d"}}),
        "prefer": ({{}}, {{"BACKBONE_STORE_URL": f"{{away}}{AWAY}:{{port}}/d?sslmode=prefer"}}),
        "disable": ({{}}, {{"BACKBONE_STORE_URL": f"{{away}}{AWAY}:{{port}}/d?sslmode=disable"}}),
        "named like the mode": ({{}}, {{"BACKBONE_STORE_URL": f"{{away}}{AWAY}:{{port}}/d?a=sslmode=verify-full"}}),
        "twice": ({{}}, {{"BACKBONE_STORE_URL": f"{{away}}{AWAY}:{{port}}/d?sslmode=verify-full&sslmode=disable"}}),
        "mapped": ({{}}, {{"BACKBONE_STORE_URL": f"{{away}}[::ffff:{AWAY}]:{{port}}/d"}}),
        "several": ({{}}, {{"BACKBONE_STORE_URL": f"{{away}}127.0.0.1:1,{AWAY}:{{port}}/d"}}),
        "several, one port": ({{}}, {{"BACKBONE_STORE_URL": f"{{away}}127.0.0.1,{AWAY}:{{port}}/d"}}),
        "query": ({{}}, {{"BACKBONE_STORE_URL": f"{{away}}/d?host={AWAY}&port={{port}}"}}),
        "hostaddr": ({{}}, {{"BACKBONE_STORE_URL": f"{{away}}localhost:{{port}}/d?hostaddr={AWAY}"}}),
        "service": (service, {{"BACKBONE_STORE_URL": f"postgresql:///d?service=away"}}),
        "parts": ({{}}, {{**parts, "PGHOST": "{AWAY}"}}),
        "parts, several": ({{}}, {{**parts, "PGHOST": f"127.0.0.1,{AWAY}"}}),
        "behind our back": ({{**parts, "PGHOST": "{AWAY}"}}, {{"BACKBONE_STORE_URL": "postgresql:///d"}}),
        "localhost elsewhere": ({{}}, {{"BACKBONE_STORE_URL": f"{{away}}localhost:{{port}}/d"}}),
        "mode behind our back": ({{"PGSSLMODE": "disable"}}, {{"BACKBONE_STORE_URL": f"{{away}}{AWAY}:{{port}}/d"}}),
    }}
    for name, (env, given) in ways.items():
        said[name] = asyncio.run(opened(env, given, hasty))
    said["localhost"] = socket.gethostbyname("localhost")
    said["clients"], said["heard"] = server.clients, "{CANARY}" in server.heard.decode("latin-1")
    insecure = {{**hasty, "store.insecure": True}} if len(sys.argv) == 1 else hasty
    said["insecure"] = asyncio.run(opened({{}}, ways["url"][1], insecure))
    script = str(pathlib.Path(sys.executable).with_name("backbone"))
    done = subprocess.run([script, "fetch", "daily_bars", "--profile", "timescale"],
        env={{**os.environ, **ways["url"][1]}}, capture_output=True, text=True)
    said["exit"], said["stderr"] = done.returncode, done.stderr
said["heard, insecure"] = "{CANARY}" in server.heard.decode("latin-1")
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def away(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What came of each way to give the address of a server elsewhere, in a namespace of its own."""
    alone = ["unshare", "--net", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    if subprocess.run([*alone, "ip", "link"], capture_output=True, check=False).returncode:
        pytest.skip("NOT TESTED OFF LOOPBACK: this machine gives no network namespace")
    root = str(Path(__file__).parents[3])
    done = subprocess.run(
        [*alone, sys.executable, "-c", NAMESPACE],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": root},
        cwd=tmp_path_factory.mktemp("away"),
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_however_the_address_of_another_machine_is_given_it_hears_nothing(away: dict[str, object]) -> None:
    ways = {name: said for name, said in away.items() if isinstance(said, str)}
    assert (away["clients"], away["heard"]) == (0, False), ways
    here = {"behind our back", "localhost elsewhere"}
    for name in set(ways) - here - {"stderr", "insecure", "localhost"}:
        assert ways[name].startswith("SettingsError: store."), (name, ways[name])
    assert away["localhost"] == AWAY
    for name in here:
        assert ways[name].startswith("StoreUnavailable"), (name, ways[name])


def test_the_command_line_ends_with_2_and_names_the_settings(away: dict[str, object]) -> None:
    assert away["exit"] == 2
    for name in ("BACKBONE_STORE_SSL_MODE=verify-full", "BACKBONE_STORE_SSL_ROOT_CERT", "BACKBONE_STORE_INSECURE=true"):
        assert name in str(away["stderr"])
    assert CANARY not in str(away["stderr"])


def test_a_setting_that_says_so_sends_it_all_the_same(away: dict[str, object]) -> None:
    assert str(away["insecure"]).startswith("StoreUnavailable")
    assert away["heard, insecure"]
