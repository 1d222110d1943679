"""A local Bybit whose answers a test writes down beforehand, in virtual time."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from aiohttp import web

from tests.venues import stage
from trailstop.timelink import HostLoop
from trailstop.venues.bybit.rest import BybitRest
from trailstop.venues.bybit.settings import BybitSettings
from trailstop.venues.bybit.venue import BybitVenue

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


class Scripted(stage.Script):
    """The content of a success is the `result` in its envelope."""

    time_call = "GET /v5/market/time"

    def __init__(self, loop: HostLoop) -> None:
        super().__init__(loop)
        self.answers |= {
            INSTRUMENTS: [listed(instrument(), instrument("BTCPERP"))],
            "GET /v5/account/info": [{"unifiedMarginStatus": 5}],
            "GET /v5/user/query-api": [{"readOnly": 0}],
            POSITIONS: [listed()],
            REALTIME: [listed()],
            HISTORY: [listed()],
            SET_STOP: [{}],
        }
        self.private: list[web.WebSocketResponse] = []

    async def push(self, topic: str, *rows: dict[str, object]) -> None:
        """Send rows of a private topic."""
        frame = {"id": "1", "topic": topic, "creationTime": self.now_ms, "data": list(rows)}
        for socket in self.private:
            await socket.send_json(frame)

    def time(self) -> object:
        return {"timeSecond": "0", "timeNano": str(self.now_ms * 1_000_000)}

    def success(self, content: Any) -> web.Response:
        envelope = {"retCode": 0, "retMsg": "OK", "result": content, "time": self.now_ms}
        return web.json_response(envelope)

    async def socket(self, request: web.BaseRequest) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if request.path == "/v5/private":
            self.private.append(socket)
        async for message in socket:
            told = json.loads(message.data)
            answer = {"success": True, "ret_msg": "", "op": told["op"], "conn_id": "c"}
            await socket.send_json(answer | {"req_id": told.get("req_id", "")})
        return socket


CAST = stage.Cast(Scripted, BybitSettings, BybitRest, BybitVenue)
play = partial(stage.play, CAST)
play_venue = partial(stage.play_venue, CAST)
play_rest = partial(stage.play_rest, CAST)
