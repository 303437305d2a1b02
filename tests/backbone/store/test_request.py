"""A request to the store says which method of the port answers it."""

from __future__ import annotations

import pytest

from backbone.store.request import StoreRequest


def test_a_request_that_names_no_method_is_refused_when_its_class_is_made() -> None:
    with pytest.raises(TypeError, match="Vague names no method of the store's port; define `on`"):

        class Vague(StoreRequest[int], frozen=True):
            """Says nothing."""
