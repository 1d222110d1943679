"""Bybit's return codes, and which of them each refusal of the world is spelled in.

Codes follow the page "Error Codes" of the V5 documentation (bybit-exchange.github.io/docs/v5/error,
read 2026-11); texts follow captured answers where there are any.
"""

from __future__ import annotations

from decimal import Decimal

from trailstop.paper.bybit.spelling import TRIGGER_BY, scaled
from trailstop.paper.model import Rejection, RejectKind

OK = 200
UNAUTHORIZED = 401
FORBIDDEN = 403
NOT_FOUND = 404
PARAMETER_ERROR = 10001
REJECTED = "REJECTED"
"""The world's word for how an accepted order ends that is rejected later."""
EXPECT_RISING = 110092
EXPECT_FALLING = 110093
BELOW_MINIMUM = 110094


class ApiError(Exception):
    """A refusal: return code and text; an HTTP status and headers where they are not the usual."""

    def __init__(
        self,
        ret_code: int,
        text: str,
        status: int = OK,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(text)
        self.ret_code = ret_code
        self.text = text
        self.status = status
        self.headers = headers or {}


def bad(text: str) -> ApiError:
    """10001: a parameter is missing or wrong."""
    return ApiError(PARAMETER_ERROR, text)


KEY_INVALID = ApiError(10003, "API key is invalid.")
NOT_PERMITTED = ApiError(10005, "Permission denied, please check your API key permissions.")
CLOCK_REFUSED = ApiError(
    10002, "invalid request, please check your server timestamp or recv_window param."
)
MAINTENANCE = ApiError(10016, "Server error.")
ORDER_NOT_EXISTS = ApiError(110001, "order not exists or too late to cancel")
NOT_MODIFIED = ApiError(34040, "not modified")
DUPLICATE_LINK_ID = ApiError(110072, "OrderLinkedID is duplicate")
FLAT_REDUCE_ONLY = ApiError(110017, "current position is zero, cannot fix reduce-only order qty")
WRONG_SIDE_REDUCE_ONLY = ApiError(
    110017, "current position is on the same side, cannot fix reduce-only order qty"
)
TOO_MANY_STOPS = ApiError(110009, "The number of stop orders exceeds the maximum allowable limit")
TOO_MANY_ORDERS = ApiError(110020, "Not allowed to have more than 500 active orders")
NOT_ENOUGH = ApiError(110007, "ab not enough for new order")
PRICE_OUT_OF_RANGE = ApiError(110003, "Order price exceeds the allowable range.")
NOT_LIVE = ApiError(110074, "This contract is not live")
REDUCE_ONLY_CONTRACT = ApiError(110023, "Currently you can only reduce positions on this contract")
INDEX_MISMATCH = bad("position idx not match position mode")
SAME_LEVERAGE = ApiError(110043, "leverage not modified")
SAME_MODE = ApiError(110025, "Position mode is not modified")


# The text None means: the world's own words.
REJECTIONS: dict[RejectKind, tuple[int, str | None]] = {
    RejectKind.NO_POSITION_FOR_CLOSE: (FLAT_REDUCE_ONLY.ret_code, FLAT_REDUCE_ONLY.text),
    RejectKind.REDUCE_ONLY: (FLAT_REDUCE_ONLY.ret_code, FLAT_REDUCE_ONLY.text),
    RejectKind.TOO_MANY_STOPS: (TOO_MANY_STOPS.ret_code, TOO_MANY_STOPS.text),
    RejectKind.TOO_MANY_PARTIALS: (
        110061,
        "TP/SL orders cannot exceed the maximum number of 20",
    ),
    RejectKind.PRECISION: (PARAMETER_ERROR, "Price invalid"),
    RejectKind.TICK: (PARAMETER_ERROR, "Price invalid"),
    RejectKind.BAD_PRICE: (PARAMETER_ERROR, "Price invalid"),
    RejectKind.BAD_QUANTITY: (PARAMETER_ERROR, "Qty invalid"),
    RejectKind.STEP: (PARAMETER_ERROR, "Qty invalid"),
    RejectKind.MARGIN: (NOT_ENOUGH.ret_code, NOT_ENOUGH.text),
    RejectKind.UNKNOWN_SYMBOL: (PARAMETER_ERROR, "params error: symbol invalid"),
    RejectKind.DUPLICATE_CLIENT_ID: (DUPLICATE_LINK_ID.ret_code, DUPLICATE_LINK_ID.text),
    RejectKind.ORDER_NOT_FOUND: (ORDER_NOT_EXISTS.ret_code, ORDER_NOT_EXISTS.text),
    RejectKind.POSITION_SIDE: (PARAMETER_ERROR, INDEX_MISMATCH.text),
    RejectKind.BAD_LEVERAGE: (PARAMETER_ERROR, "leverage invalid"),
    RejectKind.SAME_MODE: (SAME_MODE.ret_code, SAME_MODE.text),
    RejectKind.MODE_WITH_POSITION: (
        110024,
        "You have an existing position, so the position mode cannot be switched",
    ),
    RejectKind.MODE_WITH_ORDERS: (
        110028,
        "You have existing open orders, so the position mode cannot be switched",
    ),
    RejectKind.NOT_MODIFIED: (NOT_MODIFIED.ret_code, NOT_MODIFIED.text),
    RejectKind.ZERO_POSITION: (PARAMETER_ERROR, "can not set tp/sl/ts for zero position"),
    RejectKind.BAND_CAP: (PRICE_OUT_OF_RANGE.ret_code, PRICE_OUT_OF_RANGE.text),
    RejectKind.BAND_FLOOR: (PRICE_OUT_OF_RANGE.ret_code, PRICE_OUT_OF_RANGE.text),
    RejectKind.MARKET_HALTED: (NOT_LIVE.ret_code, NOT_LIVE.text),
    RejectKind.MARKET_CLOSED: (NOT_LIVE.ret_code, NOT_LIVE.text),
    RejectKind.MARKET_REDUCE_ONLY: (REDUCE_ONLY_CONTRACT.ret_code, REDUCE_ONLY_CONTRACT.text),
}
LEG_NAMES = {
    "stop_loss": "StopLoss",
    "take_profit": "TakeProfit",
    "partial_stop_loss": "PartialStopLoss",
    "partial_take_profit": "PartialTakeProfit",
    "trailing_stop": "TrailingStop",
    "activate_price": "ActivePrice",
}
POSITION_NAMES = {"long": "Buy", "short": "Sell"}


def from_rejection(rejection: Rejection) -> ApiError:
    """The world's refusal in this exchange's words."""
    values = rejection.values
    if rejection.kind is RejectKind.STOP_WRONG_SIDE and values:
        bound = "lower" if values["bound"] == "lower" else "greater"
        return bad(
            f"{LEG_NAMES[values['leg']]}:{scaled(Decimal(values['price']))} set for "
            f"{POSITION_NAMES[values['side']]} position should {bound} than "
            f"base_price:{scaled(Decimal(values['reference_price']))}"
            f"??{TRIGGER_BY[values['source']]}"
        )
    if rejection.kind is RejectKind.WOULD_TRIGGER and values:
        return beyond_trigger(
            Decimal(values["trigger_price"]),
            Decimal(values["reference_price"]),
            values["source"],
            rising=values["direction"] == "rises",
        )
    code, text = REJECTIONS.get(rejection.kind, (PARAMETER_ERROR, None))
    return ApiError(code, text if text is not None else rejection.text)


def beyond_trigger(
    trigger: Decimal, price: Decimal, working_type: str, *, rising: bool
) -> ApiError:
    """110092 or 110093: the price has already passed the trigger (texts captured)."""
    source = TRIGGER_BY[working_type]
    if rising:
        code, word, sign = EXPECT_RISING, "Rising", "<="
    else:
        code, word, sign = EXPECT_FALLING, "Falling", ">="
    return ApiError(
        code,
        f"expect {word}, but trigger_price[{scaled(trigger)}] {sign} "
        f"current[{scaled(price)}]??{source}",
    )
