"""A market gets new filters, or its contract is exchanged for another number of new ones."""

from __future__ import annotations

import copy
from decimal import ROUND_HALF_EVEN, Decimal

from msgspec import Struct

from trailstop.paper.facts import AccountChanged
from trailstop.paper.market_state import MarketState
from trailstop.paper.matching import Matcher
from trailstop.paper.model import Conditional, Market, Order, Position, Rejection, RejectKind
from trailstop.paper.prices.market import PRICE_PRECISION_BEYOND_TICK

ONE = Decimal(1)


class MarketChange(Struct, frozen=True, kw_only=True):
    """What becomes different; None stays, or follows from the multiplier."""

    tick_size: Decimal | None = None
    step_size: Decimal | None = None
    max_market_quantity: Decimal | None = None
    multiplier: Decimal | None = None
    """New contracts for one old contract."""


def change_market(matcher: Matcher, state: MarketState, change: MarketChange) -> None:
    """Apply a change at the present time; Rejection(BAD_PARAMETER) leaves all as it is.

    New filters bind new orders only: what rests stays where it is, on the grid or off it.
    """
    given = (change.tick_size, change.step_size, change.max_market_quantity, change.multiplier)
    if all(value is None for value in given):
        raise Rejection(RejectKind.BAD_PARAMETER, "Give something that changes.")
    if any(value is not None and not (value.is_finite() and value > 0) for value in given):
        raise Rejection(RejectKind.BAD_PARAMETER, "Filters and multiplier are above 0.")
    factor = ONE if change.multiplier is None else change.multiplier
    _change_filters(state.market, change, factor)
    state.regrid(factor)
    for account in matcher.ledger.accounts.values():
        for symbol, position_side in account.positions:
            if symbol == state.market.symbol:
                # How many orders it takes to close the position may be another number now.
                matcher.touched[account.key, symbol, position_side] = None
    if factor != ONE:
        _convert_resting(matcher, state, factor)
        _convert_positions(matcher, state, factor)


def _change_filters(market: Market, change: MarketChange, factor: Decimal) -> None:
    market.tick_size = _written(change.tick_size or market.tick_size / factor)
    market.step_size = _written(change.step_size or market.step_size * factor)
    market.min_quantity = max(market.min_quantity * factor, market.step_size)
    market.max_quantity *= factor
    market.max_market_quantity = change.max_market_quantity or market.max_market_quantity * factor
    market.price_precision = _places(market.tick_size) + PRICE_PRECISION_BEYOND_TICK
    market.quantity_precision = _places(market.step_size)


def _written(grid: Decimal) -> Decimal:
    """A grid without trailing zeros and without an exponent."""
    plain = grid.normalize()
    return plain if plain % 1 else plain.quantize(ONE)


def _places(grid: Decimal) -> int:
    exponent = grid.normalize().as_tuple().exponent
    assert isinstance(exponent, int), "checked to be finite"
    return max(0, -exponent)


def _convert_resting(matcher: Matcher, state: MarketState, factor: Decimal) -> None:
    symbol = state.market.symbol
    for key in matcher.ledger.accounts:
        for conditional in list(matcher.registry.live_conditionals[key].values()):
            if conditional.symbol == symbol and conditional.status == "NEW":
                state.resting.remove(conditional)
                _convert_conditional(state, conditional, factor)
                state.resting.add(conditional)
                matcher.tell_conditional(conditional)
        for order in list(matcher.registry.live_orders[key].values()):
            if order.symbol == symbol:
                state.resting.remove_order(order)
                _convert_order(state, order, factor)
                state.resting.add_order(order)
                matcher.tell_order(order, "AMENDMENT")


def _convert_conditional(state: MarketState, conditional: Conditional, factor: Decimal) -> None:
    conditional.trigger_price = _price(state, conditional.trigger_price, factor)
    conditional.price = _price(state, conditional.price, factor)
    conditional.activate_price = _price(state, conditional.activate_price, factor)
    conditional.distance = _price(state, conditional.distance, factor)
    if conditional.extreme is not None:
        conditional.extreme /= factor
    if conditional.quantity is not None:
        conditional.quantity *= factor


def _convert_order(state: MarketState, order: Order, factor: Decimal) -> None:
    order.price = state.snap(order.price / factor, ROUND_HALF_EVEN)
    order.quantity *= factor


def _price(state: MarketState, price: Decimal | None, factor: Decimal) -> Decimal | None:
    return None if price is None else state.snap(price / factor, ROUND_HALF_EVEN)


def _convert_positions(matcher: Matcher, state: MarketState, factor: Decimal) -> None:
    for account in matcher.ledger.accounts.values():
        converted: list[Position] = []
        for position in account.positions.values():
            if position.symbol == state.market.symbol and position.amount:
                position.amount *= factor
                position.entry_price /= factor
                position.entered_quantity *= factor
                position.exited_quantity *= factor
                position.updated_us = matcher.now_us
                converted.append(copy.copy(position))
        if converted:
            matcher.tell(
                AccountChanged(
                    account.key, "ADJUSTMENT", tuple(converted), account.wallet, matcher.now_us
                )
            )
