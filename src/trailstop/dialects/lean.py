"""QuantConnect LEAN's trailing stop order and trailing risk model.

Source: https://www.quantconnect.com/docs/v2/writing-algorithms/trading-and-orders/order-types/trailing-stop-orders
and https://www.quantconnect.com/docs/v2/writing-algorithms/algorithm-framework/risk-management/supported-models.
SELL protects a long, BUY a short. LEAN trails the unrounded market price; what is rounded, to
the tick and half-even, is the order as it is submitted.
"""

from __future__ import annotations

from decimal import Decimal

from trailstop.dialects.bare import trailing_only
from trailstop.domain.policy import HUNDRED, Absolute, Callback, Policy
from trailstop.domain.price import Instrument, Rounding, Side


def trailing_stop_order(*, trailing_amount: Decimal, trailing_as_percentage: bool) -> Policy:
    """Policy of one order; a touch of its stop fills it.

    `trailing_amount` is a fraction of the market price (0.1 = 10 %) when
    `trailing_as_percentage`, else a price distance. An order's own stop price is the
    `resting_stop` of `TrailingStop`.
    """
    if trailing_as_percentage:
        return trailing_only(Callback(trailing_amount * HUNDRED))
    return trailing_only(Absolute(trailing_amount))


def as_submitted(
    stop_price: Decimal,
    trailing_amount: Decimal,
    *,
    trailing_as_percentage: bool,
    tick_size: Decimal,
) -> tuple[Decimal, Decimal]:
    """Stop price and trailing amount as LEAN's transaction handler rounds them to the tick.

    An amount that is a fraction is no price and stays as it is.
    """
    stop = _round(stop_price, tick_size)
    return stop, trailing_amount if trailing_as_percentage else _round(trailing_amount, tick_size)


def trailing_risk_model(maximum_drawdown: Decimal) -> Policy:
    """Policy of TrailingStopRiskManagementModel; `maximum_drawdown` is a fraction (0.05 = 5 %).

    The best value starts at the entry: tell `TrailingStop` the entry price first. The position
    is left when the drawdown from the best exceeds the maximum; equal is not enough.
    """
    return trailing_only(Callback(maximum_drawdown * HUNDRED), strict=True)


def _round(price: Decimal, tick_size: Decimal) -> Decimal:
    grid = Instrument("order", tick_size, quantity_step=tick_size)
    # Half-even looks the same from both sides.
    return grid.snap_stop(price, Side.LONG, Rounding.HALF_EVEN)
