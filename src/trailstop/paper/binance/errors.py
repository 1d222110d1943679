"""Binance's error codes, and which of them each refusal of the world is spelled in.

Codes and texts follow the page "Error Code" of the USDⓈ-M futures documentation
(developers.binance.com, derivatives/usds-margined-futures/error-code, read 2026-11) unless a
line names another source.
"""

from __future__ import annotations

from trailstop.paper.model import Rejection, RejectKind

BAD_REQUEST = 400
UNAUTHORIZED = 401
NOT_FOUND = 404
TOO_MANY_REQUESTS = 429
TEAPOT_BANNED = 418


class ApiError(Exception):
    """An error answer: HTTP status, Binance's code and text, and headers where they matter."""

    def __init__(
        self,
        code: int,
        text: str,
        status: int = BAD_REQUEST,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.status = status
        self.headers = headers or {}


def missing(name: str) -> ApiError:
    """-1102: a mandatory parameter is absent or empty."""
    return ApiError(
        -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    )


def illegal(name: str) -> ApiError:
    """-1130: a parameter cannot be read as what it should be."""
    return ApiError(-1130, f"Data sent for parameter '{name}' is not valid.")


INVALID_SYMBOL = ApiError(-1121, "Invalid symbol.")
INVALID_INTERVAL = ApiError(-1120, "Invalid interval.")
INVALID_SIDE = ApiError(-1117, "Invalid side.")
INVALID_TYPE = ApiError(-1116, "Invalid orderType.")
INVALID_TIME_IN_FORCE = ApiError(-1115, "Invalid timeInForce.")
UNKNOWN_LISTEN_KEY = ApiError(-1125, "This listenKey does not exist.")
KEY_FORMAT = ApiError(-2014, "API-key format invalid.", UNAUTHORIZED)
KEY_UNKNOWN = ApiError(-2015, "Invalid API-key, IP, or permissions for action", UNAUTHORIZED)
BAD_SIGNATURE = ApiError(-1022, "Signature for this request is not valid.")
LATE_TIMESTAMP = ApiError(-1021, "Timestamp for this request is outside of the recvWindow.")
EARLY_TIMESTAMP = ApiError(
    -1021, "Timestamp for this request was 1000ms ahead of the server's time."
)
# The matching engine's own check of the time.
WRONG_ENGINE_TIME = ApiError(-5028, "Timestamp for this request is outside of the ME recvWindow.")
UNKNOWN_ORDER_CANCELLED = ApiError(-2011, "Unknown order sent.")
UNKNOWN_ORDER_QUERIED = ApiError(-2013, "Order does not exist.")
# Changelog of 2025-11-06 ("Conditional orders migrate to the Algo Service").
OLD_ROUTE = ApiError(
    -4120,
    "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.",
)
CLIENT_ID_FORM = ApiError(
    -4015, "Client order id is not valid. Client order id length should be less than 36 chars."
)
# What the exchange says to any reduceOnly in hedge mode (ccxt issue 8304).
BAD_REDUCE_ONLY = ApiError(-1106, "Parameter 'reduceonly' sent when not required.")
SAME_MARGIN_TYPE = ApiError(-4046, "No need to change margin type.")
ISOLATED_NOT_SERVED = ApiError(
    -4047, "Margin type cannot be changed: this exchange knows cross margin only."
)
SINGLE_ASSET_ONLY = ApiError(
    -4171, "No need to change multi-assets mode: this exchange knows single-asset mode only."
)
NO_SUCH_PATH = ApiError(-5000, "Path does not exist on this exchange.", NOT_FOUND)

REJECTIONS: dict[RejectKind, tuple[int, str | None]] = {
    # The text None means: the world's own words.
    RejectKind.WOULD_TRIGGER: (-2021, "Order would immediately trigger."),
    # Seen on the real exchange (2026-08); on no page.
    RejectKind.NO_POSITION_FOR_CLOSE: (
        -4509,
        (
            "Time in Force (TIF) GTE can only be used with open positions. "
            "Please ensure that positions are available."
        ),
    ),
    RejectKind.TWIN_EXISTS: (
        -4130,
        (
            "An open stop or take profit order with GTE and closePosition in the direction is "
            "existing."
        ),
    ),
    # An assumption of the paper exchange: whether the real one refuses is unconfirmed, so it
    # borrows the code of its nearest relative and says what it means.
    RejectKind.SECOND_STOP_REFUSED: (
        -4130,
        "An open reduce-only stop order in the direction is existing.",
    ),
    RejectKind.REDUCE_ONLY: (-2022, "ReduceOnly Order is rejected."),
    RejectKind.TOO_MANY_STOPS: (-4045, "Reach max stop order limit."),
    RejectKind.PRECISION: (-1111, "Precision is over the maximum defined for this asset."),
    RejectKind.TICK: (-4014, "Price not increased by tick size."),
    RejectKind.BAD_PRICE: (-4013, None),
    RejectKind.BAD_QUANTITY: (-4003, None),
    RejectKind.STEP: (-4023, "Quantity not increased by step size."),
    RejectKind.MIN_NOTIONAL: (
        -4164,
        "Order's notional must be no smaller than the minimum (unless you choose reduce only).",
    ),
    RejectKind.MARGIN: (-2019, "Margin is insufficient."),
    RejectKind.UNKNOWN_SYMBOL: (-1121, "Invalid symbol."),
    RejectKind.UNKNOWN_ACCOUNT: (-2015, None),
    RejectKind.DUPLICATE_CLIENT_ID: (-4116, "ClientOrderId is duplicated."),
    RejectKind.ORDER_NOT_FOUND: (-2013, "Order does not exist."),
    RejectKind.POSITION_SIDE: (-4061, "Order's position side does not match user's setting."),
    RejectKind.BAD_PARAMETER: (-1130, None),
    RejectKind.BAD_LEVERAGE: (-4028, None),
    RejectKind.TRAILING_RANGE: (-2007, "Invalid callBack rate."),
    RejectKind.TRAILING_WITH_CLOSE: (-4136, "Target strategy invalid for closePosition."),
    RejectKind.CLOSE_WITH_QUANTITY: (-4137, "Quantity must be zero with closePosition equals true"),
    RejectKind.CLOSE_WITH_REDUCE_ONLY: (
        -4138,
        "Reduce only must be true with closePosition equals true",
    ),
    RejectKind.POST_ONLY: (
        -5022,
        "Due to the order could not be executed as maker, the Post Only order will be rejected.",
    ),
    RejectKind.SAME_MODE: (-4059, "No need to change position side."),
    RejectKind.MODE_WITH_ORDERS: (
        -4067,
        "Position side cannot be changed if there exists open orders.",
    ),
    RejectKind.MODE_WITH_POSITION: (
        -4068,
        "Position side cannot be changed if there exists position.",
    ),
    RejectKind.NOT_MODIFIED: (-5027, "No need to modify the order."),
    RejectKind.BAND_CAP: (-4210, "Stop price is higher than price multiplier cap."),
    RejectKind.BAND_FLOOR: (-4211, "Stop price is lower than price multiplier floor."),
    RejectKind.MARKET_HALTED: (-1122, "Invalid symbol status."),
    RejectKind.MARKET_REDUCE_ONLY: (-4140, "Invalid symbol status for opening position."),
    RejectKind.MARKET_CLOSED: (-4141, "Symbol is closed."),
    RejectKind.NO_PRICE: (-1001, "Internal error; no price has been printed yet."),
}


def from_rejection(rejection: Rejection, cancelling: bool = False) -> ApiError:
    """The answer for a refusal of the world; an unknown order reads differently in a cancel."""
    if cancelling and rejection.kind is RejectKind.ORDER_NOT_FOUND:
        return UNKNOWN_ORDER_CANCELLED
    code, text = REJECTIONS[rejection.kind]
    return ApiError(code, text or rejection.text)
