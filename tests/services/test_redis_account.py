"""The account of the cache needs no more than its page says."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from backbone.cache.errors import CacheUnavailable
from backbone.cache.policy import Policy
from backbone.services import native
from backbone.services import redis as launcher
from tests.services.caches import BARS, EURUSD, cache_at, key_of, lease_of, load, opened, position_of, url_of
from tests.services.clients import ROOT
from tests.services.conftest import serving

PAGE = (ROOT / "docs" / "how-to" / "redis.md").read_text()


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[native.Services]:
    """A Redis on which our user may do what the page lists and nothing else."""
    [rights] = re.findall(r"ACL SETUSER backbone on >PASSWORD resetchannels -@all (.*)", PAGE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(launcher.RIGHTS, "backbone", rights)
        yield from serving(["redis"], tmp_path_factory.mktemp("narrow"))


async def test_what_the_page_lists_is_all_that_the_cache_needs(narrow: native.Services) -> None:
    async with opened(url_of(narrow), policy=Policy.of(capacity=2), near_for=0.0) as cache:
        for number in range(4):
            assert await load(cache, 5, key_of(number))
        assert await position_of(cache, key_of(3)) == 5
        assert await cache.peek(key_of(3)) is not None
        await cache.invalidate(BARS, {"S3": 6})
        assert await position_of(cache, key_of(3)) is None
        await cache.release(EURUSD, await lease_of(cache))
        assert (await cache.probe()).healthy
        assert (await cache.metrics()).evictions == 2
        await cache.clear()
        assert await position_of(cache, key_of(2)) is None


async def test_keys_of_others_are_out_of_reach(narrow: native.Services) -> None:
    cache = cache_at(url_of(narrow), Policy.of(namespace="others:cache"))
    with pytest.raises(CacheUnavailable, match=r"(?i)no permissions"):
        await cache.open()
    await cache.close()
