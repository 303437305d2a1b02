"""For people who test actors: a virtual clock, a strict system, a recording probe and faults to inject."""

from actors.testing.clock import VirtualClock, VirtualLoop, virtual_loop
from actors.testing.faults import Fault, Faults
from actors.testing.probe import Probe
from actors.testing.system import TestSystem

__all__ = ["Fault", "Faults", "Probe", "TestSystem", "VirtualClock", "VirtualLoop", "virtual_loop"]
