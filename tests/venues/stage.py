"""A local exchange whose answers a test writes down beforehand, in virtual time."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeVar

import aiohttp
import msgspec
from aiohttp import web

from trailstop.timelink import HostLoop, LoopClock, run_hosted
from trailstop.venues.offset import ServerClock

T = TypeVar("T")
START_US = 1_700_000_000_000_000
HANG, CUT = "hang", "cut"
ACCOUNT = {"account": "main", "api_key": "key", "api_secret": "secret", "own_prefix": "ts-"}


class Script:
    """Answers requests from lists, the last entry for ever; writes down what it was asked.

    A tuple is status, body and headers; a function is given the request; anything else is the
    content of a success.
    """

    time_call: str
    """The request that asks for the time, which is always answered."""

    def __init__(self, loop: HostLoop) -> None:
        self.loop = loop
        self.answers: dict[str, list[Any]] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.headers: list[dict[str, str]] = []
        self.at_ms: list[int] = []

    @property
    def now_ms(self) -> int:
        return self.loop.now_us // 1_000

    def of(self, call: str) -> list[dict[str, Any]]:
        """What was asked with a call, each time."""
        return [asked for name, asked in self.asked if name == call]

    def count(self, call: str) -> int:
        return len(self.of(call))

    def time(self) -> object:
        raise NotImplementedError

    def success(self, content: Any) -> web.Response:
        return web.json_response(content)

    async def socket(self, request: web.BaseRequest) -> web.WebSocketResponse:
        raise NotImplementedError

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if "Upgrade" in request.headers:
            return await self.socket(request)
        call = f"{request.method} {request.path}"
        body = await request.read()
        self.asked.append((call, json.loads(body) if body else dict(request.query)))
        self.headers.append(dict(request.headers))
        self.at_ms.append(self.now_ms)
        if call == self.time_call:
            return self.success(self.time())
        answers = self.answers[call]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if callable(answer):
            answer = answer(request)
        if answer == HANG:
            await asyncio.sleep(3_600)
        if answer == CUT:
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        if isinstance(answer, tuple):
            status, content, *headers = answer
            text = content if isinstance(content, str) else json.dumps(content)
            return web.Response(status=status, text=text, headers=headers[0] if headers else None)
        return self.success(answer)


class Cast(NamedTuple):
    """The types that play on one exchange's stage."""

    script: Any
    settings: Any
    rest: Any
    venue: Any


@asynccontextmanager
async def serve(
    handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
) -> AsyncIterator[str]:
    """Serve at `host:port`."""
    server = web.Server(handle, keepalive_timeout=1e6)
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def play(cast: Cast, scenario: Callable[[Any, Any], Awaitable[T]], **changes: object) -> T:
    """Run a scenario with a served script and settings; time stands still unless one waits."""

    async def main(loop: HostLoop) -> T:
        script = cast.script(loop)
        async with serve(script.handle) as address:
            settings = cast.settings(
                rest_url=f"http://{address}", ws_url=f"ws://{address}", **ACCOUNT
            )
            return await scenario(script, msgspec.structs.replace(settings, **changes))

    return run_hosted(main, HostLoop(START_US))


def play_venue(cast: Cast, scenario: Callable[[Any, Any], Awaitable[T]], **changes: object) -> T:
    """Run a scenario with a started venue."""

    async def main(script: Script, settings: Any) -> T:
        venue = cast.venue(settings, LoopClock(script.loop), random.Random(1))
        await venue.start()
        try:
            return await scenario(script, venue)
        finally:
            await venue.close()

    return play(cast, main, **changes)


def play_rest(cast: Cast, scenario: Callable[[Any, Any], Awaitable[T]], **changes: object) -> T:
    """Run a scenario with bare requests."""

    async def main(script: Script, settings: Any) -> T:
        async with aiohttp.ClientSession() as session:
            clock = ServerClock(LoopClock(script.loop))
            return await scenario(script, cast.rest(settings, session, clock))

    return play(cast, main, **changes)
