"""How this exchange writes numbers, times and words."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

CATEGORY = "linear"
ASSET = "USDT"
US_PER_MS = 1_000
SIDES = {"BUY": "Buy", "SELL": "Sell"}
WORLD_SIDES = {word: side for side, word in SIDES.items()}
TRIGGER_BY = {"last": "LastPrice", "mark": "MarkPrice", "index": "IndexPrice"}
PRICE_TYPES = {word: price for price, word in TRIGGER_BY.items()}
POSITION_INDEX = {"BOTH": 0, "LONG": 1, "SHORT": 2}
POSITION_SIDES = {index: side for side, index in POSITION_INDEX.items()}
RISES = 1
"""Trigger direction: fires when the price rises to the trigger."""
FALLS = 2
MONEY_PLACES = Decimal("1E-8")
PRICE_SCALE = 10_000
"""Prices inside error texts are whole numbers of ten-thousandths (captured: 63302.3 as 633023000)."""


def plain(number: Decimal | None) -> str:
    """A number without exponent; absent is an empty text."""
    return "" if number is None else format(number, "f")


def trimmed(number: Decimal) -> str:
    """A number without exponent and without the zeros that end it."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def money(number: Decimal) -> str:
    """An amount, to eight places, without the zeros that end it."""
    return trimmed(number.quantize(MONEY_PLACES))


def stamp(at_us: int) -> str:
    """Microseconds as this exchange's milliseconds, which are texts."""
    return str(at_us // US_PER_MS)


def scaled(price: Decimal) -> int:
    """A price as error texts show it."""
    return int(price * PRICE_SCALE)


def id_text(number: int) -> str:
    """The id of an order or execution: a UUID, as this exchange's ids are."""
    return str(UUID(int=number))


def sequence(at_us: int) -> int:
    """What orders executions against position rows: it rises with time."""
    return at_us
