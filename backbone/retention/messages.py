"""What the retention actor is asked."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import force_setattr

from actors import Event, Request
from backbone.domain import arguments
from backbone.retention.report import RetentionReport

__all__ = ["RetentionJudged", "RunRetention"]


class RunRetention(Request[RetentionReport], frozen=True):
    """Judge (and with `apply` enforce) the retention policies as of a moment."""

    apply: bool = False
    as_of: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.flag("apply", self.apply)
        at = arguments.moment("as_of", self.as_of)
        if at is not None and not 1000 <= at.year <= 9000:
            text = "allowed are the years 1000 to 9000, for days are counted from it"
            raise ValueError(f"as_of={at.isoformat()} given; {text}")
        force_setattr(self, "as_of", at)


class RetentionJudged(Event, frozen=True, kw_only=True):
    """Retention was judged, and perhaps enforced.

    Attributes:
        report: what was found and done.
        scheduled: nobody asked: it was time; what there is was not judged then.
    """

    report: RetentionReport
    scheduled: bool = False
