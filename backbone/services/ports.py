"""Free ports on the loopback address."""

from __future__ import annotations

import random
import socket
from collections.abc import Mapping, Sequence

# Below the range from which the kernel takes ports for outgoing connections: a client that keeps trying to reach a
# stopped server of that range can end up connected to itself, and keep the server from coming back.
_RANGE = range(20_000, 32_000)
_TRIES = 200


def is_free(port: int) -> bool:
    """Tell whether a server could listen on the port of 127.0.0.1 now."""
    with socket.socket() as probe:
        # As the servers do: a port whose old connections linger is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def choose(names: Sequence[str], *, fixed: Mapping[str, int], former: Mapping[str, int]) -> dict[str, int]:
    """Return a port for each name.

    Args:
        names: port names.
        fixed: ports that must be used.
        former: ports to be used again if they are free.

    Raises:
        ValueError: a fixed port is taken, or not a port.
    """
    chosen: dict[str, int] = {}
    for name in names:
        if name in fixed:
            chosen[name] = _demand(name, fixed[name])
        elif name in former and is_free(former[name]):
            chosen[name] = former[name]
        else:
            chosen[name] = _any_free(set(chosen.values()))
    return chosen


def _demand(name: str, port: int) -> int:
    if not 0 < port < 65_536:
        raise ValueError(f"port of {name}: {port} given, 1 to 65535 allowed")
    if not is_free(port):
        raise ValueError(f"port of {name}: {port} is taken; stop what listens there, or let a free one be chosen")
    return port


def _any_free(taken: set[int]) -> int:
    candidates = random.sample(_RANGE, _TRIES)
    return next(port for port in candidates if port not in taken and is_free(port))
