"""Orders as they go out, and whether the answer is the order that was sent. Pure.

In one-way mode the flag says that an order can only reduce. In hedge mode the order names its
leg, which the closing side can only reduce, and the flag is refused. The leg tells which.
"""

from __future__ import annotations

from trailstop.domain.position import Leg, Role
from trailstop.domain.price import Instrument, Side
from trailstop.ports import CloseRequest, StopRequest
from trailstop.venues.binance import wire
from trailstop.venues.decoding import ZERO, number, plain

EXIT_SIDES = {Side.LONG: "SELL", Side.SHORT: "BUY"}
ONE_WAY = "both"
WORKING_TYPES = {"last": "CONTRACT_PRICE", "mark": "MARK_PRICE"}


def stop_params(request: StopRequest) -> dict[str, str]:
    """Parameters of a new conditional order, page `trade/rest-api/New-Algo-Order`.

    `priceProtect` stays off: in a wick it would keep the stop from working.
    """
    params = {
        "algoType": "CONDITIONAL",
        "symbol": request.leg.symbol,
        "side": EXIT_SIDES[request.side],
        "type": "STOP_MARKET",
        "triggerPrice": plain(request.price),
        "workingType": WORKING_TYPES[request.trigger],
        "priceProtect": "false",
        "clientAlgoId": request.client_id,
        "newOrderRespType": "RESULT",
    }
    if request.role is Role.BACKSTOP:
        params["closePosition"] = "true"
    else:
        params["quantity"] = plain(request.quantity)
    return params | _only_reduce(request.leg, whole=request.role is Role.BACKSTOP)


def _only_reduce(leg: Leg, *, whole: bool = False) -> dict[str, str]:
    """What keeps an order from opening; closing the whole position says so by itself."""
    params = {}
    if leg.position_side != ONE_WAY:
        params["positionSide"] = leg.position_side.upper()
    elif not whole:
        params["reduceOnly"] = "true"
    return params


def close_params(request: CloseRequest, instrument: Instrument | None) -> dict[str, str]:
    """Parameters of a reduce-only market order.

    A quantity above the largest market order is cut to it; the rest is closed by the next.
    """
    quantity = request.quantity
    if instrument is not None and instrument.max_market_quantity:
        quantity = instrument.snap_quantity(min(quantity, instrument.max_market_quantity))
    return {
        "symbol": request.leg.symbol,
        "side": EXIT_SIDES[request.side],
        "type": "MARKET",
        "quantity": plain(quantity),
        "newClientOrderId": request.client_id,
        **_only_reduce(request.leg),
    }


def mode_text(leg: Leg) -> str:
    """What to do where the exchange says that the leg is of another position mode."""
    mode, other = ("one-way", "hedge") if leg.position_side == ONE_WAY else ("hedge", "one-way")
    return (
        f"The leg {leg} is of {mode} mode and account {leg.account} is in {other} mode now: "
        f"switch it back to {mode} mode (Preferences, Position Mode), or leave it and open the "
        "position anew"
    )


def is_whole(order: wire.AlgoOrder) -> bool:
    """Whether an answer names what a stop is; one that leaves it out proves nothing."""
    return bool(order.trigger_price) and (order.close_position or bool(order.quantity))


def wrong_echo(request: StopRequest, order: wire.AlgoOrder) -> str | None:
    """Say where the exchange's answer differs from the stop that was sent, or None."""
    whole = request.role is Role.BACKSTOP
    hedge = request.leg.position_side != ONE_WAY
    sized = not order.close_position and (hedge or order.reduce_only)
    quantity = ZERO if whole else request.quantity
    differences = (
        (order.close_position if whole else sized, "it is not reduce-only"),
        (
            order.position_side == request.leg.position_side.upper(),
            f"its position side is {order.position_side}",
        ),
        (order.symbol == request.leg.symbol, f"its symbol is {order.symbol}"),
        (order.side == EXIT_SIDES[request.side], f"its side is {order.side}"),
        (
            number(order.trigger_price, "triggerPrice") == request.price,
            f"its trigger price is {order.trigger_price}",
        ),
        (
            whole or number(order.quantity, "quantity") == quantity,
            f"its quantity is {order.quantity}",
        ),
        (
            order.working_type == WORKING_TYPES[request.trigger],
            f"its working type is {order.working_type}",
        ),
        (not order.price_protect, "it has price protection"),
    )
    return next((text for fine, text in differences if not fine), None)
