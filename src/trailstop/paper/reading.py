"""What can be asked of the world: orders, positions, fills, prices. Nothing here changes it."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from trailstop.paper.accounts import Ledger
from trailstop.paper.facts import TradePrinted
from trailstop.paper.matching import Matcher
from trailstop.paper.model import (
    Book,
    Conditional,
    Fill,
    Income,
    Kline,
    Order,
    Position,
)
from trailstop.paper.registry import Registry

QUERY_LIMIT = 500
INCOME_LIMIT = 100


class Reading:
    """The reading half of `World`, over the parts that hold its state."""

    now_us: int
    """Virtual time, microseconds since the Unix epoch. Begins at the first price."""
    _ledger: Ledger
    _registry: Registry
    _matcher: Matcher

    def order(
        self, key: str, symbol: str, order_id: int | None = None, client_id: str | None = None
    ) -> Order:
        """One plain order, live or ended; raises Rejection(ORDER_NOT_FOUND)."""
        return self._registry.order(key, symbol, order_id, client_id)

    def open_orders(self, key: str, symbol: str | None = None) -> list[Order]:
        """Live plain orders, oldest first."""
        live = self._registry.live_orders[key].values()
        return [order for order in live if symbol is None or order.symbol == symbol]

    def all_orders(
        self,
        key: str,
        symbol: str | None = None,
        start_us: int | None = None,
        end_us: int | None = None,
        limit: int = QUERY_LIMIT,
    ) -> list[Order]:
        """Plain orders by creation time, oldest first; without a start the newest ones."""
        return self._registry.orders_of(key, symbol, start_us, end_us, limit)

    def conditional(
        self, key: str, algo_id: int | None = None, client_id: str | None = None
    ) -> Conditional:
        """One conditional order, live or ended; raises Rejection(ORDER_NOT_FOUND)."""
        return self._registry.conditional(key, algo_id, client_id)

    def open_conditionals(self, key: str, symbol: str | None = None) -> list[Conditional]:
        """Live conditional orders, oldest first."""
        live = self._registry.live_conditionals[key].values()
        return [order for order in live if symbol is None or order.symbol == symbol]

    def all_conditionals(
        self,
        key: str,
        symbol: str | None = None,
        start_us: int | None = None,
        end_us: int | None = None,
        limit: int = QUERY_LIMIT,
    ) -> list[Conditional]:
        """Conditional orders by creation time, oldest first; without a start the newest."""
        return self._registry.conditionals_of(key, symbol, start_us, end_us, limit)

    def positions(self, key: str, symbol: str | None = None) -> list[Position]:
        """Every leg of the account that was ever used, flat ones included."""
        legs = self._matcher.account(key).positions.values()
        return [leg for leg in legs if symbol is None or leg.symbol == symbol]

    def unrealized(self, position: Position) -> Decimal:
        """The position's result at its mark, without fees."""
        return self._ledger.unrealized(position)

    def available(self, key: str) -> Decimal:
        """Equity that no open position uses as initial margin."""
        return self._ledger.available(self._matcher.account(key))

    def liquidation_price(self, position: Position) -> Decimal:
        """Mark at which the position is liquidated; zero where no price does it."""
        return self._ledger.liquidation_price(position)

    def fills(
        self,
        key: str,
        symbol: str | None = None,
        start_us: int | None = None,
        end_us: int | None = None,
        from_id: int | None = None,
        *,
        limit: int = QUERY_LIMIT,
    ) -> list[Fill]:
        """Executions, oldest first; with neither start nor first id the newest ones."""
        found = [
            fill
            for fill in self._ledger.fills[key]
            if (symbol is None or fill.symbol == symbol)
            and (start_us is None or fill.time_us >= start_us)
            and (end_us is None or fill.time_us <= end_us)
            and (from_id is None or fill.trade_id >= from_id)
        ]
        return found[-limit:] if start_us is None and from_id is None else found[:limit]

    def income(
        self,
        key: str,
        symbol: str | None = None,
        kind: str | None = None,
        start_us: int | None = None,
        end_us: int | None = None,
        *,
        limit: int = INCOME_LIMIT,
    ) -> list[Income]:
        """Lines of the ledger, oldest first; without a start the newest ones."""
        found = [
            income
            for income in self._ledger.incomes[key]
            if (symbol is None or income.symbol == symbol)
            and (kind is None or income.kind == kind)
            and (start_us is None or income.time_us >= start_us)
            and (end_us is None or income.time_us <= end_us)
        ]
        return found[-limit:] if start_us is None else found[:limit]

    def klines(
        self,
        symbol: str,
        interval: str,
        start_us: int | None = None,
        end_us: int | None = None,
        limit: int = QUERY_LIMIT,
        *,
        source: Literal["last", "mark"] = "last",
    ) -> list[Kline]:
        """Candles since the data began, the open one last; minutes without a print are missing."""
        state = self._matcher.state(symbol)
        candles = state.candles if source == "last" else state.mark_candles
        return candles.query(interval, start_us, end_us, limit)

    def trades(
        self,
        symbol: str,
        start_us: int | None = None,
        end_us: int | None = None,
        from_id: int | None = None,
        limit: int = QUERY_LIMIT,
    ) -> list[TradePrinted]:
        """Prints so far, oldest first; with neither start nor first id the newest ones."""
        return self._matcher.state(symbol).recall(start_us, end_us, from_id, limit)

    def has_price(self, symbol: str) -> bool:
        """Whether the market has printed yet."""
        return self._matcher.state(symbol).price is not None

    def last(self, symbol: str) -> Decimal:
        """Last traded price; raises Rejection(NO_PRICE) before the first print."""
        return self._matcher.state(symbol).last

    def mark(self, symbol: str) -> Decimal:
        """Mark price in force now; raises Rejection(NO_PRICE) before the first print."""
        return self._matcher.state(symbol).mark(self.now_us)

    def index(self, symbol: str) -> Decimal:
        """Index price. The paper exchange has one market a symbol, so it is the mark."""
        return self.mark(symbol)

    def book(self, symbol: str) -> Book:
        """Best bid and ask now; raises Rejection(NO_PRICE) before the first print."""
        return self._matcher.state(symbol).book

    def funding_rate(self, symbol: str) -> Decimal:
        """Fraction of notional of the next settlement (of the last one, where recorded)."""
        return self._matcher.state(symbol).funding_rate

    def next_funding_us(self, symbol: str) -> int:
        """When the market settles funding next."""
        return self._matcher.state(symbol).next_funding_us(self.now_us)
