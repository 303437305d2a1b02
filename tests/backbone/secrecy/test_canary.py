"""A canary in every secret, by every way to give it: it sings in no output."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from backbone import BackboneError, IngestPlan
from backbone.cli.main import main
from backbone.cli.process.logs import configure
from backbone.operations.validation import observe
from backbone.settings import load_settings
from backbone.settings.leaves import Leaf
from backbone.testing import Faults, embedded
from tests.backbone import logs
from tests.backbone.cli.conftest import BARS, STRAY
from tests.backbone.secrecy.reporter import recorded
from tests.backbone.secrecy.ways import CANARY, SECRETS, WAYS, Given, loaded, said_by, secret_in, values_of

FORMATS = ("human", "json", "markdown")


@pytest.fixture(autouse=True)
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder of its own, no settings of the machine, and the root logger as it was."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(STRAY):
            monkeypatch.delenv(name)
    with logs.restored():
        yield


def sings(text: str) -> bool:
    return bool(re.search(CANARY, text, re.IGNORECASE))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("leaf", SECRETS, ids=lambda leaf: leaf.path)
def test_settings_say_no_secret_however_it_is_given(leaf: Leaf, way: str, tmp_path: Path) -> None:
    said = 0
    for value in values_of(leaf):
        given = WAYS[way](leaf, value, tmp_path)
        for output, text in said_by(given):
            assert not sings(text), f"{leaf.path} by {way}, {value!r}: {output}: {text}"
            said += 1
    assert said >= len(list(values_of(leaf)))


@pytest.mark.parametrize("leaf", SECRETS, ids=lambda leaf: leaf.path)
def test_a_secret_that_is_given_arrives(leaf: Leaf, tmp_path: Path) -> None:
    value = next(values_of(leaf))
    for way in ("environment", "file", "alias", "alias file", "env file", "override", "secret override"):
        given = WAYS[way](leaf, value, tmp_path)
        assert isinstance(given, Given)
        assert secret_in(loaded(given), leaf).reveal() == value, way


@pytest.mark.parametrize("debugging", ["", "1"])
@pytest.mark.parametrize("leaf", SECRETS, ids=lambda leaf: leaf.path)
def test_no_command_about_settings_says_a_secret(
    leaf: Leaf, debugging: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BACKBONE_DEBUG", debugging)
    monkeypatch.setenv("BACKBONE_CONFIG", "")
    values = list(values_of(leaf))
    for value in values[bool(debugging) :: 4]:
        yaml_file = WAYS["yaml"](leaf, value, tmp_path)
        assert isinstance(yaml_file, Given)
        (tmp_path / "x.env").write_text(f"{leaf.env}='{value}'\n", encoding="utf-8")
        main(["config", "show", "--set", f"{leaf.path}={value}"])
        main(["config", "show", "--config", str(yaml_file.path)])
        for how in FORMATS:
            main(["config", "show", "--format", how, "--env-file", "x.env"])
            main(["config", "check", "--format", how, "--env-file", "x.env"])
    said = "".join(capsys.readouterr())
    assert "secrets are not taken from the command line" in said
    assert not sings(said)


class Loud(Faults):
    """The store and what writes to it fail, and say the secret when they do."""

    def __init__(self, secrets: list[str]) -> None:
        super().__init__()
        self.secrets = secrets
        self.crashes = 0

    def meet_ingest(self, moment: str) -> None:
        """Crash the ingest actor at its first writes."""
        if self.crashes < 2:
            self.crashes += 1
            error = RuntimeError(f"the client says {self.secrets} \x1b[31m")
            error.add_note(f"at {self.secrets[0]}")
            raise error
        super().meet_ingest(moment)


@pytest.mark.parametrize("how", ["console", "json"])
@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
async def test_a_running_backbone_says_no_secret(
    how: str, level: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    values = {leaf.path: next(values_of(leaf)) for leaf in SECRETS}
    overrides = {**values, "control.enabled": True, "control.path": str(tmp_path / "s"), "logging.format": how}
    settings = load_settings(profile="embedded", overrides={"logging.format": how, "logging.level": level})
    configure(settings, verbose=0, quiet=False, serves=True)
    faults = Loud(list(values.values()))
    host = asyncio.all_tasks()
    (tmp_path / "bars.csv").write_text(BARS)
    said: list[str] = []
    async with embedded(faults=faults, overrides=overrides) as backbone:
        assert backbone.settings.store.password is not None
        plan = IngestPlan(dimensions=["intraday"], interval="1h", path=tmp_path / "bars.csv")
        try:
            said.append(repr(await backbone.ingest(plan)))
        except BackboneError as error:
            said.append(recorded(error, but=__file__).replace(str(faults.secrets), ""))
        faults.store_down(f"no answer from {values['store.url']}, password {values['store.password']}")
        for words in (("status",), ("roster",), ("connectors",)):
            for form in FORMATS:
                arguments = [*words, "--format", form, "--set", f"control.path={tmp_path / 's'}"]
                await anyio.to_thread.run_sync(main, arguments)
        questions = ("roster", "status", "secrets")
        said += [await anyio.to_thread.run_sync(asked, tmp_path / "s", each) for each in questions]
        said += [task.get_name() for task in asyncio.all_tasks()]
        said += [repr(backbone), str(backbone), repr(backbone.settings)]
        roster = backbone.roster()
    report = observe(roster, host, settings_hash="x")
    said += [report.to_json().decode(), report.to_markdown()]
    out = capfd.readouterr()
    assert faults.crashes == 2
    assert out.out
    assert "***" in "".join(said)
    assert not sings("".join((*said, out.out, out.err)))
    if level == "debug":
        assert "RuntimeError: the client says" in out.err
        assert "\x1b" not in out.err


def asked(path: Path, command: str) -> str:
    """What the socket answers, as it is."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(10)
        client.connect(str(path))
        client.sendall(json.dumps({"schema": 1, "command": command}).encode() + b"\n")
        data = b""
        while not data.endswith(b"\n") and (more := client.recv(65536)):
            data += more
    return data.decode()
