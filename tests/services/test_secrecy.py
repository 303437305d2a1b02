"""A canary as the password of every account, and of the key of the client's certificate, in whole institutional runs.

It is in no log, report, manifest, roster or traceback, in no file but those that hold it for us, and in no argument of
any process while that went on.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import anyio
import pytest

from backbone import Backbone, BackboneError, Dimension, IngestPlan, load_settings
from backbone.cli.main import main
from backbone.cli.process.logs import configure
from backbone.operations.validation import observe
from backbone.services import native, owned
from backbone.services.kafka import Kafka
from backbone.services.ports import choose
from backbone.services.service import Site
from tests.backbone import logs
from tests.backbone.secrecy.reporter import recorded
from tests.backbone.secrecy.ways import SECRETS
from tests.backbone.store.impostor import authority, issued
from tests.services.conftest import serving
from tests.services.stores import bars

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "config" / "samples" / "eurusd_1h_tail.csv.gz"
BARS = Dimension.INTRADAY_BARS
CANARY = f"CANARY{secrets.token_hex(6)}"
"""New each time, so that nobody else on the machine has it."""
FORMATS = ("human", "json", "markdown")
HARMED_SECONDS = 3.0

_STORE, _CACHE = f"{CANARY}-store /@:%25'", f"{CANARY}-cache /@:%25'"
_STREAM, _KEY = f"{CANARY}-stream/@:%25", f"{CANARY}-key/@:%25"
_HELD = f"""\
BACKBONE_STORE_URL=postgresql://backbone:{quote(_STORE, safe="")}@127.0.0.1:1/backbone
BACKBONE_CACHE_URL=redis://backbone:{quote(_CACHE, safe="")}@127.0.0.1:1/0
BACKBONE_STREAM_PASSWORD={_STREAM}
"""
_TLS = """\
listener.name.tls.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.tls.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.tls.ssl.client.auth=required
listener.name.tls.ssl.keystore.type=PEM
listener.name.tls.ssl.keystore.certificate.chain={chain}
listener.name.tls.ssl.keystore.key={key}
listener.name.tls.ssl.truststore.type=PEM
listener.name.tls.ssl.truststore.certificates={trusted}
"""


class Arguments:
    """What the arguments of all processes of this machine were, looked at again and again from a thread."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, name="arguments")

    def __enter__(self) -> Arguments:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(0.03):
            for each in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(each.read_bytes())
                except OSError:
                    continue  # it has ended


class Servers(NamedTuple):
    """Servers whose accounts have the canary, and how a client finds them."""

    services: native.Services
    environment: Mapping[str, str]
    arguments: Arguments

    def apart(self) -> dict[str, str]:
        """The passwords beside the addresses, not in them."""
        env = dict(self.environment)
        for section in ("STORE", "CACHE"):
            parts = urlsplit(env[f"BACKBONE_{section}_URL"])
            user, _, where = parts.netloc.rpartition("@")
            name, _, password = user.partition(":")
            env[f"BACKBONE_{section}_URL"] = urlunsplit(parts._replace(netloc=f"{name}@{where}"))
            env[f"BACKBONE_{section}_PASSWORD"] = unquote(password)
        return env


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """All three, of this module alone; Kafka also by TLS, to clients with a certificate."""
    data, folder = tmp_path_factory.mktemp("secrecy"), tmp_path_factory.mktemp("certificates")
    env_file = data / ".env"
    env_file.touch(0o600)
    env_file.write_text(_HELD)
    port = choose(("tls",), fixed={}, former={})["tls"]
    with pytest.MonkeyPatch.context() as patch, Arguments() as arguments:
        client = speaking_tls(patch, folder, port)
        for services in serving(native.ALL, data):
            own = {"BACKBONE_PROFILE": "institutional", "BACKBONE_PROVIDERS_FRED_KEY": f"{CANARY}-fred"}
            own["BACKBONE_EXPORT_SPARK_SECRET"] = f"{CANARY}-spark"
            environment = {**services.environment, **own, **client}
            yield Servers(services, environment, arguments)


