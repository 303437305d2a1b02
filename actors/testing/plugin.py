"""The pytest plugin: fixtures `actor_system` and `probe`. Installed with the package; nothing to import.

pytest loads it in every suite of the environment, so it imports nothing of the runtime before a fixture is used, and
needs no pytest-asyncio: without that, the fixtures are for suites that let the plugin of anyio run their tests.

The virtual clock is chosen in the conftest.py of the tests that want it, since that hook may never return None:

```python
from actors.testing import virtual_loop

def pytest_asyncio_loop_factories():
    return {"virtual": virtual_loop}
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

try:
    import pytest_asyncio as maker
except ImportError:
    maker = pytest  # type: ignore[misc]

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from actors.testing.probe import Probe
    from actors.testing.system import TestSystem


@maker.fixture
async def actor_system() -> AsyncIterator[TestSystem]:
    """A TestSystem, opened; it fails the test where an actor's task is left at the end."""
    from actors.testing.system import TestSystem

    async with TestSystem() as system:
        yield system


@maker.fixture
async def probe(actor_system: TestSystem) -> Probe:
    """A Probe in `actor_system`."""
    from actors.testing.probe import Probe

    return await Probe.start(actor_system)
