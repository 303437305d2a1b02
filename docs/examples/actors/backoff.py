"""A part whose server is away: it is tried again ever later, and what it is told meanwhile is kept."""

from actors import Actor, ActorRestarting, ActorSystem, Backoff, ChildSpec, Intensity, Message, Request, handles, run
from actors.testing import virtual_loop


class Server:
    """Refuses the first calls."""

    def __init__(self, refuses: int) -> None:
        self.refuses = refuses

    def connect(self) -> None:
        self.refuses -= 1
        if self.refuses >= 0:
            raise ConnectionError("refused")


class Row(Message):
    number: int


class Written(Request[list[int]]):
    pass


class Writer(Actor):
    def __init__(self, server: Server) -> None:
        self.server = server
        self.written: list[int] = []

    async def after_start(self) -> None:
        self.server.connect()

    @handles
    def row(self, message: Row) -> None:
        self.written.append(message.number)

    @handles
    def rows(self, message: Written) -> list[int]:
        return self.written


async def main() -> None:
    backoff = Backoff(initial=1.0, maximum=5.0, jitter=0.0)
    async with ActorSystem("files", intensity=Intensity(restarts=10, within=60.0)) as system:
        with system.events.subscribe(ActorRestarting) as restarts:
            writer = await system.start_child(ChildSpec("writer", Writer, args=(Server(refuses=4),), backoff=backoff))
            for number in range(3):
                await writer.tell(Row(number))
            print("written", await writer.ask(Written(), timeout=60.0), "by incarnation", writer.incarnation)
            while event := restarts.get_nowait():
                print(f"attempt {event.attempt} after {event.delay:g} s")


if __name__ == "__main__":
    run(main, loop_factory=virtual_loop)  # `run(main)` waits for the real clock
