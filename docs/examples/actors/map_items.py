"""One function for many items, three calls at a time; a failure costs its item, and is told at the end."""

import asyncio

from actors import ActorSystem

RATES = {"EUR": 1.0, "USD": 1.08, "CHF": 0.95, "JPY": 162.0}


async def rate(currency: str) -> float:
    await asyncio.sleep(0.001)
    return RATES[currency]


async def main() -> None:
    async with ActorSystem("rates") as system:
        try:
            async for each in system.map(rate, ["EUR", "USD", "XXX", "JPY"], limit=3, name="today"):
                print(each)
        except* KeyError as failed:
            for error in failed.exceptions:
                print(repr(error), *error.__notes__[:1])


if __name__ == "__main__":
    asyncio.run(main())
