"""Binance USDⓈ-M futures' own trailing order, TRAILING_STOP_MARKET.

Source: https://developers.binance.com/docs/derivatives/usds-margined-futures/trade/rest-api/New-Algo-Order
The exchange trails it by itself; here the same parameters make a policy, for backtests and for
those who want the guard to do what their order did.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from trailstop.dialects.bare import trailing_only
from trailstop.domain.policy import Callback, Policy
from trailstop.errors import ConfigError

CALLBACK_RATE_MIN = Decimal("0.1")
CALLBACK_RATE_MAX = Decimal(20)
"""Raised from 10 to 20 percent on 2026-10-23."""


def trailing_stop_market(
    callback_rate: Decimal,
    activate_price: Decimal | None = None,
    *,
    working_type: Literal["CONTRACT_PRICE", "MARK_PRICE"] = "CONTRACT_PRICE",
) -> Policy:
    """Policy of one order: `callbackRate` in percent, `activatePrice` in quote currency.

    SELL (it protects a long) fires at price ≤ highest since activation × (1 − rate), BUY at
    price ≥ lowest since activation × (1 + rate). Without `activate_price` it is active at the
    first price. Raises ConfigError for a rate that the exchange refuses.
    """
    if not CALLBACK_RATE_MIN <= callback_rate <= CALLBACK_RATE_MAX:
        raise ConfigError(
            f"callbackRate must lie between {CALLBACK_RATE_MIN} and {CALLBACK_RATE_MAX} percent, "
            f"not {callback_rate}"
        )
    return trailing_only(
        Callback(callback_rate),
        activation_price=activate_price,
        basis="mark" if working_type == "MARK_PRICE" else "last",
    )
