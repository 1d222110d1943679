"""The true state of the local exchange: synchronous, deterministic, without I/O.

Time is moved by `advance` alone. Every call acts at the present time, tells its facts in the
order in which they happen, and shows the oracle the legs that it changed. Chance has no place
here: the same settings, tapes and calls give the same state and the same facts.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Literal

from trailstop.paper import report
from trailstop.paper.accounts import Ledger
from trailstop.paper.conditionals import Conditionals
from trailstop.paper.coverage import leg_view, position_of
from trailstop.paper.facts import Fact, TradePrinted
from trailstop.paper.market_state import MarketState
from trailstop.paper.matching import Leg, Matcher
from trailstop.paper.model import (
    Account,
    Book,
    Conditional,
    ConditionalRequest,
    Fill,
    Income,
    Kline,
    Market,
    Order,
    OrderRequest,
    Position,
    Rejection,
    RejectKind,
)
from trailstop.paper.oracle import Oracle
from trailstop.paper.prices.tape import Print, Tape
from trailstop.paper.pricing import Pricing
from trailstop.paper.registry import Registry
from trailstop.paper.settings import WorldSettings

QUERY_LIMIT = 500
INCOME_LIMIT = 100


class World:
    """The exchange itself. `facts` is drained by whoever serves it."""

    def __init__(
        self, settings: WorldSettings, tapes: Sequence[Tape], accounts: Sequence[str]
    ) -> None:
        self.settings = settings
        self.markets: dict[str, Market] = {tape.market.symbol: tape.market for tape in tapes}
        if len(self.markets) < len(tapes):
            raise ValueError("Give at most one source of prices for a market.")
        self.facts: deque[Fact] = deque()
        self._states = {tape.market.symbol: MarketState(tape, settings) for tape in tapes}
        self._ledger = Ledger(
            [_open_account(settings, name) for name in accounts], self.markets, self.mark
        )
        self.accounts: dict[str, Account] = self._ledger.accounts
        self._registry = Registry(tuple(self.accounts))
        self._matcher = Matcher(
            settings, self._ledger, self._registry, self._states, self.facts.append
        )
        self._conditionals = Conditionals(self._matcher)
        self._pricing = Pricing(self._matcher, self._conditionals)
        self.oracle = Oracle()
        self._user_orders = 0
        first = self._pricing.next_event_us()
        self.now_us: int = 0
        """Virtual time, microseconds since the Unix epoch. Begins at the first price."""
        if first is not None:
            self.advance(first)

    # --- Time -----------------------------------------------------------------------------------

    def next_event_us(self) -> int | None:
        """Time of the next thing that happens by itself; None when the data is over."""
        return self._pricing.next_event_us()

    @property
    def data_over(self) -> bool:
        """Whether every tape has been read to its end."""
        return self._pricing.data_over

    def advance(self, to_us: int) -> None:
        """Let everything up to and including `to_us` happen, in time order."""
        assert to_us >= self.now_us, "virtual time never goes back"
        while True:
            moment = self._pricing.next_event_us()
            if moment is None or moment > to_us:
                break
            self._set_time(moment)
            self._pricing.happen(moment)
            self._show_oracle()
        self._set_time(to_us)

    # --- Requests of clients --------------------------------------------------------------------

    def place_order(self, key: str, request: OrderRequest) -> Order:
        """Place a plain order; raises Rejection, after which nothing has changed."""
        order = self._matcher.place(key, request)
        if self._is_guards(request.client_id):
            leg = (key, request.symbol, request.position_side)
            self.oracle.named(leg, "plain", request.client_id)
        self._show_oracle()
        return order

    def cancel_order(
        self, key: str, symbol: str, order_id: int | None = None, client_id: str | None = None
    ) -> Order:
        """Cancel a resting plain order; raises Rejection(ORDER_NOT_FOUND)."""
        order = self._matcher.cancel(key, symbol, order_id, client_id)
        self._show_oracle()
        return order

    def place_conditional(self, key: str, request: ConditionalRequest) -> Conditional:
        """Place a conditional order; raises Rejection, after which nothing has changed."""
        conditional = self._conditionals.place(key, request)
        if request.working_type == "mark":
            self._pricing.watch_mark(self._matcher.state(request.symbol))
        if self._is_guards(request.client_id):
            leg = (key, request.symbol, request.position_side)
            self.oracle.named(leg, "conditional", request.client_id)
        self._show_oracle()
        return conditional

    def cancel_conditional(
        self, key: str, algo_id: int | None = None, client_id: str | None = None
    ) -> Conditional:
        """Cancel a waiting conditional order; raises Rejection(ORDER_NOT_FOUND)."""
        conditional = self._conditionals.cancel(key, algo_id, client_id)
        self._show_oracle()
        return conditional

    def set_leverage(self, key: str, symbol: str, leverage: int) -> None:
        """Set the leverage of one market; raises Rejection(BAD_LEVERAGE)."""
        account = self._matcher.account(key)
        if not 1 <= leverage <= self._matcher.state(symbol).market.max_leverage:
            raise Rejection(RejectKind.BAD_LEVERAGE, f"Leverage {leverage} is not valid.")
        account.leverage[symbol] = leverage

    def set_position_mode(self, key: str, hedge: bool) -> None:
        """Switch between one-way and hedge mode; needs a flat account without orders."""
        account = self._matcher.account(key)
        if account.hedge == hedge:
            raise Rejection(RejectKind.SAME_MODE, "No need to change position side.")
        if self._registry.live_orders[key] or self._registry.live_conditionals[key]:
            raise Rejection(
                RejectKind.MODE_WITH_ORDERS,
                "Position side cannot be changed if there exists open orders.",
            )
        if any(position.amount for position in account.positions.values()):
            raise Rejection(
                RejectKind.MODE_WITH_POSITION,
                "Position side cannot be changed if there exists position.",
            )
        account.hedge = hedge

    # --- Reads ----------------------------------------------------------------------------------

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

    # --- Control --------------------------------------------------------------------------------

    def open_position(
        self,
        key: str,
        symbol: str,
        side: Literal["long", "short"],
        quantity: Decimal | None = None,
        tag: str = "",
    ) -> Fill:
        """The user opens, or adds to, a position at market; by default `notional` of it."""
        state = self._matcher.state(symbol)
        if quantity is None:
            quantity = state.snap_quantity(self.settings.notional / state.last)
        hedge = self._matcher.account(key).hedge
        return self._user_order(
            key,
            OrderRequest(
                symbol=symbol,
                side="BUY" if side == "long" else "SELL",
                type="MARKET",
                position_side=("LONG" if side == "long" else "SHORT") if hedge else "BOTH",
                quantity=quantity,
                client_id=self._user_id(tag),
            ),
        )

    def close_position(
        self, key: str, symbol: str, position_side: str = "BOTH", tag: str = ""
    ) -> Fill:
        """The user closes a position at market; raises Rejection(REDUCE_ONLY) when flat."""
        position = position_of((key, symbol, position_side), self.accounts)
        if not position.amount:
            raise Rejection(RejectKind.REDUCE_ONLY, "ReduceOnly Order is rejected.")
        return self._user_order(
            key,
            OrderRequest(
                symbol=symbol,
                side="SELL" if position.amount > 0 else "BUY",
                type="MARKET",
                position_side=position_side,
                quantity=abs(position.amount),
                reduce_only=position_side == "BOTH",
                client_id=self._user_id(tag),
            ),
        )

    def print_price(self, symbol: str, price: Decimal, book: bool = True) -> None:
        """Print a trade now, on the nearest tick; without `book` it is a stray print.

        A stray print is the last price until the next print, but moves neither book nor mark.
        """
        state = self._matcher.state(symbol)
        snapped = state.snap(price, ROUND_HALF_EVEN)
        if snapped <= 0:
            raise Rejection(RejectKind.BAD_PRICE, "Price less than or equal to zero.")
        if not book and state.settled_price is None:
            raise Rejection(RejectKind.NO_PRICE, f"{symbol} has no price yet.")
        falling = state.price is not None and snapped < state.price
        point = Print(self.now_us, snapped, state.market.min_quantity, falling)
        self._pricing.print(state, point, book=book, stray=not book)
        self._show_oracle()

    def remove_stop(self, algo_id: int) -> None:
        """Fault: the exchange cancels a waiting conditional order on its own."""
        conditional = self._registry.conditionals.get(algo_id)
        if conditional is None or conditional.status != "NEW":
            raise Rejection(RejectKind.ORDER_NOT_FOUND, "Order does not exist.")
        self._matcher.end_conditional(conditional, "CANCELED")
        self._show_oracle()

    def set_attended(self, attended: bool) -> None:
        """Say whether a guard runs; the age of a second stop is counted in that time only."""
        self.oracle.settle(self.now_us)
        self.oracle.attended = attended

    @property
    def reject_at_trigger(self) -> Callable[[Conditional], str | None] | None:
        """Fault: called at each trigger; a text makes the exchange refuse the child with it."""
        return self._conditionals.reject_at_trigger

    @reject_at_trigger.setter
    def reject_at_trigger(self, fault: Callable[[Conditional], str | None] | None) -> None:
        self._conditionals.reject_at_trigger = fault

    def truth(self) -> dict[str, Any]:
        """The whole true state with its clocks, ready for JSON; decimals as strings."""
        return report.truth(self)

    # --- Inside ---------------------------------------------------------------------------------

    def tapes(self) -> tuple[Tape, ...]:
        """Where each market's prices come from."""
        return tuple(state.tape for state in self._states.values())

    def _set_time(self, now_us: int) -> None:
        self.now_us = self._matcher.now_us = now_us

    def _is_guards(self, client_id: str) -> bool:
        return bool(client_id) and client_id.startswith(self.settings.guard_prefix)

    def _user_id(self, tag: str) -> str:
        self._user_orders += 1
        return f"user-{tag or self._user_orders}"

    def _user_order(self, key: str, request: OrderRequest) -> Fill:
        self._matcher.place(key, request)
        self._show_oracle()
        return self._ledger.fills[key][-1]

    def _show_oracle(self) -> None:
        touched = self._matcher.touched
        if not touched:
            return
        legs: list[Leg] = list(touched)
        touched.clear()
        for leg in legs:
            view = leg_view(
                leg,
                position_of(leg, self.accounts),
                self._registry,
                self.settings.guard_prefix,
            )
            self.oracle.observe(leg, view, self.now_us)


def _open_account(settings: WorldSettings, name: str) -> Account:
    """An account whose keys are a function of seed and name, so that runs can be repeated."""
    key, secret = (
        hashlib.sha256(f"{settings.seed}:{name}:{part}".encode()).hexdigest()
        for part in ("key", "secret")
    )
    return Account(
        key=key,
        secret=secret,
        name=name,
        wallet=settings.wallet,
        starting_wallet=settings.wallet,
        taker_fee=settings.taker_fee,
        maker_fee=settings.maker_fee,
        default_leverage=settings.leverage,
    )
