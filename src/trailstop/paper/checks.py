"""Which requests the exchange refuses before it looks at the account's positions.

The order of the checks and the texts follow Binance's list of error codes (Error Code, USDⓈ-M
Futures), which the dialect spells with its numbers.
"""

from __future__ import annotations

from decimal import Decimal

from trailstop.paper.model import (
    CLOSED,
    CONDITIONAL_TYPES,
    HALTED,
    SETTLING,
    TRAILING_TYPE,
    ConditionalRequest,
    Market,
    OrderRequest,
    Rejection,
    RejectKind,
)

CALLBACK_PERCENT_MIN = Decimal("0.1")
CALLBACK_PERCENT_MAX = Decimal(20)
"""Range of callbackRate since 2026-10-23 (Binance, New Algo Order)."""
LIMITED_TYPES = ("STOP", "TAKE_PROFIT")
TIMES_IN_FORCE = ("GTC", "IOC", "FOK", "GTX")
WORKING_TYPES = ("last", "mark", "index")


def named(**values: Decimal | str) -> dict[str, str]:
    """Parts of a refusal's text; numbers without exponents."""
    return {
        name: format(value, "f") if isinstance(value, Decimal) else value
        for name, value in values.items()
    }


def check_taking(market: Market, *, reduces: bool) -> None:
    """Refuse what the market's status does not let in."""
    if market.status == HALTED:
        raise Rejection(RejectKind.MARKET_HALTED, f"{market.symbol} takes no orders now.")
    if market.status == CLOSED:
        raise Rejection(RejectKind.MARKET_CLOSED, f"{market.symbol} is closed.")
    if market.status == SETTLING and not reduces:
        raise Rejection(
            RejectKind.MARKET_REDUCE_ONLY, f"{market.symbol} takes only orders that reduce."
        )


def decimals(value: Decimal) -> int:
    """Number of significant decimal places."""
    exponent = value.normalize().as_tuple().exponent
    assert isinstance(exponent, int), "requests carry finite numbers"
    return max(0, -exponent)


def check_price(market: Market, price: Decimal, *, tick_check: bool) -> None:
    """Refuse a price that is not positive, has too many decimals or lies off the tick."""
    if not price.is_finite() or price <= 0:
        raise Rejection(RejectKind.BAD_PRICE, "Price less than or equal to zero.")
    if decimals(price) > market.price_precision:
        raise Rejection(
            RejectKind.PRECISION, "Precision is over the maximum defined for this asset."
        )
    if tick_check and price % market.tick_size:
        raise Rejection(RejectKind.TICK, "Price not increased by tick size.")


def check_on_tick(market: Market, distance: Decimal) -> None:
    """Refuse a distance that is not a positive number of ticks."""
    if not distance.is_finite() or distance <= 0 or distance % market.tick_size:
        raise Rejection(
            RejectKind.BAD_PRICE, f"The distance is a whole number of ticks of {market.tick_size}."
        )


def check_reference(
    trigger_price: Decimal, reference: Decimal, source: str, *, rises: bool
) -> None:
    """Refuse a trigger that the watched price has already reached."""
    if reference >= trigger_price if rises else reference <= trigger_price:
        raise Rejection(
            RejectKind.WOULD_TRIGGER,
            "Order would immediately trigger.",
            named(
                direction="rises" if rises else "falls",
                trigger_price=trigger_price,
                reference_price=reference,
                source=source,
            ),
        )


def check_band(trigger_price: Decimal, mark: Decimal, band: Decimal | None) -> None:
    """Refuse a trigger farther from the mark than the band, a fraction; None has no bounds."""
    if band is None:
        return
    cap, floor = mark * (1 + band), mark * (1 - band)
    if trigger_price > cap:
        raise Rejection(
            RejectKind.BAND_CAP,
            f"Stop price can't be higher than {cap:f}.",
            named(trigger_price=trigger_price, bound_price=cap),
        )
    if trigger_price < floor:
        raise Rejection(
            RejectKind.BAND_FLOOR,
            f"Stop price can't be lower than {floor:f}.",
            named(trigger_price=trigger_price, bound_price=floor),
        )


