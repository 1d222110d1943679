"""Payloads of Binance USDⓈ-M futures exactly as the exchange spells them.

Unknown fields are ignored, so that an addition of the exchange breaks nothing. Numbers come
as strings and become Decimal without a detour. A field that the exchange sometimes leaves
empty is text here, and is read in `translate`. Pages are those of
https://developers.binance.com/docs/derivatives/usds-margined-futures/ as of 2026-11.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec
from msgspec import Struct, field

from trailstop.venues.decoding import Payload


# --- REST: general ------------------------------------------------------------------------
class ErrorBody(Struct, frozen=True):
    """`error-code` page: every refusal, e.g. `{"code":-2021,"msg":"..."}`."""

    code: int
    msg: str = ""


class ServerTime(Payload, frozen=True):
    """`market-data/rest-api/Check-Server-Time`."""

    server_time: int


class Filter(Payload, frozen=True):
    """One filter of a symbol; which fields it has depends on `filter_type`."""

    filter_type: str
    tick_size: Decimal | None = None
    step_size: Decimal | None = None
    min_qty: Decimal | None = None
    max_qty: Decimal | None = None
    notional: Decimal | None = None
    multiplier_up: Decimal | None = None
    multiplier_down: Decimal | None = None


class SymbolInfo(Payload, frozen=True):
    """One symbol of `exchangeInfo`; `pricePrecision` is no tick size and is left out."""

    symbol: str
    status: str
    filters: list[Filter]


class RateLimit(Payload, frozen=True):
    """One limit: of requests (weight) or of orders, in a fixed window."""

    rate_limit_type: str
    interval: str
    interval_num: int
    limit: int


class ExchangeInfo(Payload, frozen=True):
    """`market-data/rest-api/Exchange-Information`."""

    symbols: list[SymbolInfo]
    rate_limits: list[RateLimit] = field(default_factory=list)


# --- REST: account ------------------------------------------------------------------------
class AccountConfig(Payload, frozen=True):
    """`account/rest-api/Account-Config`."""

    dual_side_position: bool
    can_trade: bool = True


class CommissionRate(Payload, frozen=True):
    """`account/rest-api/User-Commission-Rate`."""

    symbol: str
    taker_commission_rate: Decimal


class PositionRow(Payload, frozen=True):
    """`trade/rest-api/Position-Information-V3`; the amount's sign is the direction."""

    symbol: str
    position_side: str
    position_amt: Decimal
    entry_price: str | None = None
    mark_price: str | None = None
    liquidation_price: Decimal = Decimal(0)
    update_time: int = 0


class ListenKey(Payload, frozen=True):
    """`user-data-streams/Start-User-Data-Stream`."""

    listen_key: str


# --- REST: orders -------------------------------------------------------------------------
class AlgoOrder(Payload, frozen=True):
    """`trade/rest-api/New-Algo-Order`, `Query-Algo-Order`, `Current-All-Algo-Open-Orders`.

    Answers name the kind `orderType`; some list answers say `type`.
    """

    algo_id: int
    client_algo_id: str
    symbol: str
    side: str
    algo_status: str
    position_side: str = "BOTH"
    order_type: str = ""
    kind: str = field(name="type", default="")
    quantity: str | None = None
    trigger_price: str | None = None
    working_type: str = "CONTRACT_PRICE"
    close_position: bool = False
    reduce_only: bool = False
    price_protect: bool = False
    create_time: int = 0
    update_time: int = 0
    actual_order_id: str | int | None = None
    actual_price: str | None = None
    actual_qty: str | None = None


class AlgoCancelled(Payload, frozen=True):
    """`trade/rest-api/Cancel-Algo-Order`; its `code` is the text "200"."""

    algo_id: int
    client_algo_id: str = ""


class Order(Payload, frozen=True):
    """`trade/rest-api/New-Order`, `Query-Order`, `Current-All-Open-Orders`, `All-Orders`.

    `avgPrice` left the answer to a new order in 2026-07; queries still have it.
    """

    order_id: int
    client_order_id: str
    symbol: str
    side: str
    status: str
    position_side: str = "BOTH"
    orig_qty: Decimal = Decimal(0)
    executed_qty: Decimal = Decimal(0)
    avg_price: Decimal | None = None
    price: Decimal = Decimal(0)
    reduce_only: bool = False
    close_position: bool = False
    update_time: int = 0


class UserTrade(Payload, frozen=True):
    """`trade/rest-api/Account-Trade-List`; it does not carry the client id."""

    id: int
    order_id: int
    symbol: str
    side: str
    price: Decimal
    qty: Decimal
    commission: Decimal
    commission_asset: str
    time: int
    realized_pnl: Decimal = Decimal(0)
    position_side: str = "BOTH"


# --- REST: market data --------------------------------------------------------------------
class PriceTicker(Payload, frozen=True):
    """`market-data/rest-api/Symbol-Price-Ticker-v2`: the price of the newest trade."""

    symbol: str
    price: Decimal
    time: int = 0


