"""Pytest fixtures: `backbone`, opened in memory for one test, and `faults`, what is to go wrong in it.

A suite asks for them in its top conftest.py; other suites of the environment load nothing of this:

```python
pytest_plugins = ["backbone.testing.fixtures"]
```

They work with pytest-asyncio, on its loop or on the virtual clock of `actors.testing`, and with the plugin of anyio.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING

import pytest

try:
    import pytest_asyncio as maker
except ImportError:
    maker = pytest  # type: ignore[misc]

from backbone.testing import Faults, embedded

if TYPE_CHECKING:
    from backbone.facade.backbone import Backbone

__all__ = ["backbone", "backbone_settings", "faults"]


@pytest.fixture
def faults() -> Faults:
    """What is to go wrong in `backbone`: nothing, until the test says so."""
    return Faults()


@pytest.fixture
def backbone_settings() -> Mapping[str, object]:
    """Settings of `backbone` other than those of the embedded profile; override it in a file, a class or a conftest."""
    return {}


@maker.fixture
async def backbone(faults: Faults, backbone_settings: Mapping[str, object]) -> AsyncIterator[Backbone]:
    """A backbone in memory, with a store of its own, closed after the test."""
    async with embedded(faults=faults, overrides=backbone_settings) as opened:
        yield opened
