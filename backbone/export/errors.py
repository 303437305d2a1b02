"""What can go wrong with an export."""

from __future__ import annotations

from backbone.domain.errors import BackboneError

__all__ = ["ContentDiffers", "ExportBusy", "ExportFailed", "ExportMissing"]


class ExportFailed(BackboneError):
    """An export could not be written. What CURRENT names is whole; the same export again goes on from there."""

    code = "export_failed"


class ExportBusy(ExportFailed):
    """Another export is writing to that folder. Wait for its end, or give another folder."""

    code = "export_busy"


class ContentDiffers(ExportFailed):
    """What was read back from a file is not what the store says of these rows: the file was not taken."""

    code = "export_differs"


class ExportMissing(BackboneError, ValueError):
    """There is no such export, or none that is whole. `backbone export list` shows those that there are."""

    code = "export_missing"
