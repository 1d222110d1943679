"""Small hand-made worlds: a market with tick 0.1 and step 0.001, prices given as numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from trailstop.paper.model import (
    Conditional,
    ConditionalRequest,
    Epoch,
    Order,
    OrderRequest,
    Position,
    PositionStopRequest,
)
from trailstop.paper.oracle import Clocks
from trailstop.paper.prices.bars import Bar, bar_prints
from trailstop.paper.prices.market import derive_market
from trailstop.paper.prices.tape import Point, Print, Tape
from trailstop.paper.settings import MINUTE_US, SECOND_US, WorldSettings
from trailstop.paper.world import World

SYMBOL = "BTCUSDT"
START_US = 1_700_000_100_000_000
"""A whole five minutes, almost two hours away from a settlement."""


def D(value: str | float) -> Decimal:  # noqa: N802 - the short name that decimals have in tests
    return Decimal(str(value))


def plain(**changes: Any) -> WorldSettings:
    """Settings without slippage or fees, so that expected figures can be read off."""
    base: dict[str, Any] = {
        "slippage_percent": Decimal(0),
        "taker_fee": Decimal(0),
        "maker_fee": Decimal(0),
    }
    return WorldSettings(**(base | changes))


def tape_of(
    points: Iterable[Point], settings: WorldSettings, symbol: str = SYMBOL, **has: bool
) -> Tape:
    market = derive_market(symbol, Decimal(100), -1, -3, settings)
    return Tape(market, iter(list(points)), "by hand", **has)


def ticks(*prices: float, every_us: int = SECOND_US) -> Iterator[Print]:
    """Prints without a path between them."""
    for index, price in enumerate(prices):
        yield Print(START_US + index * every_us, D(price), Decimal(1), False)


def bars(*rows: tuple[float, float, float, float]) -> Iterator[Print]:
    """One-minute bars: open, high, low, close."""
    for index, (opening, high, low, close) in enumerate(rows):
        bar = Bar(START_US + index * MINUTE_US, D(opening), D(high), D(low), D(close), D(40))
        yield from bar_prints(bar, MINUTE_US, D("0.001"))


class Scene:
    """A world with one market and one account whose key need not be named."""

    def __init__(
        self, points: Iterable[Point], settings: WorldSettings | None = None, **has: bool
    ) -> None:
        self.settings = settings if settings is not None else plain()
        self.world = World(self.settings, [tape_of(points, self.settings, **has)], ["trader"])
        self.key = next(iter(self.world.accounts))

    @property
    def position(self) -> Position:
        for position in self.world.positions(self.key):
            if position.amount:
                return position
        return Position(account=self.key, symbol=SYMBOL, position_side="BOTH")

    @property
    def epochs(self) -> list[Epoch]:
        return self.world.accounts[self.key].epochs

    @property
    def clocks(self) -> Clocks:
        return self.world.oracle.total(self.world.now_us)

    def after(self, seconds: float) -> None:
        """Let time run to so many seconds after the start."""
        self.world.advance(START_US + int(seconds * SECOND_US))

    def run_out(self) -> None:
        """Play the tape to its end."""
        while (moment := self.world.next_event_us()) is not None:
            self.world.advance(moment)

    def long(self, quantity: float = 1) -> None:
        self.world.open_position(self.key, SYMBOL, "long", D(quantity))

    def short(self, quantity: float = 1) -> None:
        self.world.open_position(self.key, SYMBOL, "short", D(quantity))

    def order(self, side: str, quantity: float, price: float | None = None, **more: Any) -> Order:
        return self.world.place_order(
            self.key,
            OrderRequest(
                symbol=SYMBOL,
                side=side,
                type="MARKET" if price is None else "LIMIT",
                quantity=D(quantity),
                price=None if price is None else D(price),
                **more,
            ),
        )

    def stop(
        self, trigger: float, quantity: float | None = 1, side: str = "SELL", **more: Any
    ) -> Conditional:
        """A sized reduce-only stop, or with quantity None one that closes the position."""
        values: dict[str, Any] = {
            "symbol": SYMBOL,
            "side": side,
            "type": "STOP_MARKET",
            "trigger_price": D(trigger),
            "quantity": None if quantity is None else D(quantity),
            "reduce_only": quantity is not None,
            "close_position": quantity is None,
        }
        return self.world.place_conditional(self.key, ConditionalRequest(**(values | more)))

    def stops(self, author: str = "client", **wish: Any) -> tuple[Conditional, ...]:
        """Set the position's own stops; numbers become decimals."""
        values = {
            name: D(value) if isinstance(value, int | float) else value
            for name, value in wish.items()
        }
        request = PositionStopRequest(**({"symbol": SYMBOL} | values))
        return self.world.set_position_stops(self.key, request, author)

    def status(self, conditional: Conditional) -> str:
        return self.world.conditional(self.key, conditional.algo_id).status
