"""The program over a master and its workers: starts them, and ends them all when it is told to end.

`python -m backbone.services.spark_cluster`, in the folder of the service. A worker that is gone stays gone, and the
master says so; without its master the cluster ends.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from backbone.services.rootfs import ending_with_parent

__all__ = ["CONF", "PORTS", "WORKERS", "main"]

CONF = "conf"
PORTS = "ports.json"
WORKERS = 2

_HOST = "127.0.0.1"
_STOP_SECONDS = 10.0
_CORES, _MEMORY = "1", "1g"


class _Ended(Exception):
    """Somebody wants the cluster to end."""


def main() -> int:
    """Run the cluster until SIGTERM or SIGINT, or until its master is gone."""
    home = Path.cwd()
    ports = json.loads((home / CONF / PORTS).read_bytes())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    running: list[subprocess.Popen[bytes]] = []
    try:
        master = _started(home, "master.Master", "--port", ports["spark"], "--webui-port", ports["spark_ui"])
        running.append(master)
        for n in range(1, WORKERS + 1):
            places = ("--webui-port", ports[f"spark_worker_{n}"], "--work-dir", home / f"work-{n}")
            sizes = ("--cores", _CORES, "--memory", _MEMORY)
            running.append(_started(home, "worker.Worker", *places, *sizes, f"spark://{_HOST}:{ports['spark']}"))
        return master.wait()
    except _Ended:
        return 0
    finally:
        for each in reversed(running):
            each.terminate()
        for each in running:
            _buried(each)


def _end(_number: int, _frame: FrameType | None) -> None:
    raise _Ended


def _started(home: Path, what: str, *arguments: object) -> subprocess.Popen[bytes]:
    """Start a part of the cluster; the kernel ends it should this program be killed."""
    setpriv = shutil.which("setpriv") or "/usr/bin/setpriv"
    program = [f"{os.environ['SPARK_HOME']}/bin/spark-class", f"org.apache.spark.deploy.{what}", "--host", _HOST]
    environment = {
        **os.environ,
        "SPARK_CONF_DIR": str(home / CONF),
        "SPARK_LOCAL_IP": _HOST,
        "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_DAEMON_JAVA_OPTS": "-Duser.timezone=UTC",
    }
    command = [setpriv, ending_with_parent(signal.SIGKILL), *program, *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)


def _buried(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
