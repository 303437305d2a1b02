"""A standalone cluster of Spark: a master and two workers of one core, from the jars that the pyspark package holds.

It runs as whoever starts it: executors run the programs of that user and read the exports that he has written. The
cluster knows its own by a secret, which stands in a file of his alone and in no argument.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import anyio

from backbone.files import PRIVATE, private_folder, replace
from backbone.services.machine import Say, Unavailable, run
from backbone.services.rootfs import ending_with_parent
from backbone.services.service import NotReady, Site
from backbone.services.spark_cluster import CONF, PORTS, WORKERS

_PYTHON = "BACKBONE_EXPORT_SPARK_PYTHON"
_WHERE = "import pyspark, sys; sys.stdout.write(pyspark.__path__[0])"
_FIND_SECONDS = 60.0
_MOST_BYTES = 1 << 20
_CONFIGURATION = """\
spark.authenticate true
spark.authenticate.secret {secret}
spark.master.rest.enabled false
spark.ui.killEnabled false
spark.port.maxRetries 0
spark.worker.cleanup.enabled true
spark.worker.cleanup.appDataTtl 86400
"""
"""A port that is taken ends it, and it is started on others; of itself it would take the next, which nobody knows. And
the logs of programs that have ended go after a day.
"""
_LOGGING = """\
rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d] %p %c{1}: %m%n%ex
"""


class Spark:
    """Master and workers, which end together."""

    name: ClassVar[str] = "spark"
    port_names: ClassVar[tuple[str, ...]] = ("spark", "spark_ui", "spark_worker_1", "spark_worker_2")
    names: ClassVar[tuple[str, ...]] = ("BACKBONE_EXPORT_SPARK_MASTER", "BACKBONE_EXPORT_SPARK_SECRET")
    accounts: ClassVar[Mapping[str, str]] = {"owner": "backbone"}
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    async def install(self, cache: Path, say: Say) -> Path:  # noqa: ARG002 - it is installed, or not
        """Return the folder of the pyspark package.

        Raises:
            Unavailable: it is not installed, or there is no Java.
        """
        if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
            raise Unavailable("Spark needs Java 17 or 21: install openjdk-17-jre-headless, or set JAVA_HOME")
        try:
            return Path(await run([_python(), "-c", _WHERE], what="pyspark", timeout=_FIND_SECONDS))
        except Unavailable as error:
            text = f"{_python()} has no pyspark: pip install --no-binary pyspark 'pyspark>=4.3,<4.4' 'pandas<3'"
            raise Unavailable(f"{text}; or {_PYTHON} names an interpreter that has it") from error

    async def prepare(self, site: Site) -> None:
        """Write the secret and the ports."""
        folder = site.home / CONF
        private_folder(folder)
        replace(folder / "spark-defaults.conf", _CONFIGURATION.format(secret=site.password).encode(), PRIVATE)
        replace(folder / "log4j2.properties", _LOGGING.encode(), PRIVATE)
        replace(folder / PORTS, json.dumps(dict(site.ports)).encode(), PRIVATE)

    def command(self, site: Site, *, die_with_parent: bool) -> list[str]:
        """Return the command that becomes the program over master and workers."""
        setpriv = shutil.which("setpriv") or "/usr/bin/setpriv"
        dying = [ending_with_parent(self.stop_signal)] if die_with_parent else []
        java = [f"JAVA_HOME={home}"] if (home := os.environ.get("JAVA_HOME")) else []
        told = [*java, f"SPARK_HOME={site.install}", f"PYSPARK_PYTHON={_python()}", "TZ=UTC"]
        server = [sys.executable, "-m", "backbone.services.spark_cluster"]
        return [setpriv, "--no-new-privs", *dying, "env", f"--chdir={site.home}", *told, *server]

    async def admit(self, site: Site) -> None:
        """Nothing to do: who knows the secret is let in."""

    async def probe(self, site: Site, *, timeout: float) -> str:
        """Ask the master whether its workers are there."""
        found = await _status(site.ports["spark_ui"], timeout)
        if found.get("aliveworkers") != WORKERS:
            raise NotReady(f"{found.get('aliveworkers')} of {WORKERS} workers are there")
        return f"Spark {await _version(site.install)}"

    def settings(self, site: Site, account: str) -> dict[str, str]:
        """Return the address of the master, and the secret."""
        return dict(zip(self.names, (f"spark://127.0.0.1:{site.port}", site.passwords[account]), strict=True))

    def password(self, settings: Mapping[str, str]) -> str:
        """Return the secret as it stands there."""
        return settings.get("BACKBONE_EXPORT_SPARK_SECRET", "")


def _python() -> str:
    return os.environ.get(_PYTHON) or sys.executable


async def _version(install: Path) -> str:
    jars = await anyio.to_thread.run_sync(lambda: sorted(install.glob("jars/spark-core_*.jar")))
    return jars[0].stem.rpartition("-")[2] if jars else ""


async def _status(port: int, timeout: float) -> dict[str, Any]:
    """What the master says of itself, as JSON."""
    answer = bytearray()
    try:
        with anyio.fail_after(timeout):
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                await stream.send(f"GET /json/ HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
                async for data in stream:
                    answer += data
                    if len(answer) > _MOST_BYTES:
                        raise NotReady(f"port {port} says more than a master would")
        found = json.loads(answer.partition(b"\r\n\r\n")[2])
    except (OSError, TimeoutError, anyio.BrokenResourceError, ValueError) as error:
        raise NotReady(f"no status of the master on port {port}: {type(error).__name__}") from None
    if not isinstance(found, dict):
        raise NotReady(f"port {port} says what no master would")
    return found
