import asyncio

from backbone import Backbone, Dimension, IngestPlan, load_settings, samples

BARS = Dimension.INTRADAY_BARS


async def main() -> None:
    plan = IngestPlan(dimensions=[BARS], symbols=["EURUSD"], interval="1h", path=samples.eurusd_1h())
    async with Backbone.open(load_settings(profile="embedded")) as backbone:
        async with backbone.subscribe(BARS, symbols=["EURUSD"]) as updates:
            run = await backbone.ingest(plan)
            if run.inserted:
                print((await anext(updates)).frame.num_rows, "rows came over the stream")
        window = await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h", limit=500)
        print(window.num_rows, "newest bars, last close", window.column("close")[-1])


asyncio.run(main())