def speaking_tls(patch: pytest.MonkeyPatch, folder: Path, port: int) -> dict[str, str]:
    """Have Kafka listen at a further port, by TLS; returns what a client has to be told."""
    ours = authority(folder, "ours")
    broker, client = issued(folder, "broker", "127.0.0.1", ours), issued(folder, "client", "127.0.0.1", ours)
    texts = {"chain": broker.crt, "key": broker.key, "trusted": ours.crt}
    tls = _TLS.format(**{name: path.read_text().replace("\n", "\\n") for name, path in texts.items()})
    original = Kafka.prepare

    async def prepare(self: Kafka, site: Site) -> None:
        await original(self, site)
        text = (site.home / "server.properties").read_text()
        text = text.replace("=CLIENT://", f"=TLS://127.0.0.1:{port},CLIENT://")
        text = text.replace("=CLIENT:SASL", "=TLS:SASL_SSL,CLIENT:SASL")
        owned.write(site.home / "server.properties", text + tls, site.account)

    patch.setattr(Kafka, "prepare", prepare)
    locked = folder / "client.locked"
    command = ["/usr/bin/openssl", "pkcs8", "-topk8", "-in", str(client.key), "-out", str(locked), "-passout", "stdin"]
    subprocess.run(command, input=f"{_KEY}\n".encode(), check=True, capture_output=True)
    return {
        "BACKBONE_STREAM_BOOTSTRAP": f"127.0.0.1:{port}",
        "BACKBONE_STREAM_SECURITY_PROTOCOL": "SASL_SSL",
        "BACKBONE_STREAM_SSL_ROOT_CERT": str(ours.crt),
        "BACKBONE_STREAM_SSL_CERT": str(client.crt),
        "BACKBONE_STREAM_SSL_KEY": str(locked),
        "BACKBONE_STREAM_SSL_KEY_PASSWORD": _KEY,
    }


def sings(text: str | bytes) -> bool:
    raw = text.encode(errors="replace") if isinstance(text, str) else text
    return CANARY.lower().encode() in raw.lower()


def test_every_secret_of_the_settings_has_it(servers: Servers) -> None:
    with_passwords = load_settings(env=servers.environment)
    beside = load_settings(env=servers.apart())
    for leaf in SECRETS:
        given = [attrgetter(leaf.path)(each) for each in (with_passwords, beside)]
        assert any(each is not None and sings(each.reveal()) for each in given), leaf.path


@contextmanager
def harmed(servers: native.Services, name: str, harm: str) -> Iterator[None]:
    """A server that is gone, or answers nothing."""
    if harm == "killed":
        servers.kill(name)
        yield
        return
    servers.freeze(name)
    try:
        yield
    finally:
        servers.thaw(name)


@pytest.mark.parametrize(("how", "harm"), [("console", "killed"), ("json", "frozen")])
async def test_a_run_and_outages_of_each_server_are_told_without_it(
    servers: Servers, how: str, harm: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    host, said = asyncio.all_tasks(), []
    own = {"BACKBONE_LOGGING_FORMAT": how, "BACKBONE_LOGGING_LEVEL": "debug", "BACKBONE_STORE_STATEMENT_TIMEOUT": "2"}
    env = {**servers.apart(), **own, "BACKBONE_CONTROL_PATH": str(tmp_path / "s")}
    settings = load_settings(env=env)
    with logs.restored():
        configure(settings, verbose=2, quiet=False, serves=True)
        async with Backbone.open(settings) as backbone:
            said.append(repr(await backbone.ingest(IngestPlan(dimensions=[BARS], interval="1h", path=SAMPLE))))
            for number, (name, form) in enumerate(zip(native.ALL, FORMATS, strict=True)):
                with harmed(servers.services, name, harm):
                    said += [each async for each in said_meanwhile(backbone, 100 * number)]
                    await asked(tmp_path, form)
                if harm == "killed":
                    await servers.services.restart(name)
                await all_is_well(backbone)
            said += [task.get_name() for task in asyncio.all_tasks()]
            said += [repr(backbone), repr(backbone.settings), repr(await backbone.connectors())]
            roster = backbone.roster()
        report = observe(roster, host, settings_hash=settings.hash)
        said += [repr(roster), report.to_json().decode(), report.to_markdown()]
    out = capfd.readouterr()
    assert [each for each in said if each.startswith("raised")], "no call failed"
    assert out.err
    assert not sings("".join((*said, out.out, out.err)))


async def said_meanwhile(backbone: Backbone, first: int) -> AsyncIterator[str]:
    """What calls bring, and a crash reporter would record of those that fail, for some seconds."""
    calls: Sequence[Callable[[int], object]] = (
        lambda n: backbone.record(bars({first + n: 1.0}, "SECRET")),
        lambda n: backbone.fetch(BARS, symbols=["SECRET"], limit=first + n + 1),
        lambda _: backbone.connectivity(),
    )
    until = anyio.current_time() + HARMED_SECONDS
    number = 0
    while anyio.current_time() < until:
        for call in calls:
            try:
                yield repr(await call(number))  # type: ignore[misc]
            except BackboneError as error:
                yield f"raised {recorded(error, but=__file__)}"
        number += 1
        await anyio.sleep(0.1)
    yield repr(backbone.roster())


async def asked(folder: Path, form: str) -> None:
    """What other processes are told of a running backbone."""
    for name in ("status", "roster", "connectors"):
        given = [name, "--format", form, "--set", f"control.path={folder / 's'}"]
        await anyio.to_thread.run_sync(main, given)


async def all_is_well(backbone: Backbone) -> None:
    with anyio.fail_after(60):
        while {each.health.level for each in backbone.roster().entries} - {"ok", "unknown"}:  # noqa: ASYNC110
            await anyio.sleep(0.1)


SUITE = """
import os
from pathlib import Path
import pytest
from backbone import Backbone, Dimension, IngestPlan, load_settings

async def test_a_host():
    settings = load_settings(env=os.environ)
    async with Backbone.open(settings) as backbone:
        await backbone.ingest(IngestPlan(dimensions=["intraday"], interval="1h", path=Path(os.environ["SAMPLE"])))
        parts = settings.store, settings.cache, settings.stream, vars(backbone), await backbone.connectivity()
        assert parts == backbone.roster()
"""
TESTS = ["-m", "pytest", "-p", "no:cacheprovider", "-vv", "--showlocals", "test_hosts.py"]
WRONG = {
    "": {},
    "BACKBONE_STORE_PASSWORD": {"BACKBONE_STORE_START_TIMEOUT": "0"},
    "BACKBONE_CACHE_PASSWORD": {},
    "BACKBONE_STREAM_PASSWORD": {},
    "BACKBONE_STREAM_SSL_KEY_PASSWORD": {},
}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda each: each or "none")
def test_commands_and_failing_tests_in_other_processes_do_not_say_it(
    servers: Servers, wrong: str, tmp_path: Path
) -> None:
    env = environment(servers.apart(), tmp_path, WRONG[wrong])
    if wrong:
        env[wrong] += "-wrong"
    backbone = str(Path(sys.executable).with_name("backbone"))
    commands = [
        [backbone, "rehearse", str(SAMPLE), "--interval", "1h", "--output", "report", "-vv"],
        [backbone, "connectors", "--ensure-topics", "--format", "markdown", "--output", "connectors.md"],
        [sys.executable, *TESTS],
        *([] if wrong else [[backbone, "config", "show", "--format", "json"], [backbone, "dlq", "list"]]),
    ]
    (tmp_path / "test_hosts.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    for command in commands:
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, check=False, timeout=180)
        text = (done.stdout + done.stderr).decode(errors="replace")
        assert text, command
        assert not sings(text), command
        assert command[0] == backbone or "1 failed in" in text, text
        assert wrong or command[0] != backbone or done.returncode == 0, text
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert wrong or {path.suffix for path in (tmp_path / "report").iterdir()} >= {".json", ".md"}
    assert not [path for path in written if sings(path.read_bytes())]


