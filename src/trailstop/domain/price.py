"""Sides and the price grid of one instrument."""

from __future__ import annotations

import enum
import operator
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

from msgspec import Struct
from msgspec.structs import force_setattr

from trailstop.errors import ConfigError


class Side(enum.Enum):
    """Which way a position earns; one formula serves both through `sign`.

    `sign` is +1 for a long and −1 for a short. `better(a, b)` is true where price `a` is
    further in the position's favour than `b`; `touches(price, stop)` is true where the
    price has reached the stop or is beyond it; `beyond` is the strict form.
    """

    LONG = "long"
    SHORT = "short"

    sign: int
    better: Callable[[Decimal, Decimal], bool]
    touches: Callable[[Decimal, Decimal], bool]
    beyond: Callable[[Decimal, Decimal], bool]

    def best(self, first: Decimal, second: Decimal) -> Decimal:
        """Return whichever of two prices is further in the position's favour."""
        return second if self.better(second, first) else first


Side.LONG.sign, Side.SHORT.sign = 1, -1
Side.LONG.better, Side.SHORT.better = operator.gt, operator.lt
Side.LONG.touches, Side.SHORT.touches = operator.le, operator.ge
Side.LONG.beyond, Side.SHORT.beyond = operator.lt, operator.gt


class Rounding(enum.Enum):
    """How a stop is put on the tick grid; only `MARKET` promises a loss never larger."""

    MARKET = "market"
    HALF_EVEN = "half_even"
    NEAREST = "nearest"
    NONE = "none"


_TOWARDS_MARKET = {Side.LONG: ROUND_CEILING, Side.SHORT: ROUND_FLOOR}
_NEUTRAL = {Rounding.HALF_EVEN: ROUND_HALF_EVEN, Rounding.NEAREST: ROUND_HALF_UP}


class Instrument(Struct, frozen=True):
    """The grid and the limits of one symbol, as its exchange states them.

    Prices and `tick_size` are in quote currency, quantities in base currency. A limit
    that the exchange does not state is None.
    """

    symbol: str
    tick_size: Decimal
    quantity_step: Decimal
    min_quantity: Decimal = Decimal(0)
    max_market_quantity: Decimal | None = None
    min_notional: Decimal | None = None
    decimal_tick: bool = False
    """Derived: the tick is a power of ten, so that one quantize puts a price on the grid."""

    def __post_init__(self) -> None:
        """Refuse a grid on which nothing can be placed."""
        if self.tick_size <= 0 or self.quantity_step <= 0:
            raise ConfigError(
                f"{self.symbol}: tick size and quantity step must be above 0, "
                f"not {self.tick_size} and {self.quantity_step}"
            )
        # An exchange may spell 0.10: the grid must not depend on trailing zeros.
        tick = self.tick_size.normalize()
        force_setattr(self, "decimal_tick", tick.as_tuple().digits == (1,))
        if self.decimal_tick and tick.as_tuple().exponent <= 0:  # type: ignore[operator]
            force_setattr(self, "tick_size", tick)

    def snap_stop(
        self, price: Decimal, side: Side, rounding: Rounding = Rounding.MARKET
    ) -> Decimal:
        """Put a stop on the tick grid: a long's up, a short's down, towards the market.

        The loss is so never larger than promised. The other roundings carry the dialects.
        """
        if rounding is Rounding.NONE:
            return price
        mode = _TOWARDS_MARKET[side] if rounding is Rounding.MARKET else _NEUTRAL[rounding]
        tick = self.tick_size
        if self.decimal_tick and tick <= _ONE:
            return price.quantize(tick, mode)
        return (price / tick).quantize(_ONE, mode) * tick

    def snap_quantity(self, quantity: Decimal) -> Decimal:
        """Put a quantity on the step grid, downwards."""
        return (quantity / self.quantity_step).quantize(_ONE, ROUND_FLOOR) * self.quantity_step


_ONE = Decimal(1)
