"""Changing what rests, in place: conditional orders and limit orders keep their ids."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from trailstop.paper.checks import (
    WORKING_TYPES,
    check_band,
    check_notional,
    check_price,
    check_quantity,
    check_reference,
    check_taking,
)
from trailstop.paper.market_state import MarketState
from trailstop.paper.matching import Matcher, takes
from trailstop.paper.model import (
    TRAILING_TYPE,
    Conditional,
    Order,
    Rejection,
    RejectKind,
)
from trailstop.paper.triggers import fires_falling


class Change(Struct, frozen=True, kw_only=True):
    """New values; None leaves one as it is."""

    trigger_price: Decimal | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    working_type: str | None = None


class Amendments:
    """The exchange's service for changes in place."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher

    def conditional(
        self, key: str, algo_id: int | None, client_id: str | None, change: Change, author: str
    ) -> Conditional:
        """Change a waiting conditional order, position stops by their id included.

        Raises Rejection: ORDER_NOT_FOUND, NOT_MODIFIED, WOULD_TRIGGER, BAND_CAP, BAND_FLOOR, the
        market's status, its filters.
        """
        matcher = self._matcher
        conditional = matcher.registry.conditional(key, algo_id, client_id)
        if conditional.status != "NEW":
            raise Rejection(RejectKind.ORDER_NOT_FOUND, "Order does not exist.")
        state = matcher.state(conditional.symbol)
        check_taking(state.market, reduces=conditional.reduces)
        _check_form(conditional, change)
        wanted = (
            change.trigger_price or conditional.trigger_price,
            change.quantity or conditional.quantity,
            change.price or conditional.price,
            change.working_type or conditional.working_type,
        )
        if wanted == (
            conditional.trigger_price,
            conditional.quantity,
            conditional.price,
            conditional.working_type,
        ):
            raise Rejection(RejectKind.NOT_MODIFIED, "Not modified.")
        trigger_price, quantity, price, working_type = wanted
        self._check(conditional, state, change)
        if trigger_price is not None:
            reference = state.watched_price(working_type, matcher.now_us)
            rises = not fires_falling(conditional)
            check_reference(trigger_price, reference, working_type, rises=rises)
            if not conditional.slot:
                band = matcher.settings.trigger_band
                check_band(trigger_price, state.mark(matcher.now_us), band)
        state.resting.remove(conditional)
        conditional.trigger_price = trigger_price
        conditional.quantity = quantity
        conditional.price = price
        conditional.working_type = working_type
        conditional.author = author
        state.resting.add(conditional)
        self._unpair(conditional)
        matcher.tell_conditional(conditional)
        return conditional

    def order(
        self, key: str, symbol: str, order_id: int | None, client_id: str | None, change: Change
    ) -> Order:
        """Change quantity or price of a resting limit order; it is filled where it crosses now.

        Raises Rejection: ORDER_NOT_FOUND, NOT_MODIFIED, POST_ONLY, MARGIN, the market's status,
        its filters.
        """
        matcher = self._matcher
        order = matcher.registry.order(key, symbol, order_id, client_id)
        if not order.live:
            raise Rejection(RejectKind.ORDER_NOT_FOUND, "Order does not exist.")
        state = matcher.state(symbol)
        check_taking(state.market, reduces=order.reduces)
        price = order.price if change.price is None else change.price
        quantity = order.quantity if change.quantity is None else change.quantity
        check_price(state.market, price, tick_check=matcher.settings.tick_check)
        check_quantity(state.market, quantity, at_market=False)
        position = matcher.position_of(order)
        if order.reduces:
            quantity = min(quantity, abs(position.amount))
        if (price, quantity) == (order.price, order.quantity):
            raise Rejection(RejectKind.NOT_MODIFIED, "No need to modify the order.")
        check_notional(state.market, quantity, price, reduce_only=order.reduces)
        if not order.reduces:
            account = matcher.account(key)
            matcher.check_margin(account, position, order.side, quantity, price)
        if order.time_in_force == "GTX" and takes(state, order.side, price):
            raise Rejection(
                RejectKind.POST_ONLY,
                "Due to the order could not be executed as maker, the Post Only order will be "
                "rejected.",
            )
        state.resting.remove_order(order)
        order.price = price
        order.quantity = quantity
        order.updated_us = matcher.now_us
        matcher.tell_order(order, "AMENDMENT")
        matcher.match_limit(order, state)
        return order

    def _check(self, conditional: Conditional, state: MarketState, change: Change) -> None:
        tick_check = self._matcher.settings.tick_check
        for price in (change.trigger_price, change.price):
            if price is not None:
                check_price(state.market, price, tick_check=tick_check)
        if change.quantity is not None:
            check_quantity(state.market, change.quantity, at_market=conditional.price is None)

    def _unpair(self, conditional: Conditional) -> None:
        """A pair whose one order is changed falls apart (Bybit, page Set Trading Stop)."""
        if conditional.pair_id is not None:
            self._matcher.registry.conditionals[conditional.pair_id].pair_id = None
            conditional.pair_id = None


def _check_form(conditional: Conditional, change: Change) -> None:
    if change.working_type is not None and change.working_type not in WORKING_TYPES:
        raise Rejection(RejectKind.BAD_PARAMETER, "Invalid workingType.")
    if change.trigger_price is not None and conditional.type == TRAILING_TYPE:
        raise Rejection(RejectKind.BAD_PARAMETER, "A trailing stop has no trigger price.")
    if change.quantity is not None and conditional.quantity is None:
        raise Rejection(RejectKind.BAD_PARAMETER, "A stop for the whole position has no quantity.")
    if change.price is not None and conditional.price is None:
        raise Rejection(RejectKind.BAD_PARAMETER, "An order that fires at market has no price.")
