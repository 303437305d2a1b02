"""Apache Kafka (KRaft, one node) from its Maven artifacts, on the Java of this machine; needs no root.

Where we are root all the same, it runs as a user of its own without rights. Clients log in with SCRAM-SHA-512.
"""

from __future__ import annotations

import base64
import hmac
import os
import re
import shutil
import signal
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from backbone.services import owned
from backbone.services.installs import fingerprint, install_once
from backbone.services.kafka_wire import (
    CREATE,
    DESCRIBE,
    DESCRIBE_CONFIGS,
    GROUP,
    READ,
    TOPIC,
    TRANSACTION,
    WRITE,
    Grant,
    conversation,
)
from backbone.services.machine import Say, Unavailable, ensure_programs, mortal, run
from backbone.services.rootfs import ENVIRONMENT, HOME, MOUNTING, ending_with_parent, without_rights
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
listeners=CLIENT://127.0.0.1:{port},INTERNAL://127.0.0.1:{internal},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=CLIENT://127.0.0.1:{port},INTERNAL://127.0.0.1:{internal},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=CLIENT:SASL_PLAINTEXT,INTERNAL:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT
inter.broker.listener.name=INTERNAL
controller.listener.names=CONTROLLER
sasl.mechanism.inter.broker.protocol=PLAIN
sasl.mechanism.controller.protocol=PLAIN
listener.name.client.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.client.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.internal.sasl.enabled.mechanisms=PLAIN
listener.name.internal.plain.sasl.jaas.config={jaas}
listener.name.controller.sasl.enabled.mechanisms=PLAIN
listener.name.controller.plain.sasl.jaas.config={jaas}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:broker;User:backbone_admin
log.dirs={home}/logs
num.recovery.threads.per.data.dir=4
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
_JVM = ("-Xms64m", "-Xmx512m", "-XX:+ExitOnOutOfMemoryError", "-XX:-UsePerfData", "-Djava.awt.headless=true")
# The broker's login to itself; SCRAM can't do that, since the accounts are in what the controller has yet to read.
_JAAS = (
    "org.apache.kafka.common.security.plain.PlainLoginModule required "
    'username="broker" password="{password}" user_broker="{password}";'
)
_ADMIT_SECONDS = 5.0
# Arguments: folder of the programs, folder of the service, Java's folder or nothing, command. Neither the cache nor the
# data need be reachable to the user whom it runs as.
_ENTER = f"""
mount -t tmpfs -o mode=0755 tmpfs /srv
mkdir {HOME} /srv/kafka /srv/java
mount --bind "$2" {HOME}
mount --bind "$1" /srv/kafka
if [ -n "$3" ]; then mount --bind "$3" /srv/java; fi
mount -t tmpfs -o mode=1777 tmpfs /tmp
shift 3
cd {HOME}
exec "$@"
"""
PREFIX = "backbone"
"""What topics, groups and transactions of ours begin with."""
RIGHTS = (
    *(("backbone", TOPIC, each) for each in (CREATE, DESCRIBE, DESCRIBE_CONFIGS, READ, WRITE)),
    *(("backbone", GROUP, each) for each in (DESCRIBE, READ)),
    *(("backbone", TRANSACTION, each) for each in (DESCRIBE, WRITE)),
    *(("backbone_reader", TOPIC, each) for each in (DESCRIBE, DESCRIBE_CONFIGS, READ)),
    *(("backbone_reader", GROUP, each) for each in (DESCRIBE, READ)),
)


