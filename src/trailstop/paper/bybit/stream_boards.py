"""Public topics that show a state: the whole of it first, then what changes, at a bounded pace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from trailstop.paper.bybit import wire_market as wire
from trailstop.paper.bybit.stream_days import Past
from trailstop.paper.bybit.topics import INTERVALS, Topic
from trailstop.paper.bybit.wire_market import Levels, Row
from trailstop.paper.exchange import Exchange
from trailstop.paper.model import Kline

US_PER_MS = 1_000
US_PER_SECOND = 1_000_000
TICKER_US = 100 * US_PER_MS
KLINE_US = US_PER_SECOND
PRICE_LIMIT_US = 300 * US_PER_MS
BOOK_US = {"1": 10 * US_PER_MS, "50": 20 * US_PER_MS, "200": 100 * US_PER_MS, "1000": 200_000}
BOOK_SILENCE_US = 3 * US_PER_SECOND
"""Page "Orderbook": a book of one level that does not change is sent again after this time."""
BEST_LEVEL = "1"

Send = Callable[[str, Row], None]


class Board:
    """One topic that somebody has.

    All its subscribers share what was sent last, so a late one is given exactly that, and every
    change that follows fits.
    """

    period_us = 0

    def __init__(self, exchange: Exchange, topic: Topic, send: Send) -> None:
        self.exchange = exchange
        self.world = exchange.world
        self.topic = topic
        self.send = send
        self._sent_us = -1
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def first(self) -> Row | None:
        """What a new subscriber is sent; None while the market has no price."""
        if not self.world.has_price(self.topic.symbol):
            return None
        return self.whole()

    def move(self) -> None:
        """What the topic shows may have changed: send it now, or as soon as the pace allows."""
        if "pace" in self._timers or not self.world.has_price(self.topic.symbol):
            return
        due_us = self._sent_us + self.period_us
        if self._sent_us >= 0 and self.exchange.loop.now_us < due_us:
            self.at("pace", due_us)
            return
        event = self.change()
        if event is not None:
            self._sent_us = self.exchange.loop.now_us
            self.send(self.topic.name, event)

    def whole(self) -> Row | None:
        """The state as it was last sent, or as it is if it was never sent."""
        raise NotImplementedError

    def change(self) -> Row | None:
        """What has changed since the last call; None for nothing."""
        raise NotImplementedError

    def at(self, name: str, due_us: int) -> None:
        """Look at the topic again at a time; one time for each name."""
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()
        self._timers[name] = self.exchange.loop.call_at_us(due_us, self._look, name)

    def look(self, name: str) -> None:
        """The time of this name has come; the world is at the present."""
        del name
        self.move()

    def close(self) -> None:
        """Nobody has the topic any more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _look(self, name: str) -> None:
        self._timers.pop(name, None)
        self.exchange.sync()
        self.look(name)


class TickerBoard(Board):
    """Page "Ticker": the mark moves once a second even where nothing is traded."""

    period_us = TICKER_US

    def __init__(
        self, exchange: Exchange, topic: Topic, send: Send, past: Past, direction: Callable[[], str]
    ) -> None:
        super().__init__(exchange, topic, send)
        self._past = past
        self._direction = direction
        self._row: Row | None = None
        self._marked = False
        self._beat()

    def whole(self) -> Row | None:
        """A snapshot."""
        if self._row is None:
            self._row = self._now()
        return wire.ticker_event(self._row, "snapshot", self.exchange.loop.now_us)

    def change(self) -> Row | None:
        """A delta, or a snapshot where none was sent for want of a price."""
        before, row = self._row, self._now()
        self._row = row
        now_us = self.exchange.loop.now_us
        if before is None:
            return wire.ticker_event(row, "snapshot", now_us)
        changed = {name: text for name, text in row.items() if before[name] != text}
        if self._marked:
            changed["markPrice"] = row["markPrice"]
            self._marked = False
        if not changed:
            return None
        return wire.ticker_event({"symbol": self.topic.symbol, **changed}, "delta", now_us)

    def look(self, name: str) -> None:
        """Tell the mark at every whole second, as a market does whose index never rests."""
        if name == "beat":
            self._marked = True
            self._beat()
        self.move()

    def _now(self) -> Row:
        return wire.ticker(self.world, self.topic.symbol, self._past.day, self._direction())

    def _beat(self) -> None:
        second = self.exchange.loop.now_us // US_PER_SECOND
        self.at("beat", (second + 1) * US_PER_SECOND)


