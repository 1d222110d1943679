"""Requests as they go out. Pure."""

from __future__ import annotations

from trailstop.domain.price import Instrument, Side
from trailstop.ports import CloseRequest, StopRequest
from trailstop.venues.bybit.translate import POSITION_INDEXES
from trailstop.venues.bybit.transport import Body
from trailstop.venues.decoding import plain

EXIT_SIDES = {Side.LONG: "Sell", Side.SHORT: "Buy"}
TRIGGERS = {"last": "LastPrice", "mark": "MarkPrice"}


def stop_body(request: StopRequest) -> Body:
    """Body that sets the position's one stop, page `position/trading-stop`.

    It closes the whole position, so that there is no quantity; a repeat changes it in place.
    Take-profit and trailing stop are the user's: what is not named stays as it is. The trigger
    is always named, since another one may be in force.
    """
    return {
        "category": "linear",
        "symbol": request.leg.symbol,
        "positionIdx": POSITION_INDEXES[request.leg.position_side],
        "tpslMode": "Full",
        "stopLoss": plain(request.price),
        "slTriggerBy": TRIGGERS[request.trigger],
    }


def close_body(request: CloseRequest, instrument: Instrument) -> Body:
    """Body of a reduce-only market order, page `order/create-order`.

    A quantity above the largest market order is cut to it; the rest is closed by the next.
    """
    quantity = request.quantity
    if instrument.max_market_quantity:
        quantity = instrument.snap_quantity(min(quantity, instrument.max_market_quantity))
    return {
        "category": "linear",
        "symbol": request.leg.symbol,
        "side": EXIT_SIDES[request.side],
        "orderType": "Market",
        "qty": plain(quantity),
        "positionIdx": POSITION_INDEXES[request.leg.position_side],
        "reduceOnly": True,
        "orderLinkId": request.client_id,
    }
