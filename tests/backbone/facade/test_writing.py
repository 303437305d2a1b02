"""What who records is told where the rows are in and the store answers no more."""

from __future__ import annotations

from typing import Any, cast

import pytest

from actors import Request
from backbone import StoreUnavailable, load_settings
from backbone.calls import Calls
from backbone.facade.reading import Reader
from backbone.facade.writing import Writer
from backbone.ingest.messages import RecordResult
from tests.backbone.facade.kit import bars


class Ingest:
    """Every row is stored already."""

    def ref(self, name: str) -> Ingest:
        assert name == "ingest"
        return self

    async def ask(self, request: Any, timeout: float) -> RecordResult:
        return RecordResult(unchanged=request.frame.num_rows)


async def silent(name: str, request: Request[Any], timeout: float = 60.0) -> Any:
    raise StoreUnavailable("the server is gone, nothing was written")


async def test_rows_that_are_in_are_not_told_as_not_written_where_the_store_can_not_be_asked_where_they_stand() -> None:
    settings = load_settings(
        profile="embedded",
        env={"BACKBONE_STORE_URL": "postgresql://localhost/backbone"},
        overrides={"store.backend": "timescale"},
    )
    writer = Writer(settings, cast("Calls", Ingest()), silent, cast("Reader", None), lambda: None)
    with pytest.raises(StoreUnavailable, match=r"rows of this call are in.*make the same call again") as told:
        await writer.record(bars(3))
    assert "nothing was written" not in str(told.value)