class Kafka:
    """One broker that is its own controller; only its accounts are let in, each with its rights."""

    name: ClassVar[str] = "kafka"
    port_names: ClassVar[tuple[str, ...]] = ("kafka", "kafka_controller", "kafka_internal")
    names: ClassVar[tuple[str, ...]] = (
        "BACKBONE_STREAM_BOOTSTRAP",
        "BACKBONE_STREAM_SECURITY_PROTOCOL",
        "BACKBONE_STREAM_SASL_MECHANISM",
        "BACKBONE_STREAM_USER",
        "BACKBONE_STREAM_PASSWORD",
    )
    accounts: ClassVar[Mapping[str, str]] = {
        "owner": "backbone",
        "writer": "backbone",
        "reader": "backbone_reader",
        "admin": "backbone_admin",
    }
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
            # whatever the umask: the user whom Kafka runs as has to read them
            await run(["chmod", "-R", "a+rX", str(partial)], what="chmod", timeout=_FORMAT_SECONDS)

        return await install_once(target, build, say=say)

    async def prepare(self, site: Site) -> None:
        """Write the configuration; format the log folder the first time."""
        properties = _PROPERTIES.format(
            port=site.port,
            controller=site.ports["kafka_controller"],
            internal=site.ports["kafka_internal"],
            jaas=_JAAS.format(password=_internal_password(site)),
            home=_home(site),
        )
        owned.write(site.home / "server.properties", properties, site.account)
        owned.write(site.home / "log4j2.properties", _LOGGING, site.account)
        logs = owned.give(site.home, "logs", site.account)
        if not owned.is_there(logs / "meta.properties"):
            arguments = ["format", "--standalone", "-t", _cluster_id(), "-c", f"{_home(site)}/server.properties"]
            command = [*_java(site), "kafka.tools.StorageTool", *arguments]
            jailed = _jailed(site, command, None)
            await run(jailed, what="Kafka's storage format", timeout=_FORMAT_SECONDS, env=ENVIRONMENT)

    def command(self, site: Site, *, die_with_parent: bool) -> list[str]:
        """Return the command that becomes the broker."""
        server = [*_java(site), "kafka.Kafka", f"{_home(site)}/server.properties"]
        return _jailed(site, server, self.stop_signal if die_with_parent else None)

    async def admit(self, site: Site) -> None:
        """Make the accounts and their rights, by the broker's own login: no password is in any argument."""
        grants = [Grant(account, resource, PREFIX, operation) for account, resource, operation in RIGHTS]
        async with conversation(site.ports["kafka_internal"], _ADMIT_SECONDS) as broker:
            await broker.log_in_plain("broker", _internal_password(site))
            if await broker.brokers() < 1:
                raise NotReady("the controller has not let the broker in yet")
            await broker.set_passwords(site.passwords)
            await broker.allow(grants)

    async def probe(self, site: Site, *, timeout: float) -> str:
        """Log in, ask for the metadata and find the broker in it, which means that it serves clients."""
        async with conversation(site.port, timeout) as broker:
            await broker.log_in("backbone", site.password)
            if await broker.brokers() < 1:
                raise NotReady("the controller has not let the broker in yet")
        return f"Apache Kafka {VERSION}"

    def settings(self, site: Site, account: str) -> dict[str, str]:
        """Return the bootstrap address and the login."""
        values = (f"127.0.0.1:{site.port}", "SASL_PLAINTEXT", "SCRAM-SHA-512", account, site.passwords[account])
        return dict(zip(self.names, values, strict=True))

    def password(self, settings: Mapping[str, str]) -> str:
        """Return the password as it stands there."""
        return settings.get("BACKBONE_STREAM_PASSWORD", "")


def _write_pom(folder: Path) -> str:
    folder.mkdir()
    path = folder / "pom.xml"
    path.write_text(_POM, encoding="utf-8")
    return str(path)


def _java(site: Site) -> list[str]:
    install = "/srv/kafka" if _as_root() else site.install
    logging = f"-Dlog4j2.configurationFile={_home(site)}/log4j2.properties"
    program = "/srv/java/bin/java" if _as_root() and os.environ.get("JAVA_HOME") else _java_program()
    return [program, *_JVM, logging, "-cp", f"{install}/libs/*"]


def _as_root() -> bool:
    return os.geteuid() == 0


def _home(site: Site) -> Path:
    """The service's folder as its processes see it."""
    return HOME if _as_root() else site.home


def _jailed(site: Site, command: list[str], death: signal.Signals | None) -> list[str]:
    """The command as the service's user, with mounts of its own; as whoever we are where that is not root."""
    if _as_root():
        folders = [str(site.install), str(site.home), os.environ.get("JAVA_HOME", "")]
        return [*MOUNTING, _ENTER, "sh", *folders, *without_rights(site.account, death), *command]
    setpriv = shutil.which("setpriv") or "/usr/bin/setpriv"
    dying = [] if death is None else [ending_with_parent(death)]
    return [setpriv, "--no-new-privs", *dying, "env", f"--chdir={site.home}", *command]


def _internal_password(site: Site) -> str:
    """What the broker tells itself and the launcher it: made of the admin's, so that it need not be written down."""
    return hmac.digest(site.passwords["backbone_admin"].encode(), b"broker", "sha256").hex()


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
