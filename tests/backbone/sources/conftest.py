from collections.abc import Iterator

import pytest

from backbone.sources.http import opening
from backbone.sources.http.hosts import Hosts
from tests.backbone.sources.server import Provider, serving


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """A provider on this machine, of which this process knows nothing yet."""
    monkeypatch.setattr(opening, "HOSTS", Hosts())
    with serving() as given:
        yield given
