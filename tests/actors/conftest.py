from collections.abc import Mapping

import pytest

from actors.testing import TestSystem
from tests.actors import loops


def pytest_asyncio_loop_factories(item: pytest.Function) -> Mapping[str, loops.LoopFactory]:
    """A file that wants other loops than the virtual ones names them in its LOOPS."""
    chosen: Mapping[str, loops.LoopFactory] = getattr(item.module, "LOOPS", VIRTUAL)
    return chosen


VIRTUAL = loops.virtual()


@pytest.fixture
def system(actor_system: TestSystem) -> TestSystem:
    """The system that the plugin opens, by the name that it has in a program."""
    return actor_system
