"""What came of looking for topics on the brokers, and of creating those that are missing."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

__all__ = ["Provisioned"]


class Provisioned(msgspec.Struct, frozen=True, kw_only=True):
    """One look at the brokers.

    Attributes:
        requested: the topics that the settings ask for.
        existing: those that were there, with their partitions.
        created: those that were made, with the partitions asked for.
        missing: those that are not there, and that nobody tried to make: it was a dry run.
        failed: those of which it is not known, or that could not be made, each with the reason.
        notes: what is otherwise on the brokers than asked for, and what to do.
        stalls: of the notes those because of which records may not get through.
        dry_run: nothing was to be made.
    """

    requested: tuple[str, ...]
    existing: dict[str, int] = {}
    created: dict[str, int] = {}
    missing: tuple[str, ...] = ()
    failed: dict[str, str] = {}
    notes: tuple[str, ...] = ()
    stalls: tuple[str, ...] = ()
    dry_run: bool = False

    @property
    def partitions(self) -> Mapping[str, int]:
        """Those of each topic that is there now."""
        return {**self.existing, **self.created}

    @property
    def complete(self) -> bool:
        """Whether all topics are there."""
        return not self.missing and not self.failed

    def and_those_of(self, other: Provisioned) -> Provisioned:
        """Both as one look."""
        return Provisioned(
            requested=(*self.requested, *other.requested),
            existing={**self.existing, **other.existing},
            created={**self.created, **other.created},
            missing=(*self.missing, *other.missing),
            failed={**self.failed, **other.failed},
            notes=tuple(dict.fromkeys((*self.notes, *other.notes))),
            stalls=(*self.stalls, *other.stalls),
            dry_run=self.dry_run or other.dry_run,
        )
