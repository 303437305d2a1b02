"""Every way in which an ask can fail, and which of them leave the other one alive."""

import asyncio

from actors import Actor, ActorError, ActorRef, ActorSystem, ChildSpec, Reject, Request, handles


class Withdraw(Request[int]):
    amount: int


class Audit(Request[int]):
    by: ActorRef | None = None


class Unknown(Request[int]):
    pass


class Account(Actor):
    def __init__(self) -> None:
        self.balance = 100

    @handles
    async def withdraw(self, message: Withdraw) -> int:
        if message.amount <= 0:
            raise ValueError(f"amount {message.amount}")
        if message.amount > self.balance:
            raise Reject("funds", f"{self.balance} are left")
        self.balance -= message.amount
        return self.balance

    @handles
    async def audit(self, message: Audit) -> int:
        await asyncio.sleep(0.1)
        return self.balance if message.by is None else await message.by.ask(Audit())


async def ask(ref: ActorRef, message: Request[int], timeout: float = 5.0) -> None:
    try:
        print(await ref.ask(message, timeout=timeout))
    except ActorError as error:
        cause = f" from {type(error.__cause__).__name__}" if error.__cause__ else ""
        print(f"{type(error).__name__}{cause}")


async def main() -> None:
    async with ActorSystem("bank") as system:
        account = await system.start_child(ChildSpec("account", Account))
        for message in (Withdraw(30), Withdraw(500), Unknown(), Audit(by=account), Withdraw(0), Withdraw(30)):
            await ask(account, message)
        await ask(account, Audit(), timeout=0.01)
        await account.stop()
        await ask(account, Withdraw(30))
        print("lives", account.incarnation)


if __name__ == "__main__":
    asyncio.run(main())
