"""Apache Kafka (KRaft, one node) from its Maven artifacts, on the Java of this machine; needs no root."""

from __future__ import annotations

import base64
import os
import re
import shutil
import signal
import struct
import uuid
from pathlib import Path
from typing import ClassVar

import anyio
from anyio.abc import ByteStream

from backbone.services.installs import fingerprint, install_once
from backbone.services.machine import Say, Unavailable, ensure_programs, mortal, run
from backbone.services.rootfs import ENVIRONMENT, ending_with_parent
from backbone.services.service import NotReady, Site

VERSION = "4.3.1"
_JAVA_NEEDED = 17
_MAVEN_SECONDS = 300.0
_FORMAT_SECONDS = 60.0
_POM = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>backbone</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.3</version>
    </dependency>
  </dependencies>
</project>
"""
# A broker that was killed is let in again only when its old session has lapsed: 2 s instead of 9.
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=CLIENT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=CLIENT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=CLIENT
controller.listener.names=CONTROLLER
log.dirs={home}/logs
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=300
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
log.cleaner.dedupe.buffer.size=8388608
"""
_LOGGING = """\
# Else the logging would end before the server does, and its last words be lost.
shutdownHook=disable
rootLogger.level=info
rootLogger.appenderRef.console.ref=console
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=[%d] %p %m (%c)%n
"""
_JVM = ("-Xms64m", "-Xmx512m", "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true")
_METADATA, _METADATA_VERSION = 3, 4


class Kafka:
    """One broker that is its own controller; no login, since it listens on the loopback address only."""

    name: ClassVar[str] = "kafka"
    port_names: ClassVar[tuple[str, ...]] = ("kafka", "kafka_controller")
    setting: ClassVar[str] = "BACKBONE_STREAM_BOOTSTRAP"
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    async def install(self, cache: Path, say: Say) -> Path:
        """Return the folder with Kafka's jars, fetched by Maven the first time.

        Raises:
            Unavailable: no Java of version 17 or newer, no Maven, and neither can be installed here.
        """
        programs = {"java": "openjdk-17-jre-headless"}
        await ensure_programs(programs, lock=cache / ".apt.lock", say=say)
        await _require_java()
        target = cache / f"kafka-{VERSION}-{fingerprint(_POM)}"

        async def build(partial: Path) -> None:
            await ensure_programs({"mvn": "maven"}, lock=cache / ".apt.lock", say=say)
            say(f"installing Apache Kafka {VERSION} into {target} (about 45 MB)")
            options = ["-DincludeScope=runtime", f"-DoutputDirectory={partial / 'libs'}"]
            command = ["mvn", "-B", "-q", "-f", _write_pom(partial), "dependency:copy-dependencies", *options]
            await run(mortal(command), what="mvn (Apache Kafka's jars)", timeout=_MAVEN_SECONDS)

        return await install_once(target, build, say=say)

    async def prepare(self, site: Site) -> None:
        """Write the configuration; format the log folder the first time."""
        controller = site.ports["kafka_controller"]
        properties = _PROPERTIES.format(port=site.port, controller=controller, home=site.home)
        (site.home / "server.properties").write_text(properties, encoding="utf-8")
        (site.home / "log4j2.properties").write_text(_LOGGING, encoding="utf-8")
        if not (site.home / "logs" / "meta.properties").exists():
            arguments = ["format", "--standalone", "-t", _cluster_id(), "-c", str(site.home / "server.properties")]
            command = [*_java(site), "kafka.tools.StorageTool", *arguments]
            await run(command, what="Kafka's storage format", timeout=_FORMAT_SECONDS, env=ENVIRONMENT)

    def command(self, site: Site, *, die_with_parent: bool) -> list[str]:
        """Return the command that becomes the broker."""
        server = [*_java(site), "kafka.Kafka", str(site.home / "server.properties")]
        death = [ending_with_parent(self.stop_signal)] if die_with_parent else []
        setpriv = shutil.which("setpriv") or "/usr/bin/setpriv"
        return [setpriv, "--no-new-privs", *death, "env", f"--chdir={site.home}", *server]

    async def admit(self, site: Site) -> None:
        """Nothing to do: there are no users."""

    async def probe(self, site: Site, *, timeout: float) -> str:
        """Ask for the metadata and find the broker in it, which means that it serves clients."""
        try:
            with anyio.fail_after(timeout):
                async with await anyio.connect_tcp("127.0.0.1", site.port) as stream:
                    brokers = await _brokers(stream)
        except (OSError, TimeoutError, anyio.IncompleteRead, anyio.EndOfStream, anyio.BrokenResourceError) as error:
            raise NotReady(f"no answer to a metadata request on port {site.port}: {type(error).__name__}") from None
        if brokers < 1:
            raise NotReady("the controller has not let the broker in yet")
        return f"Apache Kafka {VERSION}"

    def address(self, site: Site) -> str:
        """Return the bootstrap address."""
        return f"127.0.0.1:{site.port}"


def _write_pom(folder: Path) -> str:
    folder.mkdir()
    path = folder / "pom.xml"
    path.write_text(_POM, encoding="utf-8")
    return str(path)


def _java(site: Site) -> list[str]:
    logging = f"-Dlog4j2.configurationFile={site.home / 'log4j2.properties'}"
    return [_java_program(), *_JVM, logging, "-cp", f"{site.install}/libs/*"]


def _java_program() -> str:
    home = os.environ.get("JAVA_HOME")
    return f"{home}/bin/java" if home else shutil.which("java") or "/usr/bin/java"


async def _require_java() -> None:
    output = await run([_java_program(), "-version"], what="java -version", timeout=60)
    found = re.search(r'version "(\d+)', output)
    if found is None or int(found[1]) < _JAVA_NEEDED:
        version = found[1] if found else "unknown"
        raise Unavailable(
            f"Apache Kafka needs Java {_JAVA_NEEDED} or newer, {_java_program()} is {version}: "
            "install openjdk-17-jre-headless or set JAVA_HOME"
        )


def _cluster_id() -> str:
    """Return a random cluster id as Kafka writes them; one that begins with a dash would be read as an option."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=")).startswith("-"):
        continue
    return text


async def _brokers(stream: ByteStream) -> int:
    """Return how many brokers the metadata names (Kafka protocol, Metadata version 4: no topics asked for)."""
    client = b"launcher"
    header = struct.pack(f">hhih{len(client)}s", _METADATA, _METADATA_VERSION, 0, len(client), client)
    request = header + struct.pack(">i?", 0, False)
    await stream.send(struct.pack(">i", len(request)) + request)
    received = bytearray()
    # Length, correlation id, throttle time, number of brokers: four integers.
    while len(received) < struct.calcsize(">iiii"):
        received += await stream.receive()
    _length, _correlation, _throttle, brokers = struct.unpack_from(">iiii", received)
    return int(brokers)
