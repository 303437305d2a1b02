"""Why one life of an actor ended."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

StopKind = Literal["normal", "shutdown", "killed", "crash", "parent_died", "intensity", "timeout", "stalled"]


class StopReason(msgspec.Struct, frozen=True):
    """Why an incarnation ended. `error` is the exception, where there was one."""

    kind: StopKind
    detail: str = ""
    error: Any = None

    @property
    def abnormal(self) -> bool:
        """True where a transient child is to be restarted."""
        return self.kind in ("crash", "killed", "intensity", "timeout", "stalled")

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}" if self.detail else self.kind