class PremiumIndex(Payload, frozen=True):
    """`market-data/rest-api/Mark-Price`."""

    symbol: str
    mark_price: Decimal
    time: int = 0


class BookRow(Payload, frozen=True):
    """`market-data/rest-api/Symbol-Order-Book-Ticker`."""

    symbol: str
    bid_price: Decimal
    ask_price: Decimal
    time: int = 0


class AggregateTrade(Struct, frozen=True):
    """`market-data/rest-api/Compressed-Aggregate-Trades-List` and the `@aggTrade` stream."""

    trade_id: int = field(name="a")
    price: Decimal = field(name="p")
    at_ms: int = field(name="T")
    symbol: str = field(name="s", default="")


class Kline(Struct, frozen=True, array_like=True):
    """`market-data/rest-api/Kline-Candlestick-Data`: a row, the last one still open."""

    open_time: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    close_time: int


# --- WebSocket ----------------------------------------------------------------------------
class Frame(Struct, frozen=True):
    """What kind of frame it is: an event, one wrapped with its stream's name, or an answer."""

    event: str = field(name="e", default="")
    data: msgspec.Raw = msgspec.Raw()
    error: ErrorBody | None = None
    code: int | None = None
    listen_key: str = field(name="listenKey", default="")


class BookTicker(Struct, frozen=True):
    """`websocket-market-streams/Individual-Symbol-Book-Ticker-Streams`."""

    symbol: str = field(name="s")
    bid: Decimal = field(name="b")
    ask: Decimal = field(name="a")
    at_ms: int = field(name="T")


class MarkPriceUpdate(Struct, frozen=True):
    """`websocket-market-streams/Mark-Price-Stream`."""

    symbol: str = field(name="s")
    mark: Decimal = field(name="p")
    at_ms: int = field(name="E")


class ContractInfo(Struct, frozen=True):
    """`websocket-market-streams/Contract-Info-Stream`: something of a symbol has changed."""

    symbol: str = field(name="s")


class AlgoFields(Struct, frozen=True):
    """The order of an ALGO_UPDATE."""

    client_id: str = field(name="caid")
    algo_id: int = field(name="aid")
    kind: str = field(name="o")
    symbol: str = field(name="s")
    side: str = field(name="S")
    status: str = field(name="X")
    position_side: str = field(name="ps", default="BOTH")
    quantity: str = field(name="q", default="")
    trigger_price: str = field(name="tp", default="")
    close_position: bool = field(name="cp", default=False)
    reduce_only: bool = field(name="R", default=False)
    filled: str | None = field(name="aq", default=None)
    reject_reason: str | None = field(name="rm", default=None)


class AlgoUpdate(Struct, frozen=True):
    """`user-data-streams/Event-Algo-Order-Update`."""

    order: AlgoFields = field(name="o")
    at_ms: int = field(name="T")


class OrderFields(Struct, frozen=True):
    """The order of an ORDER_TRADE_UPDATE."""

    symbol: str = field(name="s")
    client_id: str = field(name="c")
    side: str = field(name="S")
    execution: str = field(name="x")
    status: str = field(name="X")
    order_id: int = field(name="i")
    at_ms: int = field(name="T")
    position_side: str = field(name="ps", default="BOTH")
    last_quantity: Decimal = field(name="l", default=Decimal(0))
    last_price: Decimal = field(name="L", default=Decimal(0))
    commission: Decimal | None = field(name="n", default=None)
    commission_asset: str | None = field(name="N", default=None)
    trade_id: int = field(name="t", default=0)
    realized: Decimal | None = field(name="rp", default=None)


class OrderTradeUpdate(Struct, frozen=True):
    """`user-data-streams/Event-Order-Update`."""

    order: OrderFields = field(name="o")


class BalanceFields(Struct, frozen=True):
    """A balance of an ACCOUNT_UPDATE; `change` leaves out results and commission."""

    asset: str = field(name="a")
    change: Decimal = field(name="bc", default=Decimal(0))


class PositionFields(Struct, frozen=True):
    """A position of an ACCOUNT_UPDATE."""

    symbol: str = field(name="s")
    amount: Decimal = field(name="pa")
    entry_price: str | None = field(name="ep", default=None)
    position_side: str = field(name="ps", default="BOTH")


class AccountFields(Struct, frozen=True):
    """What changed, and why."""

    reason: str = field(name="m")
    balances: list[BalanceFields] = field(name="B", default_factory=list)
    positions: list[PositionFields] = field(name="P", default_factory=list)
    symbol: str = field(name="S", default="")


class AccountUpdate(Struct, frozen=True):
    """`user-data-streams/Event-Balance-and-Position-Update`."""

    account: AccountFields = field(name="a")
    at_ms: int = field(name="T")
