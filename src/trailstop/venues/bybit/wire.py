"""Payloads of Bybit V5 (category linear) exactly as the exchange spells them.

Unknown fields are ignored, so that an addition of the exchange breaks nothing. Numbers come
as strings of which many are empty or "0" where there is none: such a field is text here, and
is read in `translate`. Rows of the private topics `position`, `order` and `execution` are
those of the REST lists. Pages are those of https://bybit-exchange.github.io/docs/v5/ as of
2026-11.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct, field

from trailstop.venues.decoding import Payload

T = TypeVar("T")
Ms = str | int | None
"""A time in Unix milliseconds: text, number, empty or missing."""


# --- general ------------------------------------------------------------------------------
class Envelope(Payload, frozen=True):
    """`guide#common-response-parameters`: every REST answer, also a refusal."""

    ret_code: int
    ret_msg: str = ""
    result: msgspec.Raw = msgspec.Raw(b"null")
    time: Ms = None


class Listed(Payload, Generic[T], frozen=True):
    """A list that comes in pages; an empty or missing cursor ends it."""

    rows: list[T] = field(name="list")
    next_page_cursor: str | None = None


class ServerTime(Payload, frozen=True):
    """`market/time`; the nanoseconds are the finest that it states."""

    time_nano: int


# --- market -------------------------------------------------------------------------------
class PriceFilter(Payload, frozen=True):
    """The price grid of an instrument."""

    tick_size: Decimal


class LotSizeFilter(Payload, frozen=True):
    """The quantity grid of an instrument."""

    qty_step: Decimal
    min_order_qty: str | None = None
    max_mkt_order_qty: str | None = None
    min_notional_value: str | None = None


class InstrumentInfo(Payload, frozen=True):
    """`market/instrument`; without a symbol only those that trade are listed."""

    symbol: str
    status: str
    price_filter: PriceFilter
    lot_size_filter: LotSizeFilter
    settle_coin: str = ""


class Ticker(Payload, frozen=True):
    """`market/tickers`, and the topic `tickers.{symbol}` whose deltas leave fields out."""

    symbol: str
    last_price: str | None = None
    mark_price: str | None = None
    bid1_price: str | None = None
    ask1_price: str | None = None


class RecentTrade(Payload, frozen=True):
    """`market/recent-trade`; ids are text, `seq` counts up over several rows of one sweep."""

    exec_id: str
    price: Decimal
    time: int
    symbol: str = ""
    seq: Ms = None


class Kline(Struct, frozen=True, array_like=True):
    """`market/kline` and `market/mark-kline`: a row, the newest first, the first still open."""

    open_time: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal


# --- account ------------------------------------------------------------------------------
class AccountInfo(Payload, frozen=True):
    """`account/account-info`: whether the key works."""

    unified_margin_status: int = 0


class KeyPermissions(Struct, frozen=True):
    """Rights of a key by product; the exchange spells these names with capitals."""

    contract_trade: list[str] = field(name="ContractTrade", default_factory=list)
    derivatives: list[str] = field(name="Derivatives", default_factory=list)
    wallet: list[str] = field(name="Wallet", default_factory=list)


class KeyInfo(Payload, frozen=True):
    """`user/apikey-info`: what the key may do; `readOnly` 1 takes every write away."""

    read_only: int = 0
    permissions: KeyPermissions | None = None


class FeeRate(Payload, frozen=True):
    """`account/fee-rate`."""

    symbol: str
    taker_fee_rate: Decimal


class PositionRow(Payload, frozen=True):
    """`position` and the private topic of that name.

    REST says `avgPrice`, the topic `entryPrice`. A flat row has size "0" and side "".
    `createdTime` is that of the first position ever, so it is left out; `openTime` is that of
    the present one, 0 where it is not known (2026-04).
    """

    symbol: str
    side: str
    size: str
    position_idx: int = 0
    avg_price: str | None = None
    entry_price: str | None = None
    liq_price: str | None = None
    stop_loss: str | None = None
    mark_price: str | None = None
    position_status: str = ""
    open_time: Ms = None
    updated_time: Ms = None
    seq: int = 0


# --- orders -------------------------------------------------------------------------------
class OrderRow(Payload, frozen=True):
    """`order/open-order`, `order/order-list` and the private topic `order`.

    `stopOrderType` is "" or "UNKNOWN" for plain orders, "Stop" for conditional ones of users,
    and names the part of the position's own stops: StopLoss, TakeProfit, TrailingStop,
    PartialStopLoss, PartialTakeProfit. A triggered order keeps its id.
    """

    order_id: str
    symbol: str
    side: str
    order_status: str
    order_link_id: str | None = None
    position_idx: int = 0
    order_type: str = ""
    stop_order_type: str | None = None
    tpsl_mode: str | None = None
    qty: str | None = None
    price: str | None = None
    trigger_price: str | None = None
    trigger_direction: int | None = None
    trigger_by: str | None = None
    last_price_on_created: str | None = None
    reduce_only: bool = False
    close_on_trigger: bool = False
    leaves_qty: str | None = None
    cum_exec_qty: str | None = None
    avg_price: str | None = None
    reject_reason: str | None = None
    cancel_type: str | None = None
    create_type: str | None = None
    created_time: Ms = None
    updated_time: Ms = None


class ExecutionRow(Payload, frozen=True):
    """`order/execution` and the private topic `execution`; it carries no `positionIdx`."""

    symbol: str
    exec_id: str
    order_id: str
    side: str
    exec_price: str
    exec_qty: str
    exec_time: int
    exec_type: str = "Trade"
    order_link_id: str | None = None
    exec_fee: str | None = None
    fee_currency: str | None = None
    exec_pnl: str | None = None
    closed_size: str | None = None
    stop_order_type: str | None = None
    create_type: str | None = None
    seq: int = 0


class OrderIds(Payload, frozen=True):
    """`order/create-order`: accepted for processing, no more."""

    order_id: str
    order_link_id: str = ""
