"""What the world tells its server, in the order in which it happens."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from trailstop.paper.model import Conditional, Fill, Kline, Order, Position


class TradePrinted(Struct, frozen=True):
    """One print of the tape. The accounts' own fills are not printed and move no price."""

    symbol: str
    price: Decimal
    quantity: Decimal
    buyer_maker: bool
    trade_id: int
    time_us: int


class BookMoved(Struct, frozen=True):
    """The best bid or ask changed; told before the trade that follows it."""

    symbol: str
    bid: Decimal
    bid_quantity: Decimal
    ask: Decimal
    ask_quantity: Decimal
    time_us: int


class MarkMoved(Struct, frozen=True):
    """The mark price at a price point, or at a whole second in which a mark trigger could fire."""

    symbol: str
    mark: Decimal
    index: Decimal
    funding_rate: Decimal
    next_funding_us: int
    time_us: int


class KlineMoved(Struct, frozen=True):
    """The one-minute candle of prints changed, or was closed at the end of its minute."""

    symbol: str
    kline: Kline
    closed: bool
    time_us: int


class ConditionalChanged(Struct, frozen=True):
    """A conditional order reached a status or was changed in place; the order is a copy.

    A full position stop is told of again when the size that it covers changes.
    """

    account: str
    conditional: Conditional
    time_us: int


class OrderChanged(Struct, frozen=True):
    """A plain order changed.

    `execution` is NEW, TRADE, AMENDMENT, CANCELED, EXPIRED or CALCULATED (a liquidation's trade).
    """

    account: str
    order: Order
    execution: str
    fill: Fill | None
    time_us: int


class AccountChanged(Struct, frozen=True):
    """Wallet or positions changed; positions are copies.

    `reason` is ORDER, FUNDING_FEE, WITHDRAW or ADJUSTMENT (a contract was converted).
    """

    account: str
    reason: str
    positions: tuple[Position, ...]
    wallet: Decimal
    time_us: int


class MarketChanged(Struct, frozen=True):
    """A market's status, filters or contract changed; ask the world for the new ones."""

    symbol: str
    time_us: int


Fact = (
    TradePrinted
    | BookMoved
    | MarkMoved
    | KlineMoved
    | ConditionalChanged
    | OrderChanged
    | AccountChanged
    | MarketChanged
)
