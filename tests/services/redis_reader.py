"""Another process: fetches whenever it is told to, and says how many bars there were and how the newest one closed."""

from __future__ import annotations

import asyncio
import json
import os
import sys

from backbone import Backbone, load_settings
from backbone.settings import Settings
from tests.backbone.facade.kit import BARS


def settings_of(store: str, cache: str, **more: object) -> Settings:
    servers = {"BACKBONE_STORE_URL": store, "BACKBONE_CACHE_URL": cache}
    chosen = {"store.backend": "timescale", "store.pool_size": 2, "cache.backend": "redis", "control.enabled": False}
    return load_settings(profile="embedded", env=servers, overrides={**chosen, **more})


async def main() -> None:
    settings = settings_of(os.environ["STORE"], os.environ["CACHE"])
    async with Backbone.open(settings) as backbone:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while await asyncio.to_thread(sys.stdin.readline):
            frame = await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h")
            closes = frame.to_arrow().column("close").to_pylist()
            hits = (await backbone.cache_metrics()).hits
            sys.stdout.write(json.dumps({"rows": len(closes), "close": (closes or [None])[-1], "hits": hits}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
