from collections.abc import Callable

import pytest

from actors.testing import TestSystem, VirtualLoop, virtual_loop


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], VirtualLoop]]:
    return {"virtual": virtual_loop}


@pytest.fixture
def system(actor_system: TestSystem) -> TestSystem:
    """The system that the plugin opens, by the name that it has in a program."""
    return actor_system