def check_quantity(market: Market, quantity: Decimal | None, *, at_market: bool) -> Decimal:
    """Refuse a quantity outside the filters; returns it when it is there and good."""
    if quantity is None:
        raise Rejection(
            RejectKind.BAD_PARAMETER,
            "Mandatory parameter 'quantity' was not sent, was empty/null, or malformed.",
        )
    if not quantity.is_finite() or quantity <= 0:
        raise Rejection(RejectKind.BAD_QUANTITY, "Quantity less than or equal to zero.")
    if decimals(quantity) > market.quantity_precision:
        raise Rejection(
            RejectKind.PRECISION, "Precision is over the maximum defined for this asset."
        )
    if quantity % market.step_size:
        raise Rejection(RejectKind.STEP, "Quantity not increased by step size.")
    if quantity < market.min_quantity:
        raise Rejection(RejectKind.BAD_QUANTITY, "Quantity less than min quantity.")
    if quantity > (market.max_market_quantity if at_market else market.max_quantity):
        raise Rejection(RejectKind.BAD_QUANTITY, "Quantity greater than max quantity.")
    return quantity


def check_notional(market: Market, quantity: Decimal, price: Decimal, *, reduce_only: bool) -> None:
    """Refuse an order below the least notional, unless it can only reduce."""
    if not reduce_only and quantity * price < market.min_notional:
        raise Rejection(
            RejectKind.MIN_NOTIONAL,
            f"Order's notional must be no smaller than {market.min_notional} "
            "(unless you choose reduce only).",
        )


def check_sides(side: str, position_side: str, *, hedge: bool) -> None:
    """Refuse sides that do not exist or do not fit the account's position mode."""
    if side not in ("BUY", "SELL"):
        raise Rejection(RejectKind.BAD_PARAMETER, "Invalid side.")
    if position_side not in (("LONG", "SHORT") if hedge else ("BOTH",)):
        raise Rejection(
            RejectKind.POSITION_SIDE, "Order's position side does not match user's setting."
        )


def check_order(market: Market, request: OrderRequest, *, tick_check: bool) -> Decimal:
    """Check form and filters of a plain order; returns its quantity."""
    if request.type not in ("MARKET", "LIMIT"):
        raise Rejection(RejectKind.BAD_PARAMETER, "Invalid orderType.")
    quantity = check_quantity(market, request.quantity, at_market=request.type == "MARKET")
    if request.type == "LIMIT":
        if request.time_in_force not in TIMES_IN_FORCE:
            raise Rejection(RejectKind.BAD_PARAMETER, "Invalid timeInForce.")
        check_price(market, _given(request.price, "price"), tick_check=tick_check)
    return quantity


def check_conditional(market: Market, request: ConditionalRequest, *, tick_check: bool) -> None:
    """Check form and filters of a conditional order."""
    if request.type not in CONDITIONAL_TYPES:
        raise Rejection(RejectKind.BAD_PARAMETER, "Invalid orderType.")
    if request.working_type not in WORKING_TYPES:
        raise Rejection(RejectKind.BAD_PARAMETER, "Invalid workingType.")
    if request.close_position:
        if request.type == TRAILING_TYPE or request.type in LIMITED_TYPES:
            raise Rejection(
                RejectKind.TRAILING_WITH_CLOSE, f"Target strategy invalid for {request.type}."
            )
        if request.quantity is not None:
            raise Rejection(
                RejectKind.CLOSE_WITH_QUANTITY,
                "Quantity must be zero with closePosition equals true.",
            )
        if request.reduce_only:
            raise Rejection(
                RejectKind.CLOSE_WITH_REDUCE_ONLY,
                "Reduce only must be true with closePosition equals true.",
            )
    else:
        at_market = request.type not in LIMITED_TYPES
        check_quantity(market, request.quantity, at_market=at_market)
    if request.type in LIMITED_TYPES:
        check_price(market, _given(request.price, "price"), tick_check=tick_check)
    if request.type == TRAILING_TYPE:
        _check_trailing(market, request, tick_check=tick_check)
    else:
        check_price(market, _given(request.trigger_price, "triggerprice"), tick_check=tick_check)


def _check_trailing(market: Market, request: ConditionalRequest, *, tick_check: bool) -> None:
    if request.trigger_price is not None:
        raise Rejection(
            RejectKind.BAD_PARAMETER, "Parameter 'triggerprice' sent when not required."
        )
    if request.distance is not None:
        check_on_tick(market, request.distance)
    else:
        rate = _given(request.callback_rate, "callbackrate")
        if not CALLBACK_PERCENT_MIN <= rate <= CALLBACK_PERCENT_MAX or decimals(rate) > 1:
            raise Rejection(RejectKind.TRAILING_RANGE, "Invalid callBack rate.")
    if request.activate_price is not None:
        check_price(market, request.activate_price, tick_check=tick_check)


def _given(value: Decimal | None, name: str) -> Decimal:
    if value is None:
        raise Rejection(
            RejectKind.BAD_PARAMETER,
            f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.",
        )
    return value
