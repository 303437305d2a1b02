"""What the actor of the gate is told."""

from __future__ import annotations

from actors import Message

__all__ = ["AttendGates"]


class AttendGates(Message, frozen=True):
    """Somebody has asked about a symbol that was not asked about before."""
