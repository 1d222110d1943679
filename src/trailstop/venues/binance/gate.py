"""The last look at an order before it leaves, by eyes that did not write it.

Nothing here is shared with the code that builds orders: a mistake made there is not repeated
here. It reads the parameters as they will stand on the wire and compares them with what was
asked for. A finding means a mistake of ours; the order is not sent.

Two forms can only reduce: the flag `reduceOnly` where the account has one position a symbol,
and `positionSide` with the opposite `side` where it has two, which then takes no flag.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from trailstop.domain.position import Leg, Role
from trailstop.domain.price import Instrument, Side
from trailstop.ports import CloseRequest, StopRequest
from trailstop.venues.checks import exact, on_grid, unless

ID_PATTERN = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
"""Client ids as the `New-Order` page allows them (read 2026-11)."""
STOP_FIELDS = frozenset(
    [
        "algoType",
        "symbol",
        "side",
        "positionSide",
        "type",
        "triggerPrice",
        "workingType",
        "priceProtect",
        "quantity",
        "reduceOnly",
        "closePosition",
        "clientAlgoId",
        "newOrderRespType",
    ]
)
CLOSE_FIELDS = frozenset(
    ["symbol", "side", "positionSide", "type", "quantity", "reduceOnly", "newClientOrderId"]
)
CLOSING = {("LONG", "SELL"), ("SHORT", "BUY")}
"""Position side and side of orders that make a leg of hedge mode smaller."""


def check_stop(
    params: Mapping[str, str], request: StopRequest, instrument: Instrument, account: str
) -> str | None:
    """Say what is wrong with a stop about to be sent, or None."""
    price = exact(params.get("triggerPrice"))
    whole = request.role is Role.BACKSTOP
    watched = {"last": "CONTRACT_PRICE", "mark": "MARK_PRICE"}[request.trigger]
    if request.role is Role.FOREIGN:
        return "a stop of ours cannot be foreign"
    return (
        _check_common(params, request.leg, request.side, account, STOP_FIELDS)
        or _check_id(params.get("clientAlgoId"), request.client_id)
        or unless(params.get("algoType") == "CONDITIONAL", "algoType is not CONDITIONAL")
        or unless(params.get("type") == "STOP_MARKET", "type is not STOP_MARKET")
        or unless(params.get("workingType") == watched, f"workingType is not {watched}")
        or unless(params.get("priceProtect", "false") == "false", "priceProtect could block it")
        or unless(price is not None and price > 0, "the trigger price is not above 0")
        or unless(price == request.price, "the trigger price is not the one asked for")
        or on_grid(price, instrument.tick_size, "the trigger price is off the tick grid")
        or _check_leg(params, request.leg, request.side)
        or (_check_whole(params) if whole else _check_sized(params, request.quantity, instrument))
        or unless(whole or _only_reduces(params), "an order that is not reduce-only")
    )


def check_close(
    params: Mapping[str, str], request: CloseRequest, instrument: Instrument, account: str
) -> str | None:
    """Say what is wrong with a closing market order about to be sent, or None."""
    return (
        _check_common(params, request.leg, request.side, account, CLOSE_FIELDS)
        or _check_id(params.get("newClientOrderId"), request.client_id)
        or unless(params.get("type") == "MARKET", "type is not MARKET")
        or _check_leg(params, request.leg, request.side)
        or _check_sized(params, request.quantity, instrument)
        or unless(_only_reduces(params), "an order that is not reduce-only")
    )


def _check_common(
    params: Mapping[str, str], leg: Leg, side: Side, account: str, allowed: frozenset[str]
) -> str | None:
    strange = sorted(set(params) - allowed)
    selling = params.get("side") == "SELL"
    buying = params.get("side") == "BUY"
    return (
        unless(not strange, f"unexpected parameters {', '.join(strange)}")
        or unless(leg.venue == "binance", f"the leg {leg} is on another exchange")
        or unless(leg.account == account, f"the leg {leg} is of another account")
        or unless(params.get("symbol") == leg.symbol, f"the symbol is not that of {leg}")
        or unless(
            selling if side is Side.LONG else buying, f"the order's side adds to a {side.value}"
        )
    )


def _check_leg(params: Mapping[str, str], leg: Leg, side: Side) -> str | None:
    sent = params.get("positionSide")
    if leg.position_side == "both":
        return unless(sent is None, f"a positionSide, while {leg} is of one-way mode")
    return (
        unless(leg.position_side == side.value, f"the leg {leg} cannot hold a {side.value}")
        or unless(sent == leg.position_side.upper(), f"the positionSide is not that of {leg}")
        or unless("reduceOnly" not in params, "hedge mode takes no reduceOnly")
    )


def _only_reduces(params: Mapping[str, str]) -> bool:
    closing = (params.get("positionSide"), params.get("side")) in CLOSING
    return closing or params.get("reduceOnly") == "true"


def _check_id(sent: str | None, wanted: str) -> str | None:
    if sent != wanted:
        return "the client id is not the one asked for"
    if ID_PATTERN.fullmatch(sent) is None:
        return f"the client id {sent!r} does not have 1 to 36 allowed characters"
    return None


def _check_whole(params: Mapping[str, str]) -> str | None:
    return unless(
        params.get("closePosition") == "true", "a backstop without closePosition"
    ) or unless(
        "quantity" not in params and "reduceOnly" not in params,
        "a backstop takes neither quantity nor reduceOnly",
    )


def _check_sized(
    params: Mapping[str, str], position: Decimal, instrument: Instrument
) -> str | None:
    quantity = exact(params.get("quantity"))
    return (
        unless("closePosition" not in params, "a sized order takes no closePosition")
        or unless(quantity is not None and quantity > 0, "the quantity is not above 0")
        or unless(
            quantity is not None and quantity <= position, "the quantity exceeds the position"
        )
        or on_grid(quantity, instrument.quantity_step, "the quantity is off the step grid")
    )
