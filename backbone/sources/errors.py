"""What can be wrong with a source as a whole. A bad row is no error: it is quarantined."""

from __future__ import annotations

from backbone.domain.errors import BackboneError

__all__ = ["InputInvalid", "InputMissing", "SourceError", "SourceUnavailable", "SourceUnset"]


class SourceError(BackboneError, ValueError):
    """A source can't deliver. The message is one line for the operator: what was found, what is needed, what to do."""

    code = "source"


class InputMissing(SourceError):
    """There is no such file. Check the path."""

    code = "input_missing"


class InputInvalid(SourceError):
    """The file is there but can't be used: empty, unreadable, damaged, with other columns. The message says which."""

    code = "input_invalid"


class SourceUnset(SourceError):
    """A provider lacks what it needs to be asked at all: a key, a package. The message says which setting to give."""

    code = "source_unset"


class SourceUnavailable(SourceError):
    """A provider can't be reached, is overloaded or refuses us. What was read before is in; ask again later.

    Attributes:
        retry_after: seconds after which it wants to be asked again; None: it did not say. It does not travel between
            actors; the message says it, too.
    """

    code = "source_unavailable"

    def __init__(self, text: str, *, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after
