"""A tape: the dated prices of one market, read once and in time order."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from msgspec import Struct

from trailstop.paper.model import Market


class Print(Struct, frozen=True):
    """One trade. `path` says that the price came here continuously from the print before."""

    time_us: int
    price: Decimal
    quantity: Decimal
    buyer_maker: bool
    path: bool = False


class Quote(Struct, frozen=True):
    """Best bid and ask as recorded."""

    time_us: int
    bid: Decimal
    bid_quantity: Decimal
    ask: Decimal
    ask_quantity: Decimal


class MarkPrice(Struct, frozen=True):
    """The exchange's own mark price as recorded."""

    time_us: int
    price: Decimal


class FundingRate(Struct, frozen=True):
    """A settlement at `time_us`; a fraction of notional that longs pay to shorts."""

    time_us: int
    rate: Decimal


Point = Print | Quote | MarkPrice | FundingRate


class Tape:
    """The prices of one market.

    `points` is consumed once. `has_book`, `has_mark` and `has_funding` say what the data itself
    brings; what it lacks the world derives from its settings.
    """

    def __init__(
        self,
        market: Market,
        points: Iterator[Point],
        source: str,
        *,
        has_book: bool = False,
        has_mark: bool = False,
        has_funding: bool = False,
    ) -> None:
        self.market = market
        self.points = points
        self.source = source
        self.has_book = has_book
        self.has_mark = has_mark
        self.has_funding = has_funding
        self.refused_rows = 0
        """Rows with a price or quantity of zero or below, dropped so far."""
