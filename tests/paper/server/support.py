"""Helpers of these tests: a market with hand-made prices and a client that signs."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Coroutine, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp import ClientSession, ClientTimeout
from yarl import URL

from trailstop.paper.assembly import Addresses, Build, Paper
from trailstop.paper.harness import run_scenario
from trailstop.paper.model import Market
from trailstop.paper.prices.tape import Print, Tape
from trailstop.paper.settings import WorldSettings

START_US = 1_700_000_000_000_000
SECOND_US = 1_000_000
SYMBOL = "BTCUSDT"


def market(symbol: str = SYMBOL) -> Market:
    return Market(
        symbol=symbol,
        base=symbol.removesuffix("USDT"),
        quote="USDT",
        tick_size=Decimal("0.1"),
        step_size=Decimal("0.001"),
        min_quantity=Decimal("0.001"),
        max_quantity=Decimal(1000),
        max_market_quantity=Decimal(120),
        min_notional=Decimal(5),
        price_precision=1,
        quantity_precision=3,
        maintenance_rate=Decimal("0.005"),
        funding_rate=Decimal("0.0001"),
        funding_interval_us=8 * 3600 * SECOND_US,
        trigger_protect=Decimal("0.05"),
        max_leverage=50,
    )


def tape(prices: Sequence[int | str], every_s: int = 15, symbol: str = SYMBOL) -> Tape:
    """Prints at these prices, one every so many seconds."""
    points = [
        Print(START_US + index * every_s * SECOND_US, Decimal(price), Decimal("0.5"), False)
        for index, price in enumerate(prices)
    ]
    return Tape(market(symbol), iter(points), "hand-made")


class Client:
    """Signs and sends as one account; `status`, `headers` are those of the last answer."""

    def __init__(self, paper: Paper, addresses: Addresses, name: str = "long") -> None:
        self.paper = paper
        self.addresses = addresses
        self.key = paper.accounts[name]["key"]
        self.secret = paper.accounts[name]["secret"]
        # Waiting is virtual here, so it may take long.
        self.http = ClientSession(timeout=ClientTimeout(total=None))
        self.status = 0
        self.headers: Any = {}
        self.timestamp_shift_ms = 0

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()

    @property
    def now_ms(self) -> int:
        return self.paper.exchange.now_ms

    async def call(
        self, method: str, path: str, *, signed: bool = True, form: bool = False, **params: Any
    ) -> Any:
        values = {name: str(value) for name, value in params.items()}
        if signed:
            values["timestamp"] = str(self.now_ms + self.timestamp_shift_ms)
        text = urlencode(values)
        if signed:
            signature = hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
            text = f"{text}&signature={signature}"
        headers = {"X-MBX-APIKEY": self.key}
        url = f"{self.addresses.rest}{path}"
        if form:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            request = self.http.request(method, url, data=text, headers=headers)
        else:
            # The text was signed as it is, so the address must not be quoted anew.
            address = URL(f"{url}?{text}" if text else url, encoded=True)
            request = self.http.request(method, address, headers=headers)
        async with request as response:
            self.status, self.headers = response.status, response.headers
            return await response.json(content_type=None)

    async def control(self, method: str, path: str, content: Any = None) -> Any:
        url = f"{self.addresses.control}/control/{path}"
        async with self.http.request(method, url, json=content) as response:
            self.status = response.status
            return await response.json()

    async def stop_order(self, trigger: int | str, client_id: str = "", **changes: Any) -> Any:
        values = {
            "algoType": "CONDITIONAL",
            "symbol": SYMBOL,
            "side": "SELL",
            "type": "STOP_MARKET",
            "quantity": "0.100",
            "reduceOnly": "true",
            "triggerPrice": trigger,
            **({"clientAlgoId": client_id} if client_id else {}),
            **changes,
        }
        values = {name: value for name, value in values.items() if value is not None}
        return await self.call("POST", "/fapi/v1/algoOrder", form=True, **values)

    async def open_long(self, quantity: str = "0.100") -> Any:
        return await self.control(
            "POST",
            "positions",
            {"account": "long", "symbol": SYMBOL, "side": "long", "quantity": quantity},
        )

    async def socket(self, path: str) -> aiohttp.ClientWebSocketResponse:
        return await self.http.ws_connect(f"{self.addresses.ws}{path}")


def run(
    scenario: Any,
    prices: Sequence[int | str] = (100,) * 400,
    *,
    tapes: Sequence[Tape] | None = None,
    world: WorldSettings | None = None,
    **build: Any,
) -> Any:
    """Run `scenario(client)` against an exchange with these prices."""

    def play(paper: Paper, addresses: Addresses) -> Coroutine[Any, Any, Any]:
        return _with_client(scenario, paper, addresses)

    return run_scenario(
        play,
        tapes if tapes is not None else [tape(prices)],
        Build(world=world or WorldSettings(), **build),
    )


async def _with_client(scenario: Any, paper: Paper, addresses: Addresses) -> Any:
    async with Client(paper, addresses) as client:
        return await scenario(client)
