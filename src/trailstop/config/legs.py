"""How people name legs and symbols in settings and on the command line."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from trailstop.domain.position import Leg
from trailstop.errors import ConfigError

ANY_SIDE: Final = "any"
SIDES: Final = ("both", "long", "short")
MAX_PARTS: Final = 3
FORM: Final = "SYMBOL, ACCOUNT/SYMBOL or ACCOUNT/VENUE/SYMBOL, with :long or :short in hedge mode"


class LegPattern(Struct, frozen=True):
    """A leg, or every leg that its given parts fit; None and `any` fit everything."""

    symbol: str
    account: str | None = None
    venue: str | None = None
    position_side: str = ANY_SIDE

    def fits(self, leg: Leg) -> bool:
        """Whether this names the leg."""
        return (
            self.symbol == leg.symbol
            and self.account in (None, leg.account)
            and self.venue in (None, leg.venue)
            and self.position_side in (ANY_SIDE, leg.position_side)
        )

    def __str__(self) -> str:
        """Spell it the way it is written in settings."""
        parts = [part for part in (self.account, self.venue, self.symbol) if part is not None]
        tail = "" if self.position_side == ANY_SIDE else f":{self.position_side}"
        return "/".join(parts) + tail


def normal_symbol(text: str) -> str:
    """`BTC/USDT:USDT`, `btc-usdt` and `BTCUSDT` are one symbol: the exchange's own id."""
    return text.strip().split(":")[0].replace("/", "").replace("-", "").upper()


def parse_leg(text: str) -> LegPattern:
    """Read a leg as people write it. Raises: ConfigError with the forms that are understood."""
    body, colon, side = text.strip().partition(":")
    parts = body.split("/")
    if not all(parts) or len(parts) > MAX_PARTS or (colon and side.lower() not in SIDES):
        raise ConfigError(f"'{text}' is no leg; write {FORM}")
    symbol = normal_symbol(parts[-1])
    account = parts[0] if len(parts) > 1 else None
    venue = parts[1].lower() if len(parts) == MAX_PARTS else None
    return LegPattern(symbol, account, venue, side.lower() if colon else ANY_SIDE)
