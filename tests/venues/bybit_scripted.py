"""A local Bybit whose answers a test writes down beforehand, in virtual time."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import aiohttp
import msgspec
from aiohttp import web

from trailstop.timelink import HostLoop, LoopClock, run_hosted
from trailstop.venues.bybit.rest import BybitRest
from trailstop.venues.bybit.settings import BybitSettings
from trailstop.venues.bybit.venue import BybitVenue
from trailstop.venues.offset import ServerClock

T = TypeVar("T")
START_US = 1_700_000_000_000_000
HANG, CUT = "hang", "cut"
SET_STOP = "POST /v5/position/trading-stop"
CREATE = "POST /v5/order/create"
POSITIONS = "GET /v5/position/list"
REALTIME = "GET /v5/order/realtime"
HISTORY = "GET /v5/order/history"
EXECUTIONS = "GET /v5/execution/list"
INSTRUMENTS = "GET /v5/market/instruments-info"


def listed(*rows: object, cursor: str = "") -> dict[str, object]:
    """The result of a list."""
    return {"list": list(rows), "nextPageCursor": cursor}


def instrument(symbol: str = "BTCUSDT", **changes: object) -> dict[str, Any]:
    """A row of instruments-info."""
    row = {
        "symbol": symbol,
        "status": "Trading",
        "settleCoin": "USDC" if symbol.endswith("PERP") else "USDT",
        "priceFilter": {"tickSize": "0.10"},
        "lotSizeFilter": {
            "qtyStep": "0.001",
            "minOrderQty": "0.001",
            "maxMktOrderQty": "120",
            "minNotionalValue": "5",
        },
    }
    return row | changes


def position(**changes: object) -> dict[str, Any]:
    """A row of position/list: a long of 0.5, one-way."""
    row = {
        "symbol": "BTCUSDT",
        "positionIdx": 0,
        "side": "Buy",
        "size": "0.5",
        "avgPrice": "61000",
        "markPrice": "61100.5",
        "liqPrice": "",
        "stopLoss": "",
        "takeProfit": "0.00",
        "trailingStop": "0",
        "openTime": 0,
        "createdTime": "1600000000000",
        "updatedTime": "1700000000100",
    }
    return row | changes


def refusal(code: int, text: str = "", **headers: str) -> tuple[int, Any, dict[str, str]]:
    """A refusal as the exchange spells it, with HTTP 200."""
    return 200, {"retCode": code, "retMsg": text, "result": {}, "retExtInfo": {}}, headers


class Scripted:
    """Answers requests from lists, the last entry for ever; writes down what it was asked.

    A dictionary is the `result` of a success; a tuple is status, body and headers.
    """

    def __init__(self, loop: HostLoop) -> None:
        self.loop = loop
        self.answers: dict[str, list[Any]] = {
            INSTRUMENTS: [listed(instrument(), instrument("BTCPERP"))],
            "GET /v5/account/info": [{"unifiedMarginStatus": 5}],
            POSITIONS: [listed()],
            REALTIME: [listed()],
            HISTORY: [listed()],
            SET_STOP: [{}],
        }
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.headers: list[dict[str, str]] = []
        self.at_ms: list[int] = []
        self.private: list[web.WebSocketResponse] = []

    @property
    def now_ms(self) -> int:
        return self.loop.now_us // 1_000

    def count(self, call: str) -> int:
        return len(self.of(call))

    def of(self, call: str) -> list[dict[str, Any]]:
        return [body for asked, body in self.asked if asked == call]

    async def push(self, topic: str, *rows: dict[str, object]) -> None:
        """Send rows of a private topic."""
        frame = {"id": "1", "topic": topic, "creationTime": self.now_ms, "data": list(rows)}
        for socket in self.private:
            await socket.send_json(frame)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if "Upgrade" in request.headers:
            return await self._socket(request)
        call = f"{request.method} {request.path}"
        body = await request.read()
        self.asked.append((call, json.loads(body) if body else dict(request.query)))
        self.headers.append(dict(request.headers))
        self.at_ms.append(self.now_ms)
        if call == "GET /v5/market/time":
            return self._success({"timeSecond": "0", "timeNano": str(self.now_ms * 1_000_000)})
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
        return self._success(answer)

    def _success(self, result: object) -> web.Response:
        envelope = {"retCode": 0, "retMsg": "OK", "result": result, "time": self.now_ms}
        return web.json_response(envelope)

    async def _socket(self, request: web.BaseRequest) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if request.path == "/v5/private":
            self.private.append(socket)
        async for message in socket:
            told = json.loads(message.data)
            answer = {"success": True, "ret_msg": "", "op": told["op"], "conn_id": "c"}
            await socket.send_json(answer | {"req_id": told.get("req_id", "")})
        return socket


def play(scenario: Callable[[Scripted, BybitSettings], Awaitable[T]]) -> T:
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
        settings = BybitSettings(
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


def play_venue(scenario: Callable[[Scripted, BybitVenue], Awaitable[T]], **changes: object) -> T:
    """Run a scenario with a started venue."""

    async def main(scripted: Scripted, settings: BybitSettings) -> T:
        settings = msgspec.structs.replace(settings, **changes)
        venue = BybitVenue(settings, LoopClock(scripted.loop), random.Random(1))
        await venue.start()
        try:
            return await scenario(scripted, venue)
        finally:
            await venue.close()

    return play(main)


def play_rest(scenario: Callable[[Scripted, BybitRest], Awaitable[T]], **changes: object) -> T:
    """Run a scenario with bare requests, and with other settings than the usual ones."""

    async def main(scripted: Scripted, settings: BybitSettings) -> T:
        async with aiohttp.ClientSession() as session:
            clock = ServerClock(LoopClock(scripted.loop))
            settings = msgspec.structs.replace(settings, **changes)
            return await scenario(scripted, BybitRest(settings, session, clock))

    return play(main)
