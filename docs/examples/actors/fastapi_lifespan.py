"""Actors behind FastAPI: the application's lifespan opens the system, handlers ask, a failed system ends the server."""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request

from actors import Actor, ActorDead, ActorSystem, AskTimeout, ChildSpec, MailboxFull, SystemFailed, handles
from actors import Request as Asked


class Visit(Asked[int]):
    page: str


class Counter(Actor):
    def __init__(self) -> None:
        self.visits: dict[str, int] = {}

    @handles
    def visit(self, message: Visit) -> int:
        self.visits[message.page] = self.visits.get(message.page, 0) + 1
        return self.visits[message.page]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    try:
        async with ActorSystem("site") as system:
            app.state.system = system
            app.state.counter = await system.start_child(ChildSpec("counter", Counter))
            yield
    except SystemFailed:
        signal.raise_signal(signal.SIGTERM)  # the server would go on serving errors
        raise


async def visit(request: Request, page: str) -> dict[str, int]:
    try:
        return {"visits": await request.app.state.counter.ask(Visit(page), timeout=1.0)}
    except (ActorDead, AskTimeout, MailboxFull) as error:
        raise HTTPException(503, str(error)) from error


async def health(request: Request) -> dict[str, str]:
    return {entry.path: entry.state for entry in request.app.state.system.roster().entries}


app = FastAPI(lifespan=lifespan)
app.get("/visits/{page}")(visit)
app.get("/health")(health)
