"""For authors of tests: a virtual clock, a strict system, a recording probe and faults to inject."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.testing.awaits import AtAwait, Await
    from actors.testing.clock import VirtualClock, VirtualLoop, virtual_loop
    from actors.testing.faults import Fault, Faults
    from actors.testing.probe import Probe
    from actors.testing.system import TestSystem

__all__ = ["AtAwait", "Await", "Fault", "Faults", "Probe", "TestSystem", "VirtualClock", "VirtualLoop", "virtual_loop"]

_HOME = {
    "AtAwait": "awaits",
    "Await": "awaits",
    "Fault": "faults",
    "Faults": "faults",
    "Probe": "probe",
    "TestSystem": "system",
    "VirtualClock": "clock",
    "VirtualLoop": "clock",
    "virtual_loop": "clock",
}


def __getattr__(name: str) -> object:
    """Import a name when it is first used: pytest loads the plugin beside this file in every suite."""
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
