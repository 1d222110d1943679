"""Bybit linear perpetuals' own trailing stop, a leg of the position's trading stop.

Source: https://bybit-exchange.github.io/docs/v5/position/trading-stop and, with worked numbers,
https://help.bybit.com/hc/en-us/articles/360039260514.
"""

from __future__ import annotations

from decimal import Decimal

from trailstop.dialects.bare import trailing_only
from trailstop.domain.policy import Absolute, Policy


def trading_stop(trailing_stop: Decimal, active_price: Decimal | None = None) -> Policy:
    """Policy of one position: `trailingStop` is a price distance, `activePrice` a price.

    A long's fires when the last price falls `trailing_stop` below the best since activation, a
    short's when it rises as much above the lowest. Without `active_price` it is active at the
    first price. Both in quote currency. Raises ConfigError for a distance of 0, which would
    remove the leg.
    """
    return trailing_only(Absolute(trailing_stop), activation_price=active_price)