def environment(given: Mapping[str, str], folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    """As an operator sets it, with everything logged."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BACKBONE_", "PG"))}
    loud = {"BACKBONE_DEBUG": "1", "BACKBONE_LOGGING_LEVEL": "debug", "PYTHONPATH": str(ROOT), "SAMPLE": str(SAMPLE)}
    return {**kept, **given, **loud, "BACKBONE_CONTROL_PATH": str(folder / "s"), **more}


def test_one_that_runs_is_asked_by_others_and_says_it_to_none(servers: Servers, tmp_path: Path) -> None:
    """The addresses with their passwords in them, from an env file."""
    shutil.copyfile(servers.services.env_file, tmp_path / ".env")
    backbone = str(Path(sys.executable).with_name("backbone"))
    env = environment(servers.environment, tmp_path, {})
    told = []
    with subprocess.Popen([backbone, "run", "-vv"], cwd=tmp_path, env=env, stdout=-1, stderr=-1) as running:
        for name in ("status", "roster", "connectors"):
            for form in FORMATS:
                command = [backbone, name, "--env-file", ".env", "--format", form]
                told.append(answer(command, tmp_path, env))
        running.send_signal(signal.SIGTERM)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 128 + signal.SIGTERM
    assert json.loads(told[1])
    assert not sings(b"".join((*told, out, err)))
    assert any(b"run\0-vv" in each for each in servers.arguments.seen)


def answer(command: Sequence[str], folder: Path, env: Mapping[str, str]) -> bytes:
    """Of a command, once there is somebody to ask."""
    for _ in range(60):
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, check=False, timeout=60)
        if done.returncode in {0, 3}:
            return done.stdout + done.stderr
    raise AssertionError(done.stderr.decode())


def test_no_process_had_it_in_its_arguments_and_no_file_of_the_servers_has_it(servers: Servers) -> None:
    """The last of the module: of all that went on before."""
    seen = servers.arguments.seen
    for program in (b"postgres", b"redis-server", b"kafka.Kafka", b"initdb", b"rehearse"):
        assert any(program in each for each in seen), program
    assert [each for each in seen if sings(each)] == []
    held = {path for path in servers.services.data.rglob("*") if path.is_file() and not path.name.endswith(".env")}
    assert len(held) > 100
    assert [path for path in held if sings(path.read_bytes())] == []
