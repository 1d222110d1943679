"""A local server whose answers a test writes down beforehand, in virtual time."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiohttp
import msgspec
from aiohttp import web

from trailstop.timelink import HostLoop, LoopClock, run_hosted
from trailstop.venues.binance.rest import BinanceRest
from trailstop.venues.binance.settings import BinanceSettings
from trailstop.venues.binance.venue import BinanceVenue
from trailstop.venues.offset import ServerClock

T = TypeVar("T")
START_US = 1_700_000_000_000_000
HANG, CUT = "hang", "cut"
INFO = {
    "rateLimits": [],
    "symbols": [
        {
            "symbol": "BTCUSDT",
            "status": "TRADING",
            "filters": [
                {"filterType": "PRICE_FILTER", "tickSize": "0.10"},
                {"filterType": "LOT_SIZE", "stepSize": "0.001", "minQty": "0.001"},
                {"filterType": "MARKET_LOT_SIZE", "stepSize": "0.001", "maxQty": "120"},
            ],
        }
    ],
}


class Scripted:
    """Answers requests from lists, the last entry for ever; writes down what it was asked."""

    def __init__(self, loop: HostLoop) -> None:
        self.loop = loop
        self.answers: dict[str, list[object]] = {
            "GET /fapi/v1/exchangeInfo": [INFO],
            "GET /fapi/v1/accountConfig": [{"dualSidePosition": False}],
            "POST /fapi/v1/listenKey": [{"listenKey": "pqia91ma19a5"}],
        }
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.sockets: list[web.WebSocketResponse] = []
        self.socket_paths: list[str] = []
        self.told: list[dict] = []

    @property
    def now_ms(self) -> int:
        return self.loop.now_us // 1_000

    def count(self, call: str) -> int:
        return sum(asked == call for asked, _ in self.asked)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if "Upgrade" in request.headers:
            return await self._socket(request)
        call = f"{request.method} {request.path}"
        self.asked.append((call, dict(request.query)))
        if call == "GET /fapi/v1/time":
            return web.json_response({"serverTime": self.now_ms})
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
            status, body, *headers = answer
            text = body if isinstance(body, str) else json.dumps(body)
            return web.Response(status=status, text=text, headers=headers[0] if headers else None)
        return web.json_response(answer)

    async def _socket(self, request: web.BaseRequest) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        self.socket_paths.append(request.path)
        async for message in socket:
            self.told.append(json.loads(message.data))
        return socket


def error(code: int, text: str = "", status: int = 400, **headers: str):
    """A refusal as the exchange spells it."""
    return status, {"code": code, "msg": text}, headers


def play(scenario: Callable[[Scripted, BinanceSettings], Awaitable[T]]) -> T:
    """Run a scenario against a started server; time stands still unless somebody waits."""

    async def main(loop: HostLoop) -> T:
        scripted = Scripted(loop)
        runner = web.ServerRunner(
            web.Server(scripted.handle, keepalive_timeout=1e6), shutdown_timeout=0.1
        )
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        settings = BinanceSettings(
            account="main",
            api_key="key",
            api_secret="secret",
            rest_url=f"http://127.0.0.1:{port}",
            ws_url=f"ws://127.0.0.1:{port}",
            own_prefix="ts-",
        )
        try:
            return await scenario(scripted, settings)
        finally:
            await runner.cleanup()

    return run_hosted(main, HostLoop(START_US))


def play_venue(scenario: Callable[[Scripted, BinanceVenue], Awaitable[T]]) -> T:
    """Run a scenario with a started venue."""

    async def main(scripted: Scripted, settings: BinanceSettings) -> T:
        venue = BinanceVenue(settings, LoopClock(scripted.loop), random.Random(1))
        await venue.start()
        try:
            return await scenario(scripted, venue)
        finally:
            await venue.close()

    return play(main)


def play_rest(scenario: Callable[[Scripted, BinanceRest], Awaitable[T]], **changes: object) -> T:
    """Run a scenario with bare requests, and with other settings than the usual ones."""

    async def main(scripted: Scripted, settings: BinanceSettings) -> T:
        async with aiohttp.ClientSession() as session:
            clock = ServerClock(LoopClock(scripted.loop))
            settings = msgspec.structs.replace(settings, **changes)
            return await scenario(scripted, BinanceRest(settings, session, clock))

    return play(main)
