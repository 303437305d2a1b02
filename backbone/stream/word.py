"""What the relay says of itself, in the words of the roster."""

from __future__ import annotations

from actors import Context
from backbone.domain.advice import INSTEAD
from backbone.stream.progress import Progress
from backbone.stream.reach import HeldUp
from backbone.stream.tenure import Tenure

__all__ = ["Word"]


class Word:
    """Tells how the relay is, why, what it does now and what others can do.

    Args:
        context: the relay's.
        tenure: whether it is the one that publishes.
        embedded: why its stream is less than a real one, or None.
        longest_pause: seconds between tries at most.
    """

    def __init__(self, context: Context, tenure: Tenure, embedded: str | None, longest_pause: float) -> None:
        self._context = context
        self._tenure = tenure
        self._embedded = embedded
        self._longest_pause = longest_pause

    def ok(self, held_by: str | None) -> None:
        """It publishes, or follows; `held_by` names whose open transaction holds changes back."""
        if held_by is not None:
            self._context.report_health(
                "degraded",
                f"publishing is held back by another's open transaction: {held_by}",
                "goes on by itself once that has ended; what was committed is in the store, nothing is lost",
                "end that transaction, or have its owner do so",
            )
        elif self._tenure.shared:
            why = "active: this process publishes" if self._tenure.held else "standby: another process publishes"
            self._context.report_health("ok", why)
        elif self._embedded is None:
            self._context.report_health("ok")
        else:
            self._context.report_health(
                "degraded",
                f"in-process log: {self._embedded}",
                "subscribers of this process get every change",
                INSTEAD["stream"],
            )

    def behind(self, error: HeldUp) -> None:
        """Somebody holds it up."""
        following = f"tries again at least every {self._longest_pause:g} s; nothing is lost, the outbox keeps it"
        if error.part == "stream":
            action = "start or mend the stream; nothing else has to be done"
            self._context.report_health("failed", error.text, following, action)
        else:
            action = f"see the {error.part}'s own line in backbone status"
            self._context.report_health("degraded", error.text, following, action)

    def filling(self, progress: Progress) -> None:
        """A part of the stream is empty that should not be."""
        self._context.report_health(
            "degraded",
            f"topics were lost, or are new, and are filled from the outbox: {progress}",
            "new changes follow behind; readers pass over by its event_id what they have",
            "nothing has to be done",
        )
