"""Matching: plain orders, their fills and what a fill means for the orders that rest."""

from __future__ import annotations

import copy
from collections.abc import Callable
from decimal import Decimal

from trailstop.paper.accounts import Ledger, averaged
from trailstop.paper.checks import check_notional, check_order, check_sides, check_taking
from trailstop.paper.facts import AccountChanged, ConditionalChanged, Fact, OrderChanged
from trailstop.paper.market_state import MarketState
from trailstop.paper.model import (
    FULL_SLOTS,
    ZERO,
    Account,
    Conditional,
    Fill,
    Order,
    OrderRequest,
    Position,
    Rejection,
    RejectKind,
    closing_side,
)
from trailstop.paper.registry import Registry
from trailstop.paper.settings import WorldSettings

Leg = tuple[str, str, str]
"""Account, symbol and position side."""
POSITION_CLOSED = "position_closed"
"""`cancel_reason` of what ends with its position."""


def closes(side: str, position: Position) -> bool:
    """Whether an order of this side makes the position smaller."""
    return position.amount > 0 if side == "SELL" else position.amount < 0


class Matcher:
    """Executes plain orders against the book and keeps everything consistent after each fill.

    The book has one side of its own: orders of the accounts never meet each other.
    """

    def __init__(
        self,
        settings: WorldSettings,
        ledger: Ledger,
        registry: Registry,
        states: dict[str, MarketState],
        tell: Callable[[Fact], None],
    ) -> None:
        self.settings = settings
        self.ledger = ledger
        self.registry = registry
        self.states = states
        self.tell = tell
        self.now_us = 0
        self.touched: dict[Leg, None] = {}
        """Legs whose coverage may have changed since the oracle last looked."""
        self.stalls: Callable[[Order], bool] | None = None
        """A fault: True leaves an accepted order unfilled until somebody ends it."""

    def state(self, symbol: str) -> MarketState:
        """The market of a symbol; raises Rejection(UNKNOWN_SYMBOL)."""
        state = self.states.get(symbol)
        if state is None:
            raise Rejection(RejectKind.UNKNOWN_SYMBOL, "Invalid symbol.")
        return state

    def account(self, key: str) -> Account:
        """The account of a key; raises Rejection(UNKNOWN_ACCOUNT)."""
        account = self.ledger.accounts.get(key)
        if account is None:
            raise Rejection(RejectKind.UNKNOWN_ACCOUNT, "API-key format invalid.")
        return account

    def place(self, key: str, request: OrderRequest) -> Order:
        """Accept a plain order and match it as far as it goes; Rejection changes nothing."""
        account = self.account(key)
        state = self.state(request.symbol)
        hedge = account.hedge_of(request.symbol)
        check_sides(request.side, request.position_side, hedge=hedge)
        reduces = request.reduce_only or closing_side(request.side, request.position_side)
        check_taking(state.market, reduces=reduces)
        quantity = check_order(state.market, request, tick_check=self.settings.tick_check)
        if request.client_id and self.registry.order_name_taken(key, request.client_id):
            raise Rejection(RejectKind.DUPLICATE_CLIENT_ID, "ClientOrderId is duplicated.")
        position = self.ledger.position(account, request.symbol, request.position_side)
        limit = request.price if request.type == "LIMIT" else None
        if reduces:
            if not closes(request.side, position):
                raise Rejection(RejectKind.REDUCE_ONLY, "ReduceOnly Order is rejected.")
            quantity = min(quantity, abs(position.amount))
        price = limit if limit is not None else state.last
        check_notional(state.market, quantity, price, reduce_only=reduces)
        if not reduces:
            self.check_margin(account, position, request.side, quantity, price)
        post_only = request.time_in_force == "GTX"
        if post_only and limit is not None and takes(state, request.side, limit):
            raise Rejection(
                RejectKind.POST_ONLY,
                "Due to the order could not be executed as maker, the Post Only order will be "
                "rejected. The order will not be recorded in the order history",
            )
        number = self.registry.next_order_id()
        order = Order(
            order_id=number,
            client_id=request.client_id or f"paper-{number}",
            account=key,
            symbol=request.symbol,
            side=request.side,
            type=request.type,
            position_side=request.position_side,
            quantity=quantity,
            price=limit if limit is not None else ZERO,
            time_in_force=request.time_in_force,
            reduce_only=request.reduce_only,
            close_position=False,
            created_us=self.now_us,
            updated_us=self.now_us,
            original_type=request.type,
        )
        self.enter(order, state)
        return order

    def check_margin(
        self, account: Account, position: Position, side: str, quantity: Decimal, price: Decimal
    ) -> None:
        """Refuse what would open more than the free margin carries."""
        opened = quantity - min(quantity, abs(position.amount) if closes(side, position) else ZERO)
        needed = opened * price / account.leverage_of(position.symbol)
        if opened and needed + opened * price * account.taker_fee > self.ledger.available(account):
            raise Rejection(RejectKind.MARGIN, "Margin is insufficient.")

    def enter(
        self,
        order: Order,
        state: MarketState,
        execution: str = "TRADE",
        *,
        price: Decimal | None = None,
    ) -> None:
        """Take an accepted order in: tell of it, fill what crosses, let the rest lie.

        `price` is where a market order of the exchange itself is filled, instead of the book.
        """
        self.registry.add_order(order)
        self.tell_order(order, "NEW")
        if self.stalls is not None and self.stalls(order):
            return
        if order.type == "MARKET":
            if price is None:
                price = state.taker_price(order.side, order.quantity)
            self.fill(order, price, order.quantity, execution=execution)
        else:
            self.match_limit(order, state)

    def match_limit(self, order: Order, state: MarketState) -> None:
        """Fill a limit order that crosses the book; let any other lie, if it may."""
        if takes(state, order.side, order.price):
            price = state.taker_price(order.side, order.quantity)
            best = min if order.side == "BUY" else max
            self.fill(order, best(price, order.price), order.quantity)
        elif order.time_in_force in ("IOC", "FOK"):
            self.end_order(order, "EXPIRED")
        else:
            state.resting.add_order(order)
            self.touch(order)

    def fill_resting(self, order: Order, state: MarketState) -> None:
        """Fill a resting limit order at its own price, no further than it may reduce."""
        state.resting.remove_order(order)
        if order.reduces:
            order.quantity = min(order.quantity, abs(self.position_of(order).amount))
        self.fill(order, order.price, order.quantity, maker=True)

    def fill(
        self,
        order: Order,
        price: Decimal,
        quantity: Decimal,
        *,
        maker: bool = False,
        execution: str = "TRADE",
    ) -> Fill:
        """Book one execution and everything that follows from it."""
        account = self.ledger.accounts[order.account]
        was = self.position_of(order).amount
        fill = self.ledger.apply(order, price, quantity, maker=maker, now_us=self.now_us)
        position = self.position_of(order)
        order.filled += quantity
        order.filled_notional += price * quantity
        order.average_price = averaged(
            order.filled_notional, order.filled, self.states[order.symbol].market
        )
        order.updated_us = self.now_us
        order.status = "FILLED"
        self.registry.retire_order(order)
        self.tell_order(order, execution, fill)
        self.tell(
            AccountChanged(
                account.key, "ORDER", (copy.copy(position),), account.wallet, self.now_us
            )
        )
        self.touch(order)
        self._finish_parent(order)
        if was * position.amount <= 0 and was:
            self._sweep(position)
        elif was:
            self._follow(position)
        return fill

    def end_order(self, order: Order, status: str, reason: str = "") -> None:
        """Cancel or expire a live order."""
        order.status = status
        order.cancel_reason = reason
        order.updated_us = self.now_us
        self.registry.retire_order(order)
        self.tell_order(order, status)
        self.touch(order)
        self._finish_parent(order)

    def cancel(self, key: str, symbol: str, order_id: int | None, client_id: str | None) -> Order:
        """Cancel a resting order; Rejection(ORDER_NOT_FOUND) for any other."""
        order = self.registry.order(key, symbol, order_id, client_id)
        if not order.live:
            raise Rejection(RejectKind.ORDER_NOT_FOUND, "Unknown order sent.")
        self.states[symbol].resting.remove_order(order)
        self.end_order(order, "CANCELED")
        return order

    def end_conditional(self, conditional: Conditional, status: str, reason: str = "") -> None:
        """Take a waiting conditional order off its market for good."""
        self.states[conditional.symbol].resting.remove(conditional)
        conditional.cancel_reason = reason
        self.close_conditional(conditional, status)

    def close_conditional(self, conditional: Conditional, status: str) -> None:
        """Give a conditional order that rests no more its last status."""
        conditional.status = status
        self.registry.retire_conditional(conditional)
        self.tell_conditional(conditional)

    def tell_conditional(self, conditional: Conditional) -> None:
        """Stamp a changed conditional order and tell of it."""
        conditional.updated_us = self.now_us
        self.touch(conditional)
        self.tell(ConditionalChanged(conditional.account, copy.copy(conditional), self.now_us))

    def position_of(self, order: Order | Conditional) -> Position:
        """The position that the order works on."""
        account = self.ledger.accounts[order.account]
        return self.ledger.position(account, order.symbol, order.position_side)

    def touch(self, order: Order | Conditional) -> None:
        """Remember that the coverage of the order's leg may have changed."""
        self.touched[order.account, order.symbol, order.position_side] = None

    def _finish_parent(self, child: Order) -> None:
        if child.algo_id is None:
            return
        parent = self.registry.conditionals[child.algo_id]
        parent.filled = child.filled
        parent.average_price = child.average_price
        self.close_conditional(parent, "FINISHED")

    def _sweep(self, position: Position) -> None:
        """Expire what a leg that went flat, or flipped, no longer allows to rest.

        Close-position orders and the position's own stops need their position; resting
        reduce-only limits need something to reduce. Sized reduce-only conditionals stay, as seen
        on a real account (2026-05-13).
        """
        for conditional in list(self.registry.live_conditionals[position.account].values()):
            if (
                (conditional.close_position or conditional.slot)
                and conditional.status == "NEW"
                and _on(conditional, position)
                and not closes(conditional.side, position)
            ):
                status = "EXPIRED" if conditional.close_position else "CANCELED"
                self.end_conditional(conditional, status, POSITION_CLOSED)
        for order in list(self.registry.live_orders[position.account].values()):
            if order.reduces and _on(order, position) and not closes(order.side, position):
                self.states[order.symbol].resting.remove_order(order)
                self.end_order(order, "EXPIRED", POSITION_CLOSED)

    def _follow(self, position: Position) -> None:
        """Tell of the stops that cover the whole position: its size is theirs."""
        for conditional in self.registry.live_conditionals[position.account].values():
            if (
                conditional.slot in FULL_SLOTS
                and conditional.status == "NEW"
                and _on(conditional, position)
            ):
                self.tell_conditional(conditional)

    def tell_order(self, order: Order, execution: str, fill: Fill | None = None) -> None:
        """Tell of a plain order as it is now."""
        self.tell(OrderChanged(order.account, copy.copy(order), execution, fill, self.now_us))


def takes(state: MarketState, side: str, price: Decimal) -> bool:
    """Whether a limit at this price would meet the other side of the book."""
    return price >= state.book.ask if side == "BUY" else price <= state.book.bid


def _on(order: Order | Conditional, position: Position) -> bool:
    return order.symbol == position.symbol and order.position_side == position.position_side
