"""The last look at a request before it leaves, by eyes that did not write it.

Nothing here is shared with the code that builds requests: a mistake made there is not repeated
here. It reads the body as it will stand on the wire and compares it with what was asked for. A
finding means a mistake of ours; the request is not sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from trailstop.domain.position import Leg, Role
from trailstop.domain.price import Instrument, Side
from trailstop.ports import CloseRequest, StopRequest
from trailstop.venues.checks import exact, on_grid, unless

Body = Mapping[str, str | int | bool]

ID_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,36}")
"""Client ids as the page `order/create-order` allows them (read 2026-11)."""
STOP_FIELDS = frozenset(
    ["category", "symbol", "positionIdx", "tpslMode", "stopLoss", "slTriggerBy"]
)
"""Neither takeProfit nor trailingStop, which are the user's, nor a size, which would add a
partial stop with each call."""
CLOSE_FIELDS = frozenset(
    [
        "category",
        "symbol",
        "side",
        "orderType",
        "qty",
        "positionIdx",
        "reduceOnly",
        "orderLinkId",
    ]
)


def check_stop(
    body: Body, request: StopRequest, instrument: Instrument, account: str
) -> str | None:
    """Say what is wrong with a position's stop about to be sent, or None."""
    price = exact(body.get("stopLoss"))
    watched = "MarkPrice" if request.trigger == "mark" else "LastPrice"
    return (
        unless(request.role is Role.WORKING, "the position has one stop, the working stop")
        or _check_common(body, request.leg, request.side, account, STOP_FIELDS)
        or unless(body.get("tpslMode") == "Full", "tpslMode is not Full")
        or unless(body.get("slTriggerBy") == watched, f"slTriggerBy is not {watched}")
        or unless(price is not None and price > 0, "the stop would be removed, not set")
        or unless(price == request.price, "the stop's price is not the one asked for")
        or on_grid(price, instrument.tick_size, "the stop's price is off the tick grid")
    )


def check_close(
    body: Body, request: CloseRequest, instrument: Instrument, account: str
) -> str | None:
    """Say what is wrong with a closing market order about to be sent, or None."""
    quantity = exact(body.get("qty"))
    sells = request.side is Side.LONG
    sent_id = body.get("orderLinkId")
    return (
        _check_common(body, request.leg, request.side, account, CLOSE_FIELDS)
        or unless(
            body.get("side") == ("Sell" if sells else "Buy"),
            f"the order's side adds to a {request.side.value}",
        )
        or unless(body.get("orderType") == "Market", "orderType is not Market")
        or unless(body.get("reduceOnly") is True, "an order that is not reduce-only")
        or unless(quantity is not None and quantity > 0, "the quantity is not above 0")
        or unless(
            quantity is not None and quantity <= request.quantity,
            "the quantity exceeds the position",
        )
        or on_grid(quantity, instrument.quantity_step, "the quantity is off the step grid")
        or unless(sent_id == request.client_id, "the client id is not the one asked for")
        or unless(
            isinstance(sent_id, str) and ID_PATTERN.fullmatch(sent_id) is not None,
            f"the client id {sent_id!r} does not have 1 to 36 allowed characters",
        )
    )


def _check_common(
    body: Body, leg: Leg, side: Side, account: str, allowed: frozenset[str]
) -> str | None:
    strange = sorted(set(body) - allowed)
    index = {"both": 0, "long": 1, "short": 2}.get(leg.position_side)
    sent = body.get("positionIdx")
    return (
        unless(not strange, f"unexpected parameters {', '.join(strange)}")
        or unless(leg.venue == "bybit", f"the leg {leg} is on another exchange")
        or unless(leg.account == account, f"the leg {leg} is of another account")
        or unless(body.get("category") == "linear", "category is not linear")
        or unless(body.get("symbol") == leg.symbol, f"the symbol is not that of {leg}")
        or unless(type(sent) is int and sent == index, f"positionIdx {sent!r} is not that of {leg}")
        or unless(leg.position_side in {"both", side.value}, f"{leg} cannot hold a {side.value}")
    )
