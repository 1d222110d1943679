"""A local Binance whose answers a test writes down beforehand, in virtual time."""

from __future__ import annotations

import json
from functools import partial

from aiohttp import web

from tests.venues import stage
from trailstop.timelink import HostLoop
from trailstop.venues.binance.rest import BinanceRest
from trailstop.venues.binance.settings import BinanceSettings
from trailstop.venues.binance.venue import BinanceVenue

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


class Scripted(stage.Script):
    """Notes also what its sockets are told, and where they were opened."""

    time_call = "GET /fapi/v1/time"

    def __init__(self, loop: HostLoop) -> None:
        super().__init__(loop)
        self.answers |= {
            "GET /fapi/v1/exchangeInfo": [INFO],
            "GET /fapi/v1/accountConfig": [{"dualSidePosition": False}],
            "POST /fapi/v1/listenKey": [{"listenKey": "pqia91ma19a5"}],
        }
        self.sockets: list[web.WebSocketResponse] = []
        self.socket_paths: list[str] = []
        self.told: list[dict] = []

    def time(self) -> object:
        return {"serverTime": self.now_ms}

    async def socket(self, request: web.BaseRequest) -> web.WebSocketResponse:
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


CAST = stage.Cast(Scripted, BinanceSettings, BinanceRest, BinanceVenue)
play = partial(stage.play, CAST)
play_venue = partial(stage.play_venue, CAST)
play_rest = partial(stage.play_rest, CAST)
