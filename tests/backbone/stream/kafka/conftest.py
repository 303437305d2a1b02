from __future__ import annotations

from typing import Any

import pytest

from backbone.stream.kafka import standing, subscriber, tail
from tests.backbone.stream.kafka.doubles import Brokers, Fetcher, Inquirer


@pytest.fixture
def brokers(monkeypatch: pytest.MonkeyPatch) -> Brokers:
    held = Brokers()

    def fetcher(*_: Any) -> Fetcher:
        return Fetcher(held)

    def inquirer(*_: Any) -> Inquirer:
        return Inquirer(held)

    monkeypatch.setattr(tail, "Fetcher", fetcher)
    monkeypatch.setattr(standing, "Fetcher", fetcher)
    monkeypatch.setattr(subscriber, "Fetcher", fetcher)
    monkeypatch.setattr(standing, "Inquirer", inquirer)
    return held
