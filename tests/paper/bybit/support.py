"""Helpers of the REST tests: a client that signs the way this exchange wants it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec
from yarl import URL

from tests.paper.server import support
from tests.paper.server.support import SYMBOL, Client

WINDOW_MS = 5_000
SETTLED_S = 0.05
"""Longer than an accepted order needs for its effect."""


class Bybit:
    """Signs and sends as one account; `status`, `headers` are those of the last answer."""

    def __init__(self, client: Client, name: str = "long") -> None:
        self.client = client
        self.key = client.paper.accounts[name]["key"]
        self.secret = client.paper.accounts[name]["secret"]
        self.name = name
        self.status = 0
        self.headers: Any = {}
        self.timestamp_shift_ms = 0
        self.window = str(WINDOW_MS)

    @property
    def now_ms(self) -> int:
        return self.client.now_ms

    async def get(self, path: str, *, signed: bool = True, **params: Any) -> Any:
        """The answer to a GET; category linear unless it says otherwise."""
        query = urlencode({"category": "linear", **params})
        return await self.send("GET", f"/v5/{path}", query, signed=signed)

    async def post(self, path: str, **body: Any) -> Any:
        """The answer to a POST; category and symbol are given unless it says otherwise."""
        content = {"category": "linear", "symbol": SYMBOL, **body}
        return await self.send("POST", f"/v5/{path}", msgspec.json.encode(content).decode())

    async def send(self, method: str, path: str, payload: str, *, signed: bool = True) -> Any:
        headers = self.sign(payload) if signed else {}
        url = f"{self.client.addresses.bybit_rest}{path}"
        if method == "GET":
            # The text was signed as it is, so the address must not be quoted anew.
            address = URL(f"{url}?{payload}" if payload else url, encoded=True)
            request = self.client.http.get(address, headers=headers)
        else:
            headers["Content-Type"] = "application/json"
            request = self.client.http.request(method, url, data=payload, headers=headers)
        async with request as response:
            self.status, self.headers = response.status, response.headers
            text = await response.text()
        return msgspec.json.decode(text) if text.startswith("{") else text

    def sign(self, payload: str) -> dict[str, str]:
        stamp = str(self.now_ms + self.timestamp_shift_ms)
        origin = f"{stamp}{self.key}{self.window}{payload}"
        return {
            "X-BAPI-API-KEY": self.key,
            "X-BAPI-TIMESTAMP": stamp,
            "X-BAPI-RECV-WINDOW": self.window,
            "X-BAPI-SIGN": hmac.new(
                self.secret.encode(), origin.encode(), hashlib.sha256
            ).hexdigest(),
        }

    async def rows(self, path: str, **params: Any) -> Any:
        """The list of a GET's result."""
        answer = await self.get(path, **params)
        assert answer["retCode"] == 0, answer
        return answer["result"]["list"]

    async def settle(self) -> None:
        """Let what was accepted have its effect."""
        await asyncio.sleep(SETTLED_S)

    async def open(self, quantity: str = "0.100", side: str = "long") -> Any:
        """A position opened by hand."""
        wish = {"account": self.name, "symbol": SYMBOL, "side": side, "quantity": quantity}
        return await self.client.control("POST", "positions", wish)

    async def price(self, price: int | str) -> Any:
        return await self.client.control("POST", "price", {"symbol": SYMBOL, "price": str(price)})

    async def create(self, **changes: Any) -> Any:
        """A market sell of 0.1 that only reduces, with changes; None leaves a field out."""
        order = {"side": "Sell", "orderType": "Market", "qty": "0.1", "reduceOnly": True, **changes}
        return await self.post("order/create", **given(order))

    async def stop(self, trigger: str = "95", **changes: Any) -> Any:
        """A conditional order that closes when the price falls to its trigger."""
        return await self.create(triggerPrice=trigger, triggerDirection=2, **changes)

    async def trading_stop(self, **changes: Any) -> Any:
        """Stops of the position itself, for the whole of it."""
        stops = {"tpslMode": "Full", "positionIdx": 0, **changes}
        return await self.post("position/trading-stop", **given(stops))

    async def orders(self, **params: Any) -> Any:
        """Open orders of the symbol."""
        return await self.rows("order/realtime", symbol=SYMBOL, **params)

    async def position(self) -> Any:
        rows = await self.rows("position/list", symbol=SYMBOL)
        return rows[0]


def given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def run(scenario: Any, prices: Sequence[int | str] = (100,) * 400, **more: Any) -> Any:
    """Run `scenario(bybit)` against an exchange that speaks this dialect too."""

    async def play(client: Client) -> Any:
        return await scenario(Bybit(client))

    return support.run(play, prices, bybit_port=0, **more)
