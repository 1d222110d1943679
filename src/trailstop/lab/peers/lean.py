"""QuantConnect LEAN's trailing stop order on bars: first the fill against the stop of before.

A bar that reaches the stop fills at the worse of the stop and the bar's close, whatever the bar's
other end was. Only a bar that does not reach it raises the stop, a SELL's by the bar's high and a
BUY's by its low. The stop is trailed by the product's own rule.
Source: https://www.quantconnect.com/docs/v2/writing-algorithms/reality-modeling/trade-fills/supported-models/immediate-model
(trailing stop orders).
"""

from __future__ import annotations

from decimal import Decimal

from trailstop.dialects import lean
from trailstop.domain.price import Side
from trailstop.library import TrailingStop

SIDES = {"SELL": Side.LONG, "BUY": Side.SHORT}
"""Side of the position that an order of this side leaves."""
ANY_ENTRY = Decimal(1)
"""A trailing order knows no entry, and its policy never looks at one."""


class Order:
    """One trailing stop order; prices in quote currency.

    `trailing_amount` is a fraction of the market price when `trailing_as_percentage`, else a price
    distance. Without `stop_price` the first price sets it.
    """

    def __init__(
        self,
        side: str,
        *,
        trailing_amount: Decimal,
        trailing_as_percentage: bool,
        stop_price: Decimal | None = None,
    ) -> None:
        self._side = SIDES[side]
        policy = lean.trailing_stop_order(
            trailing_amount=trailing_amount, trailing_as_percentage=trailing_as_percentage
        )
        self._trail = TrailingStop("order", ANY_ENTRY, self._side, policy, resting_stop=stop_price)
        self.fill_price: Decimal | None = None

    @property
    def stop(self) -> Decimal | None:
        """Stop price; None before the first price."""
        return self._trail.trail.exact_stop

    @property
    def filled(self) -> bool:
        """Whether a bar has reached the stop."""
        return self.fill_price is not None

    def price(self, price: Decimal) -> bool:
        """Tell one price; true where it fills the order."""
        return self.bar(price, price, price)

    def bar(self, high: Decimal, low: Decimal, close: Decimal) -> bool:
        """Tell one bar; true where it fills the order."""
        side, stop = self._side, self.stop
        against, in_favour = (low, high) if side is Side.LONG else (high, low)
        if stop is not None and side.touches(against, stop):
            self._trail.update_price(against)
            self.fill_price = stop if side.better(close, stop) else close
            return True
        self._trail.update_price(in_favour)
        return False
