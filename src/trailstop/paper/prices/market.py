"""The market that a source of prices stands for: its names, grids and filters."""

from __future__ import annotations

from decimal import Decimal

from trailstop.paper.model import Market
from trailstop.paper.settings import WorldSettings
from trailstop.recorded.formats import power_of_ten
from trailstop.recorded.names import QUOTES

PRICE_PRECISION_BEYOND_TICK = 1
"""Prices may be written with one decimal more than the tick has, as on the real exchange, so that
the refusals of the tick and of the precision can be told apart."""
NOTIONAL_DIGITS = 2
"""Without quantities in the data a usual position has this many digits after its first one."""
MAX_NOTIONAL = Decimal(100_000_000)
MAX_MARKET_NOTIONAL = Decimal(20_000_000)
MIN_NOTIONAL = Decimal(5)
MAINTENANCE_RATE = Decimal("0.005")
"""One maintenance rate for all sizes; brackets are left out."""
TRIGGER_PROTECT = Decimal("0.05")
MAX_LEVERAGE = 125


def split_symbol(symbol: str) -> tuple[str, str]:
    """Base and quote asset; a symbol with an unknown quote is taken to be quoted in USDT."""
    for quote in QUOTES:
        if symbol.endswith(quote) and symbol != quote:
            return symbol[: -len(quote)], quote
    return symbol, "USDT"


def derive_market(
    symbol: str,
    price: Decimal,
    tick_exponent: int,
    step_exponent: int | None,
    settings: WorldSettings,
) -> Market:
    """The market of a file or generator whose first price is `price`.

    The step is the one that fits the quantities, but never so coarse that a position of the usual
    notional has none; without quantities it gives such a position three digits.
    """
    usual = (settings.notional / price).adjusted()
    step = usual - NOTIONAL_DIGITS if step_exponent is None else min(step_exponent, usual)
    step_size = power_of_ten(step)
    base, quote = split_symbol(symbol)
    return Market(
        symbol=symbol,
        base=base,
        quote=quote,
        tick_size=power_of_ten(tick_exponent),
        step_size=step_size,
        min_quantity=step_size,
        max_quantity=max(MAX_NOTIONAL / price // step_size, Decimal(1)) * step_size,
        max_market_quantity=max(MAX_MARKET_NOTIONAL / price // step_size, Decimal(1)) * step_size,
        min_notional=MIN_NOTIONAL,
        price_precision=max(0, -tick_exponent) + PRICE_PRECISION_BEYOND_TICK,
        quantity_precision=max(0, -step),
        maintenance_rate=MAINTENANCE_RATE,
        funding_rate=settings.funding_rate,
        funding_interval_us=settings.funding_interval_us,
        trigger_protect=TRIGGER_PROTECT,
        max_leverage=MAX_LEVERAGE,
    )
