"""What can be wrong with a source as a whole. A bad row is no error: it is quarantined."""

from __future__ import annotations

from backbone.domain.errors import BackboneError

__all__ = ["InputInvalid", "InputMissing", "SourceError"]


class SourceError(BackboneError, ValueError):
    """A source can't deliver. The message is one line for the operator: what was found, what is needed, what to do."""

    code = "source"


class InputMissing(SourceError):
    """There is no such file. Check the path."""

    code = "input_missing"


class InputInvalid(SourceError):
    """The file is there but can't be used: empty, unreadable, damaged, with other columns. The message says which."""

    code = "input_invalid"
