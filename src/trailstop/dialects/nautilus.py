"""NautilusTrader's TRAILING_STOP_MARKET and TRAILING_STOP_LIMIT orders.

Source: https://nautilustrader.io/docs/latest/concepts/orders (trailing stops) and
https://nautilustrader.io/docs/latest/api_reference/model/orders. SELL protects a long, BUY a
short. The trigger lies one offset from the basis price, is rounded half-even to the decimals
of the tick and only ever improves; a touch fires it. The limit price of a TRAILING_STOP_LIMIT lies
an offset of its own from the same basis price, with the same rounding, and only ever improves too.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from trailstop.dialects.bare import trailing_only
from trailstop.domain.policy import HUNDRED, Absolute, Callback, Policy
from trailstop.domain.price import Instrument, Rounding, Side
from trailstop.errors import ConfigError

BASIS_POINTS_PER_PERCENT = 100

Basis = Literal["last", "mark", "bid_ask", "last_or_bid_ask"]
_BASES: dict[str, Basis] = {
    "DEFAULT": "bid_ask",
    "BID_ASK": "bid_ask",
    "LAST_PRICE": "last",
    "MARK_PRICE": "mark",
    "LAST_OR_BID_ASK": "last_or_bid_ask",
}
_OFFSETS = ("PRICE", "BASIS_POINTS", "TICKS")


def trailing_stop_market(
    *,
    trigger_type: str,
    offset_type: str,
    trailing_offset: Decimal,
    tick_size: Decimal,
    activation_price: Decimal | None = None,
) -> Policy:
    """Policy of one trailing order's trigger, from the order's own parameters and their spelling.

    It is the same for TRAILING_STOP_LIMIT; `limit_price` has the rest of that.

    `trailing_offset` is a price, basis points of the basis price or ticks, by `offset_type`.
    With `activation_price` nothing rests until the basis price has reached it; without, the
    first price activates. An order's own trigger price is the `resting_stop` of
    `TrailingStop`, whose tick is `price_increment(tick_size)`. Raises ConfigError for trigger
    and offset types that cannot be trailed.
    """
    if trigger_type not in _BASES:
        raise ConfigError(f"trigger type {trigger_type} cannot be trailed: {_either(_BASES)}")
    return trailing_only(
        _distance(offset_type, trailing_offset, tick_size),
        activation_price=activation_price,
        rounding=Rounding.HALF_EVEN,
        basis=_BASES[trigger_type],
    )


def limit_price(
    peak: Decimal,
    side: Side,
    *,
    offset_type: str,
    limit_offset: Decimal,
    tick_size: Decimal,
    current: Decimal | None = None,
) -> Decimal:
    """Limit price of a TRAILING_STOP_LIMIT whose best basis price is `peak`, quote currency.

    `side` is that of the position: LONG for a SELL order. `current` is the limit of before, which
    stays where it is nearer. Raises ConfigError for an offset type that cannot be trailed.
    """
    distance = _distance(offset_type, limit_offset, tick_size)
    away = distance.distance if isinstance(distance, Absolute) else _share(distance, peak)
    grid = Instrument("order", price_increment(tick_size), quantity_step=tick_size)
    price = grid.snap_stop(peak - away * side.sign, side, Rounding.HALF_EVEN)
    return price if current is None else side.best(current, price)


def price_increment(tick_size: Decimal) -> Decimal:
    """Grid that triggers are rounded to: the decimals of the tick, whatever its digits.

    A tick of 0.25 has two decimals, so that its triggers lie on hundredths.
    """
    exponent = tick_size.as_tuple().exponent
    assert isinstance(exponent, int), "a tick is finite"
    return Decimal(1).scaleb(min(exponent, 0))


def _share(callback: Callback, peak: Decimal) -> Decimal:
    return peak * callback.callback_percent / HUNDRED


def _distance(offset_type: str, offset: Decimal, tick_size: Decimal) -> Absolute | Callback:
    match offset_type:
        case "PRICE":
            return Absolute(offset)
        case "BASIS_POINTS":
            return Callback(offset / BASIS_POINTS_PER_PERCENT)
        case "TICKS":
            return Absolute(offset * tick_size)
    raise ConfigError(f"offset type {offset_type} cannot be trailed: {_either(_OFFSETS)}")


def _either(names: tuple[str, ...] | dict[str, Basis]) -> str:
    return f"use one of {', '.join(names)}"
