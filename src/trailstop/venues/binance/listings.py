"""What the exchange lists: grids, limits, price bands and status of every symbol. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from trailstop.domain.price import Instrument
from trailstop.ports import InstrumentChanged
from trailstop.venues.binance import wire
from trailstop.venues.decoding import ZERO, shortest

Status = Literal["trading", "halted", "settling", "closed"]

STATUSES: dict[str, Status] = {
    "TRADING": "trading",
    "PENDING_TRADING": "halted",
    "BREAK": "halted",
    "HALT": "halted",
    "PRE_SETTLE": "settling",
    "SETTLING": "settling",
    "PRE_DELIVERING": "settling",
    "DELIVERING": "settling",
    "CLOSE": "closed",
    "DELIVERED": "closed",
}
"""`contractStatus`, page `common-definition` (2026-11). A word not listed counts as halted."""
GONE = "not listed any more"
"""Our word for a symbol that has left `exchangeInfo`."""
ONE = Decimal(1)


class Listing(Struct, frozen=True):
    """One symbol. The multipliers bound prices by the mark; None where none are stated."""

    instrument: Instrument
    status: str
    multiplier_down: Decimal | None = None
    multiplier_up: Decimal | None = None


def listings(info: wire.ExchangeInfo) -> dict[str, Listing]:
    """Listings by the filters; a symbol without them cannot be traded and is left out."""
    found = {}
    for symbol in info.symbols:
        filters = {entry.filter_type: entry for entry in symbol.filters}
        price, lot = filters.get("PRICE_FILTER"), filters.get("LOT_SIZE")
        market = filters.get("MARKET_LOT_SIZE")
        notional = filters.get("MIN_NOTIONAL")
        band = filters.get("PERCENT_PRICE")
        if price is None or lot is None or not price.tick_size or not lot.step_size:
            continue
        instrument = Instrument(
            symbol=symbol.symbol,
            tick_size=shortest(price.tick_size),
            quantity_step=shortest(lot.step_size),
            min_quantity=lot.min_qty or ZERO,
            max_market_quantity=market.max_qty if market else None,
            min_notional=notional.notional if notional else None,
        )
        found[symbol.symbol] = Listing(
            instrument,
            symbol.status,
            band.multiplier_down if band else None,
            band.multiplier_up if band else None,
        )
    return found


def renewed(
    before: Mapping[str, Listing], now: Mapping[str, Listing]
) -> tuple[dict[str, Listing], list[InstrumentChanged]]:
    """The listings to go by now, and what has changed of those known before.

    A symbol that has left the exchange keeps its grid: what rests on it must still be read.
    """
    gone = {symbol: replace(before[symbol], status=GONE) for symbol in before.keys() - now.keys()}
    listed = {**now, **gone}
    changed = [
        InstrumentChanged(symbol, listed[symbol].instrument, _status(listed[symbol]), text)
        for symbol, old in sorted(before.items())
        if (text := _difference(old, listed[symbol]))
    ]
    return listed, changed


def nearest_in_band(
    listing: Listing, price: Decimal, mark: Decimal, *, above: bool
) -> Decimal | None:
    """The tick inside the band that is nearest to a price which lies above (or below) it.

    None where the exchange states no band, or where by this mark the price lies inside.
    """
    multiplier = listing.multiplier_up if above else listing.multiplier_down
    if multiplier is None or not (mark.is_finite() and mark > 0):
        return None
    tick = listing.instrument.tick_size
    rounding = ROUND_FLOOR if above else ROUND_CEILING
    bound = (mark * multiplier / tick).quantize(ONE, rounding) * tick
    inside = price <= bound if above else price >= bound
    return None if inside or bound <= 0 else bound


def _status(listing: Listing) -> Status:
    return "closed" if listing.status == GONE else STATUSES.get(listing.status, "halted")


def _difference(old: Listing, new: Listing) -> str:
    """The exchange's word for a new status, else what else is new; empty where nothing is."""
    if new.status != old.status:
        return new.status
    was, now = old.instrument, new.instrument
    parts = (
        ("tick size", was.tick_size, now.tick_size),
        ("quantity step", was.quantity_step, now.quantity_step),
        ("least quantity", was.min_quantity, now.min_quantity),
        ("largest market order", was.max_market_quantity, now.max_market_quantity),
        ("least notional", was.min_notional, now.min_notional),
    )
    return ", ".join(f"{name} {then} to {value}" for name, then, value in parts if then != value)
