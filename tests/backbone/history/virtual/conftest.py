from collections.abc import Callable

from actors.testing import VirtualLoop, virtual_loop


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], VirtualLoop]]:
    return {"virtual": virtual_loop}
