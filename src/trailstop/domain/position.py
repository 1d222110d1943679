"""What is guarded: a leg, and the position that lives on it."""

from __future__ import annotations

import enum
from decimal import Decimal

from msgspec import Struct

from trailstop.domain.price import Side
from trailstop.errors import ConfigError


class Leg(Struct, frozen=True, order=True):
    """Where one position lives: (account, venue, symbol, position side).

    `symbol` is the exchange's own id (BTCUSDT). `position_side` is `both` in one-way
    mode, else `long` or `short`.
    """

    account: str
    venue: str
    symbol: str
    position_side: str = "both"

    def __str__(self) -> str:
        """Spell the leg the way log lines and errors name it."""
        tail = "" if self.position_side == "both" else f":{self.position_side}"
        return f"{self.account}/{self.venue}/{self.symbol}{tail}"


class Fees(Struct, frozen=True):
    """Fee rates as fractions of notional (0.0005 = 0.05 %), in and out of the position.

    `entry` is the rate of the fees booked at entry, else the taker rate; `exit` is the
    taker rate, since a stop leaves at market.
    """

    entry: Decimal = Decimal(0)
    exit: Decimal = Decimal(0)


class Position(Struct, frozen=True):
    """One open position; `entry_price` is the average, `quantity` is above zero.

    `opened_at_ms` is the time of the epoch's opening fill where it is known.
    `liquidation_price` is None where the exchange states none. `funding_paid` is the net
    funding paid on the remaining quantity, quote currency; negative when received.
    Where the exchange states no entry price (0, or none, as just after a fill) `entry_known` is
    false and `entry_price` is the mark of that moment: a stop can be measured from it, a gain
    cannot.
    """

    side: Side
    entry_price: Decimal
    quantity: Decimal
    opened_at_ms: int | None = None
    liquidation_price: Decimal | None = None
    funding_paid: Decimal = Decimal(0)
    entry_known: bool = True

    def __post_init__(self) -> None:
        """Refuse what is no open position."""
        if not (self.entry_price.is_finite() and self.entry_price > 0):
            raise ConfigError(f"entry price must be above 0, not {self.entry_price}")
        if not (self.quantity.is_finite() and self.quantity > 0):
            raise ConfigError(f"quantity must be above 0, not {self.quantity}")


class Phase(enum.Enum):
    """Where a trail stands; see design: INACTIVE → WAITING → ACTIVE → TRIGGERED → CLOSED."""

    INACTIVE = "inactive"
    WAITING = "waiting"
    ACTIVE = "active"
    TRIGGERED = "triggered"
    CLOSED = "closed"


class Role(enum.Enum):
    """What a resting stop is for."""

    WORKING = "working"
    BACKSTOP = "backstop"
    FOREIGN = "foreign"


class StopKind(enum.Enum):
    """Which part of the rule a working stop's price comes from."""

    INITIAL = "initial_stop"
    BREAKEVEN = "breakeven"
    TRAIL = "trail"
    FOREIGN = "foreign_stop"
    USER = "user_stop"


class Cause(enum.Enum):
    """Why an epoch ended, taken from the exchange's executions; unread is unknown."""

    INITIAL_STOP = "initial_stop"
    BREAKEVEN = "breakeven"
    TRAIL = "trail"
    CROSSED = "crossed"
    BACKSTOP = "backstop"
    FOREIGN_STOP = "foreign_stop"
    USER_STOP = "user_stop"
    USER_CLOSE = "user_close"
    CLOSED_ELSEWHERE = "closed_elsewhere"
    LIQUIDATED = "liquidated"
    ADL = "adl"
    SETTLED = "settled"
    FLIPPED = "flipped"
    RELEASED = "released"
    UNKNOWN = "unknown"
