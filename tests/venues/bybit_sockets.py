"""A local server that speaks as Bybit's sockets do, in virtual time, and rows to be pushed."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import aiohttp
import pytest
from aiohttp import web

from tests.venues.stage import ACCOUNT, START_US, serve
from trailstop.domain.position import Leg
from trailstop.ports import StreamState
from trailstop.timelink import HostLoop, LoopClock, run_hosted
from trailstop.venues.bybit.feed import Feed
from trailstop.venues.bybit.settings import BybitSettings
from trailstop.venues.connects import ConnectBudget
from trailstop.venues.offset import ServerClock

T = TypeVar("T")
START_MS = START_US // 1_000
FIXTURES = Path(__file__).parents[3] / "shared" / "exchange-fixtures" / "bybit"
PUBLIC, PRIVATE = "/v5/public/linear", "/v5/private"
BTC = Leg("main", "bybit", "BTCUSDT")
LONG = Leg("main", "bybit", "BTCUSDT", "long")
SHORT = Leg("main", "bybit", "BTCUSDT", "short")
ACCEPTED = {"success": True, "ret_msg": "", "conn_id": "c"}


class Server:
    """Takes sockets and answers what a test does not answer otherwise."""

    def __init__(self) -> None:
        self.sockets: list[tuple[str, web.WebSocketResponse]] = []
        self.told: list[tuple[str, dict]] = []
        self.answers: dict[str, list[Any]] = {}

    def last(self, path: str) -> web.WebSocketResponse:
        return [socket for where, socket in self.sockets if where == path][-1]

    def count(self, path: str) -> int:
        return sum(where == path for where, _ in self.sockets)

    def asked(self, op: str, path: str = PUBLIC) -> list[dict]:
        return [message for where, message in self.told if (where, message["op"]) == (path, op)]

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append((request.path, socket))
        async for message in socket:
            command = json.loads(message.data)
            self.told.append((request.path, command))
            for answer in self._answers(request.path, command):
                await socket.send_str(json.dumps(answer))
        return socket

    def _answers(self, path: str, command: dict) -> list[dict]:
        op = command["op"]
        prepared = self.answers.get(f"{op} {path}")
        if prepared:
            given = prepared.pop(0)
            return given(command) if callable(given) else given
        if op == "ping" and path == PRIVATE:
            return [{"req_id": command["req_id"], "op": "pong", "args": ["1"], "conn_id": "c"}]
        if op == "ping":
            return [ACCEPTED | {"ret_msg": "pong", "req_id": command["req_id"], "op": "ping"}]
        return [ACCEPTED | {"req_id": command.get("req_id", ""), "op": op}]


def play(
    scenario: Callable[[Server, Feed], Awaitable[T]],
    prepare: Callable[[Server], None] = lambda _: None,
    **changes: Any,
) -> T:
    """Run a scenario with a started feed; time stands still unless somebody waits."""

    async def main(loop: HostLoop) -> T:
        server = Server()
        prepare(server)
        rest = SimpleNamespace(server=ServerClock(LoopClock(loop)))
        async with serve(server.handle) as address, aiohttp.ClientSession() as session:
            urls = {"rest_url": "http://unused", "ws_url": f"ws://{address}"}
            settings = BybitSettings(**(ACCOUNT | urls | changes))
            feed = Feed(settings, rest, session, random.Random(1), ConnectBudget(500))
            try:
                await feed.start()
                return await scenario(server, feed)
            finally:
                await feed.close()

    return run_hosted(main, HostLoop(START_US))


async def heard(feed: Feed, seconds: float) -> list:
    """What the feed tells within so much virtual time."""
    told: list = []

    async def listen() -> None:
        async for event in feed.events():
            told.append(event)  # noqa: PERF401 - the iterator never ends

    listener = asyncio.create_task(listen())
    await asyncio.sleep(seconds)
    listener.cancel()
    return told


def of(kind: type[T], told: list) -> list[T]:
    return [event for event in told if isinstance(event, kind)]


def ups(told: list, stream: str) -> list[bool]:
    return [state.up for state in of(StreamState, told) if state.stream == stream]


async def push(server: Server, topic: str, *rows: dict, at_ms: int = START_MS) -> None:
    frame = {"id": "x", "topic": topic, "creationTime": at_ms, "data": list(rows)}
    await server.last(PRIVATE).send_str(json.dumps(frame))


async def ticker(server: Server, kind: str, at_ms: int = START_MS, **fields: str) -> None:
    data = {"symbol": "BTCUSDT"} | fields
    frame = {"topic": "tickers.BTCUSDT", "type": kind, "data": data, "cs": 1, "ts": at_ms}
    await server.last(PUBLIC).send_str(json.dumps(frame))


async def trades(server: Server, *rows: tuple[str, str, int]) -> None:
    data = [{"T": at, "s": "BTCUSDT", "S": "Buy", "v": "1", "p": p, "i": i} for i, p, at in rows]
    frame = {"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": START_MS, "data": data}
    await server.last(PUBLIC).send_str(json.dumps(frame))


def position(size: str = "0.5", side: str = "Buy", **changes: object) -> dict:
    return {
        "category": "linear",
        "symbol": "BTCUSDT",
        "side": side,
        "size": size,
        "positionIdx": 0,
        "entryPrice": "50000" if side else "0",
        "stopLoss": "",
        "positionStatus": "Normal",
        "updatedTime": str(START_MS),
    } | changes


FLAT = position("0", "")


def stop(**changes: object) -> dict:
    return {
        "category": "linear",
        "symbol": "BTCUSDT",
        "orderId": "s1",
        "orderLinkId": "",
        "side": "Sell",
        "orderType": "Market",
        "qty": "0.5",
        "orderStatus": "Untriggered",
        "stopOrderType": "StopLoss",
        "tpslMode": "Full",
        "triggerPrice": "48000.00",
        "triggerDirection": 2,
        "triggerBy": "LastPrice",
        "reduceOnly": True,
        "closeOnTrigger": True,
        "positionIdx": 0,
        "rejectReason": "EC_NoError",
        "cancelType": "UNKNOWN",
        "createType": "CreateByStopLoss",
        "createdTime": str(START_MS),
        "updatedTime": str(START_MS),
    } | changes


def fill(**changes: object) -> dict:
    return {
        "category": "linear",
        "symbol": "BTCUSDT",
        "orderId": "o1",
        "orderLinkId": "",
        "execId": "e1",
        "execPrice": "49000",
        "execQty": "0.5",
        "execFee": "13.4",
        "feeCurrency": "",
        "execType": "Trade",
        "execPnl": "-500",
        "closedSize": "0.5",
        "side": "Sell",
        "stopOrderType": "UNKNOWN",
        "createType": "CreateByUser",
        "execTime": str(START_MS),
    } | changes


# --- recorded payloads --------------------------------------------------------------------
recorded = pytest.mark.skipif(not FIXTURES.is_dir(), reason="no recorded payloads beside us")


def payloads(pattern: str) -> list:
    return [
        pytest.param(json.loads(path.read_text())["payload"], id=path.stem)
        for path in sorted(FIXTURES.glob(pattern))
    ]
