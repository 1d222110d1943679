"""Facts about markets, as the messages of the public topics that somebody has."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from trailstop.paper.bybit import wire_market as wire
from trailstop.paper.bybit.stream_boards import (
    Board,
    BookBoard,
    KlineBoard,
    PriceLimitBoard,
    Send,
    TickerBoard,
)
from trailstop.paper.bybit.stream_days import Directions, Past
from trailstop.paper.bybit.topics import Topic
from trailstop.paper.bybit.wire_market import Row
from trailstop.paper.exchange import Exchange
from trailstop.paper.facts import (
    BookMoved,
    Fact,
    KlineMoved,
    MarketChanged,
    MarkMoved,
    OrderChanged,
    TradePrinted,
)

TICKERS = "tickers"
BOARDS: dict[str, type[BookBoard] | type[KlineBoard] | type[PriceLimitBoard]] = {
    "orderbook": BookBoard,
    "kline": KlineBoard,
    "priceLimit": PriceLimitBoard,
}
MOST_TRADES = 1_024
"""Page "Trade" (stream): rows of one message."""
LIQUIDATION = "liquidation"


class PublicEvents:
    """Keeps a board for each topic that shows a state; trades and liquidations pass through."""

    def __init__(self, exchange: Exchange, send: Send, wanted: Callable[[str], bool]) -> None:
        self._exchange = exchange
        self._send = send
        self._wanted = wanted
        self._boards: dict[str, Board] = {}
        self._past: dict[str, Past] = {}
        self._directions = Directions()

    def open(self, topic: Topic) -> Row | None:
        """Somebody has the topic: the message that it begins with, if it has one."""
        board = self._boards.get(topic.name)
        if board is None:
            board = self._board(topic)
            if board is None:
                return None
            self._boards[topic.name] = board
        return board.first()

    def end(self, name: str) -> None:
        """Nobody has the topic any more."""
        board = self._boards.pop(name, None)
        if board is not None:
            board.close()
            if board.topic.kind == TICKERS:
                del self._past[board.topic.symbol]

    def close(self) -> None:
        """End every board."""
        for name in list(self._boards):
            self.end(name)

    def hear(self, facts: Sequence[Fact]) -> None:
        """Send what these facts change: trades first, in their order, then what they move."""
        moved: set[str] = set()
        trades: dict[str, list[Row]] = {}
        for fact in facts:
            match fact:
                case TradePrinted():
                    direction = self._directions.put(fact)
                    if fact.symbol in self._past:
                        self._past[fact.symbol].put(fact)
                    moved.add(fact.symbol)
                    if self._wanted(f"publicTrade.{fact.symbol}"):
                        row = wire.public_trade(fact, direction)
                        trades.setdefault(fact.symbol, []).append(row)
                case BookMoved() | MarkMoved() | KlineMoved():
                    moved.add(fact.symbol)
                case MarketChanged():
                    moved.add(fact.symbol)
                    if fact.symbol in self._past:
                        self._past[fact.symbol].forget()
                case OrderChanged(fill=fill, order=order):
                    if fill is not None and order.source == LIQUIDATION:
                        event = wire.liquidation_event(fill)
                        self._send(event["topic"], event)
        for symbol, rows in trades.items():
            for start in range(0, len(rows), MOST_TRADES):
                event = wire.public_trades_event(symbol, rows[start : start + MOST_TRADES])
                self._send(event["topic"], event)
        for board in list(self._boards.values()):
            if board.topic.symbol in moved:
                board.move()

    def _board(self, topic: Topic) -> Board | None:
        symbol = topic.symbol
        if topic.kind == TICKERS:
            past = self._past[symbol] = Past(self._exchange.world, symbol)
            return TickerBoard(
                self._exchange, topic, self._send, past, lambda: self._directions.of(symbol)
            )
        kind = BOARDS.get(topic.kind)
        return None if kind is None else kind(self._exchange, topic, self._send)
