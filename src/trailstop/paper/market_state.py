"""The present state of one market: prices, book, mark, candles and what rests there."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

import msgspec

from trailstop.paper.candles import Candles
from trailstop.paper.facts import TradePrinted
from trailstop.paper.mark import MeanMark
from trailstop.paper.model import Book, Market, Rejection, RejectKind
from trailstop.paper.prices.tape import MarkPrice, Point, Print, Quote, Tape
from trailstop.paper.settings import WorldSettings
from trailstop.paper.triggers import PERCENT, Resting

HALF = 2
TRADES_KEPT = 200_000
"""Prints of one market that can be asked for; beyond twice that the older half is forgotten."""


class MarketState:
    """One market as it is now. Holds no rules of matching."""

    def __init__(self, tape: Tape, settings: WorldSettings) -> None:
        self.market: Market = tape.market
        self.tape = tape
        self.settings = settings
        self.resting = Resting()
        self.candles = Candles()
        self.mark_candles = Candles()
        self.prints: list[TradePrinted] = []
        self.trade_id = 0
        self.price: Decimal | None = None
        self.settled_price: Decimal | None = None
        """The last price that was not a stray print."""
        self.quote: Book | None = None
        self.mean = MeanMark(settings.mark_window_us, tape.market.tick_size)
        self.own_mark: Decimal | None = None
        self.told_mark: Decimal | None = None
        self.walked_mark: Decimal | None = None
        self.mark_watch_us: int | None = None
        """The next whole second at which the mark could fire something, if any."""
        self.funding_rate = tape.market.funding_rate
        self.settlement_us: int | None = None
        """The next settlement that the settings prescribe; None where the data has its own."""
        self.candle_end_us: int | None = None
        """When the open minute ends; None once that has been told."""
        self.has_recorded_book = False
        self._multiplier = Decimal(1)
        """Contracts of today for one contract of the tape."""
        self._regridded = False

    @property
    def last(self) -> Decimal:
        """Last traded price; Rejection(NO_PRICE) before the first print."""
        if self.price is None:
            raise Rejection(RejectKind.NO_PRICE, f"{self.market.symbol} has no price yet.")
        return self.price

    @property
    def book(self) -> Book:
        """Best bid and ask; Rejection(NO_PRICE) before the first print."""
        if self.quote is None:
            raise Rejection(RejectKind.NO_PRICE, f"{self.market.symbol} has no price yet.")
        return self.quote

    def mark(self, now_us: int) -> Decimal:
        """The mark in force at a time; Rejection(NO_PRICE) before the first print."""
        if self.tape.has_mark and self.own_mark is not None:
            return self.own_mark
        if self.settled_price is None:
            raise Rejection(RejectKind.NO_PRICE, f"{self.market.symbol} has no price yet.")
        return self.mean.at(now_us)

    def watched_price(self, working_type: str, now_us: int) -> Decimal:
        """The price that a trigger of this kind watches; there is no index beside the mark."""
        return self.last if working_type == "last" else self.mark(now_us)

    def mark_reach(self, now_us: int) -> Iterator[Decimal]:
        """Prices that bound where the mark can go before the next print."""
        if self.tape.has_mark and self.own_mark is not None:
            return iter((self.own_mark,))
        return self.mean.window(now_us)

    def spread_book(self, price: Decimal, now_us: int) -> Book:
        """The book that the settings put around a price: on the tick, never at or below zero."""
        tick = self.market.tick_size
        ticks = self.settings.spread_ticks
        bid = max(self.snap(price, ROUND_FLOOR) - tick * (ticks // HALF), tick)
        shown = max(self.snap_quantity(self.settings.depth / price), self.market.min_quantity)
        return Book(bid, shown, bid + tick * ticks, shown, now_us)

    def taker_price(self, side: str, quantity: Decimal) -> Decimal:
        """Average price of a taker order: touch, plus slippage for each started depth."""
        book = self.book
        touch = book.ask if side == "BUY" else book.bid
        started = (touch * quantity / self.settings.depth).to_integral_value(ROUND_CEILING)
        slip = touch * self.settings.slippage_percent / PERCENT * max(started, Decimal(1))
        if side == "BUY":
            return self.snap(touch + slip, ROUND_CEILING)
        return max(self.snap(touch - slip, ROUND_FLOOR), self.market.tick_size)

    def regrid(self, factor: Decimal) -> None:
        """The grids, or with a factor the contract, have changed: bring every price along.

        One contract of before is `factor` contracts now; the history is shown in the new ones.
        """
        self._regridded = True
        self._multiplier *= factor
        self.mean.regrid(factor, self.market.tick_size)
        self.candles.convert(factor)
        self.mark_candles.convert(factor)
        self.prints = [
            msgspec.structs.replace(row, price=row.price / factor, quantity=row.quantity * factor)
            for row in self.prints
        ]
        for name in ("price", "settled_price", "own_mark", "told_mark", "walked_mark"):
            known: Decimal | None = getattr(self, name)
            if known is not None:
                setattr(self, name, known / factor)
        if self.quote is not None:
            self.quote = Book(
                self.quote.bid / factor,
                self.quote.bid_quantity * factor,
                self.quote.ask / factor,
                self.quote.ask_quantity * factor,
                self.quote.time_us,
            )

    def converted(self, point: Point) -> Point:
        """A point of the tape in today's contracts and on today's grid."""
        if not self._regridded:
            return point
        factor = self._multiplier
        match point:
            case Print():
                price = self.snap(point.price / factor, ROUND_HALF_EVEN)
                return msgspec.structs.replace(
                    point,
                    price=max(price, self.market.tick_size),
                    quantity=point.quantity * factor,
                )
            case Quote():
                bid = max(self.snap(point.bid / factor, ROUND_FLOOR), self.market.tick_size)
                ask = max(self.snap(point.ask / factor, ROUND_CEILING), bid + self.market.tick_size)
                return Quote(
                    point.time_us,
                    bid,
                    point.bid_quantity * factor,
                    ask,
                    point.ask_quantity * factor,
                )
            case MarkPrice():
                return MarkPrice(point.time_us, point.price / factor)
        return point

    def snap(self, price: Decimal, rounding: str) -> Decimal:
        """The price on the tick grid, rounded in the named direction."""
        tick = self.market.tick_size
        return (price / tick).to_integral_value(rounding) * tick

    def snap_quantity(self, quantity: Decimal) -> Decimal:
        """The quantity rounded down to a whole number of steps."""
        step = self.market.step_size
        return (quantity / step).to_integral_value(ROUND_FLOOR) * step

    def next_funding_us(self, now_us: int) -> int:
        """The next whole multiple of the funding interval after a time."""
        interval = self.market.funding_interval_us
        return (now_us // interval + 1) * interval

    def start_funding(self, now_us: int) -> None:
        """Plan the settlement after a time, unless the data brings its own."""
        if not self.tape.has_funding:
            self.settlement_us = self.next_funding_us(now_us)

    def recall(
        self, start_us: int | None, end_us: int | None, from_id: int | None, limit: int
    ) -> list[TradePrinted]:
        """Prints by time and id, oldest first; with neither start nor first id the newest."""
        prints = self.prints
        low, high = 0, len(prints)
        if start_us is not None:
            low = bisect_left(prints, start_us, key=lambda printed: printed.time_us)
        if from_id is not None:
            low = max(low, bisect_left(prints, from_id, key=lambda printed: printed.trade_id))
        if end_us is not None:
            high = bisect_right(prints, end_us, key=lambda printed: printed.time_us)
        if start_us is None and from_id is None:
            return prints[max(low, high - limit) : high]
        return prints[low : min(high, low + limit)]

    def remember(self, printed: TradePrinted) -> None:
        """Keep a print for those who ask for trades later."""
        self.prints.append(printed)
        if len(self.prints) > TRADES_KEPT + TRADES_KEPT:
            del self.prints[:TRADES_KEPT]