class BookBoard(Board):
    """Page "Orderbook": one level comes as snapshots only, more levels as deltas."""

    def __init__(self, exchange: Exchange, topic: Topic, send: Send) -> None:
        super().__init__(exchange, topic, send)
        self.period_us = BOOK_US[topic.detail]
        self._sides: tuple[Levels, Levels] | None = None
        self._number = 0
        self._moved_us = 0
        self._told_us = 0

    def whole(self) -> Row | None:
        """A snapshot."""
        if self._sides is None:
            self._take()
        return self._event("snapshot", self._sides)

    def change(self) -> Row | None:
        """A delta, or a snapshot of one level."""
        before = self._sides
        if not self._take():
            return None
        if before is None or self.topic.detail == BEST_LEVEL:
            return self._event("snapshot", self._sides)
        assert self._sides is not None
        return self._event(
            "delta",
            (_difference(before[0], self._sides[0]), _difference(before[1], self._sides[1])),
        )

    def look(self, name: str) -> None:
        """Send a silent best level again."""
        if name != "silence":
            self.move()
        elif self.exchange.loop.now_us - self._told_us >= BOOK_SILENCE_US:
            self.send(self.topic.name, self._event("snapshot", self._sides))

    def _take(self) -> bool:
        """Read the book; whether it has changed."""
        symbol = self.topic.symbol
        book = self.world.book(symbol)
        sides = wire.levels(self.world.markets[symbol], book, int(self.topic.detail))
        if sides == self._sides:
            return False
        self._sides, self._moved_us = sides, book.time_us
        self._number += 1
        return True

    def _event(self, kind: str, sides: tuple[Levels, Levels] | None) -> Row:
        assert sides is not None, "a book is read before it is told"
        now_us = self._told_us = self.exchange.loop.now_us
        if self.topic.detail == BEST_LEVEL:
            self.at("silence", now_us + BOOK_SILENCE_US)
        update = wire.Update(self.topic.symbol, self._number, self._moved_us, now_us)
        return wire.order_book_event(self.topic.name, kind, sides, update)


class KlineBoard(Board):
    """Page "Kline": the open candle at most once a second, and each candle once when it closes."""

    period_us = KLINE_US

    def __init__(self, exchange: Exchange, topic: Topic, send: Send) -> None:
        super().__init__(exchange, topic, send)
        self._row: Kline | None = None
        self._confirmed = False

    def whole(self) -> Row | None:
        """The newest candle."""
        if self._row is None:
            self._read()
        return self._event()

    def change(self) -> Row | None:
        """The newest candle, if it has changed."""
        before = self._row
        self._read()
        return None if self._row == before else self._event()

    def move(self) -> None:
        """A candle that has ended is told at once, whatever the pace."""
        self._close_ended()
        super().move()

    def _close_ended(self) -> None:
        row = self._row
        if row is None or self._confirmed or row.close_us >= self.exchange.loop.now_us:
            return
        ended = self.world.klines(
            self.topic.symbol, INTERVALS[self.topic.detail], start_us=row.open_us, limit=1
        )
        self._row, self._confirmed = ended[0], True
        self.send(self.topic.name, self._event())

    def _read(self) -> None:
        row = self.world.klines(self.topic.symbol, INTERVALS[self.topic.detail], limit=1)[-1]
        if self._row is None or row.open_us > self._row.open_us:
            self._confirmed = row.close_us < self.exchange.loop.now_us
            if not self._confirmed:
                self.at("end", row.close_us + 1)
        if not (self._confirmed and self._row is not None and row.open_us == self._row.open_us):
            self._row = row

    def _event(self) -> Row:
        assert self._row is not None, "a candle is read before it is told"
        return wire.kline_event(
            self.topic.name,
            self.topic.detail,
            self._row,
            self._confirmed,
            self.exchange.loop.now_us,
        )


class PriceLimitBoard(Board):
    """Page "Order Price Limit"."""

    period_us = PRICE_LIMIT_US

    def __init__(self, exchange: Exchange, topic: Topic, send: Send) -> None:
        super().__init__(exchange, topic, send)
        self._row: Row | None = None

    def whole(self) -> Row | None:
        """Both limits."""
        if self._row is None:
            self._row = self._now()
        return self._row

    def change(self) -> Row | None:
        """Both limits, if one has changed."""
        before, row = self._row, self._now()
        if before is not None and before["data"] == row["data"]:
            return None
        self._row = row
        return row

    def _now(self) -> Row:
        symbol = self.topic.symbol
        return wire.price_limit_event(
            self.topic.name,
            self.world.markets[symbol],
            self.world.mark(symbol),
            self.exchange.loop.now_us,
        )


def _difference(before: Levels, after: Levels) -> Levels:
    """Levels that are new, changed, or gone (with quantity 0)."""
    changed = {
        price: quantity for price, quantity in after.items() if before.get(price) != quantity
    }
    return changed | {price: price - price for price in before if price not in after}
