"""What the ticker tells of the past: the last 24 hours, and the direction of the last trade."""

from __future__ import annotations

from trailstop.paper.bybit.wire_market import US_PER_HOUR, Day
from trailstop.paper.facts import TradePrinted
from trailstop.paper.model import ZERO
from trailstop.paper.world import World

QUARTER_US = US_PER_HOUR // 4
QUARTERS_OF_DAY = 96
QUARTERS_OF_HOUR = 4
UP, FLAT_UP, DOWN, FLAT_DOWN = "PlusTick", "ZeroPlusTick", "MinusTick", "ZeroMinusTick"


def day_of(world: World, symbol: str) -> Day:
    """The last 24 hours, to the quarter of an hour; raises Rejection(NO_PRICE) without a price."""
    rows = world.klines(
        symbol,
        "15m",
        start_us=world.now_us - QUARTERS_OF_DAY * QUARTER_US,
        limit=QUARTERS_OF_DAY + 1,
    )
    if not rows:
        last = world.last(symbol)
        return Day(last, last, last, ZERO, ZERO, last)
    hour_us = world.now_us - QUARTERS_OF_HOUR * QUARTER_US
    return Day(
        open=rows[0].open,
        high=max(row.high for row in rows),
        low=min(row.low for row in rows),
        volume=sum((row.volume for row in rows), ZERO),
        turnover=sum((row.quote_volume for row in rows), ZERO),
        hour_ago=next((row.open for row in rows if row.open_us >= hour_us), rows[-1].open),
    )


class Past:
    """One market's past, kept up to date by its trades.

    The candles are read anew each quarter of an hour only: putting a day together takes far
    longer than a trade.
    """

    def __init__(self, world: World, symbol: str) -> None:
        self._world = world
        self._symbol = symbol
        self._quarter = -1
        self._day: Day | None = None

    @property
    def day(self) -> Day:
        """The last 24 hours; raises Rejection(NO_PRICE) without a price."""
        quarter = self._world.now_us // QUARTER_US
        if self._day is None or quarter != self._quarter:
            self._day, self._quarter = day_of(self._world, self._symbol), quarter
        return self._day

    def put(self, trade: TradePrinted) -> None:
        """Take in a trade."""
        day = self._day
        if day is None or trade.time_us // QUARTER_US != self._quarter:
            self.forget()
            return
        self._day = Day(
            open=day.open,
            high=max(day.high, trade.price),
            low=min(day.low, trade.price),
            volume=day.volume + trade.quantity,
            turnover=day.turnover + trade.price * trade.quantity,
            hour_ago=day.hour_ago,
        )

    def forget(self) -> None:
        """Read the candles anew: they may have been converted."""
        self._day = None


class Directions:
    """How the price of each market's last trade compares with the trades before it."""

    def __init__(self) -> None:
        self._last: dict[str, TradePrinted] = {}
        self._direction: dict[str, str] = {}

    def put(self, trade: TradePrinted) -> str:
        """Take in a trade and return its direction."""
        before = self._last.get(trade.symbol)
        held = self.of(trade.symbol)
        if before is None or trade.price == before.price:
            direction = FLAT_UP if held in (UP, FLAT_UP) else FLAT_DOWN
        else:
            direction = UP if trade.price > before.price else DOWN
        self._last[trade.symbol] = trade
        self._direction[trade.symbol] = direction
        return direction

    def of(self, symbol: str) -> str:
        """The direction of the market's last trade."""
        return self._direction.get(symbol, FLAT_UP)
