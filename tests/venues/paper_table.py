"""One account's venue at the paper exchange, in virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from tests.paper.server.support import SYMBOL, tape
from trailstop.domain.position import Leg, Role
from trailstop.domain.price import Side
from trailstop.paper.assembly import Addresses, Build, Paper
from trailstop.paper.harness import run_scenario
from trailstop.ports import CancelOutcome, CloseRequest, Outcome, StopRequest, Venue, VenueEvent
from trailstop.timelink import LoopClock
from trailstop.venues.binance.settings import BinanceSettings
from trailstop.venues.binance.venue import BinanceVenue
from trailstop.venues.bybit.settings import BybitSettings
from trailstop.venues.bybit.venue import BybitVenue

T = TypeVar("T")
ACCOUNT = "long"


class Dialect(NamedTuple):
    """One exchange as the paper exchange plays it, and the venue that speaks with it."""

    name: str
    settings: Any
    venue: Any
    set_stop: str
    """The path on which a stop is made."""
    key_variable: str

    def leg(self, position_side: str = "both") -> Leg:
        return Leg(ACCOUNT, self.name, SYMBOL, position_side)

    def settings_for(self, paper: Paper, addresses: Addresses, **changes: object) -> Any:
        rest_url, ws_url = addresses.of(self.name)
        account = paper.accounts[ACCOUNT]
        fields: dict[str, object] = {
            "account": ACCOUNT,
            "api_key": account["key"],
            "api_secret": account["secret"],
            "rest_url": rest_url,
            "ws_url": ws_url,
            "own_prefix": "ts-",
        }
        return self.settings(**(fields | changes))


BINANCE = Dialect("binance", BinanceSettings, BinanceVenue, "/fapi/v1/algoOrder", "BINANCE_API_KEY")
BYBIT = Dialect("bybit", BybitSettings, BybitVenue, "/v5/position/trading-stop", "BYBIT_API_KEY")


class Table:
    """One account's venue, everything that it told, and the hands of the exchange."""

    def __init__(self, dialect: Dialect, paper: Paper, venue: Venue) -> None:
        self.leg = dialect.leg()
        self.paper = paper
        self.venue = venue
        self.told: list[VenueEvent] = []

    @property
    def key(self) -> str:
        return self.paper.accounts[ACCOUNT]["key"]

    async def listen(self) -> None:
        async for event in self.venue.events():
            self.told.append(event)

    def all(self, kind: type[T]) -> list[T]:
        return [event for event in self.told if isinstance(event, kind)]

    def open(self, side: str = "long", quantity: str = "0.1") -> None:
        world = self.paper.exchange.sync()
        world.open_position(self.key, SYMBOL, side, Decimal(quantity), "test")
        self.paper.exchange.tell()

    def price(self, price: str) -> None:
        self.paper.exchange.sync().print_price(SYMBOL, Decimal(price))
        self.paper.exchange.tell()

    async def place(
        self,
        price: str,
        client_id: str = "ts-1",
        role: Role = Role.WORKING,
        *,
        leg: Leg | None = None,
        side: Side = Side.LONG,
    ) -> Outcome:
        quantity = Decimal("0.1")
        return await self.venue.place_stop(
            StopRequest(leg or self.leg, side, role, Decimal(price), quantity, "last", client_id)
        )

    async def cancel(self, order_id: str | None, client_id: str) -> CancelOutcome:
        return await self.venue.cancel_stop(self.leg, order_id, client_id)

    async def close(self, quantity: str = "0.1", *, leg: Leg | None = None) -> Outcome:
        request = CloseRequest(leg or self.leg, Side.LONG, Decimal(quantity), "ts-c")
        return await self.venue.close_position(request)


def sit(
    dialect: Dialect,
    scenario: Callable[[Table], Awaitable[T]],
    prices: int = 400,
    every_s: int = 15,
    build: Build | None = None,
    **changes: object,
) -> T:
    """Run a scenario with a started venue; `changes` are those of its settings."""

    async def play(paper: Paper, addresses: Addresses) -> T:
        settings = dialect.settings_for(paper, addresses, **changes)
        venue = dialect.venue(settings, LoopClock(paper.exchange.loop), random.Random(1))
        table = Table(dialect, paper, venue)
        await venue.start()
        listener = asyncio.create_task(table.listen())
        try:
            return await scenario(table)
        finally:
            listener.cancel()
            await venue.close()

    tapes = [tape(["100.0", "100.1"] * (prices // 2), every_s)]
    return run_scenario(play, tapes, build or Build(bybit_port=0))
