"""Everything that a trail can be told; the union is the journal's record of inputs.

Times are Unix milliseconds of the exchange's clock, prices and quantities Decimal in quote
and base currency. `step` knows no other source of anything.
"""

from __future__ import annotations

import enum
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from trailstop.domain.policy import Policy
from trailstop.domain.position import Cause, Fees, Position
from trailstop.domain.price import Instrument


class PriceSeen(Struct, frozen=True, tag=True):
    """A price of the source that the working stop watches.

    `kind` is `trade` (jump-filtered) or `mark` / `bar` (never). `fresh` is false for a
    stale price, which raises peaks but never closes. A price of before the last accepted one
    is late and changes nothing.
    """

    price: Decimal
    at_ms: int
    kind: Literal["trade", "mark", "bar"] = "trade"
    fresh: bool = True


class QuoteSeen(Struct, frozen=True, tag=True):
    """Best bid and ask; confirms jumps, and is the price of the bid/ask dialects."""

    bid: Decimal
    ask: Decimal
    at_ms: int


class MarkSeen(Struct, frozen=True, tag=True):
    """The mark price where the trail watches another one; confirms jumps."""

    mark: Decimal
    at_ms: int


class PriceBackfilled(Struct, frozen=True, tag=True):
    """A price of a gap, told afterwards: raises activation, peak and exact stop.

    It never closes, and nothing is sent before a live price has decided.
    """

    price: Decimal
    at_ms: int


class CandleClosed(Struct, frozen=True, tag=True):
    """A closed candle of the trigger price in the ATR's timeframe; `at_ms` is its end."""

    high: Decimal
    low: Decimal
    close: Decimal
    at_ms: int


class TimePassed(Struct, frozen=True, tag=True):
    """It is now this time; sent at `wake_at(trail)` when no price came before."""

    at_ms: int


class StopAcknowledged(Struct, frozen=True, tag=True):
    """The exchange holds our working stop at this price since `at_ms` (its own statement).

    `quantity` counts where it answers none of our requests; else the one asked for does.
    """

    price: Decimal
    quantity: Decimal
    at_ms: int


class Refusal(enum.Enum):
    """Why the exchange definitely did not take a stop."""

    WOULD_TRIGGER = "would_trigger"
    POSITION_GONE = "position_gone"
    TRANSIENT = "transient"
    NOT_SENT = "not_sent"
    """Nothing was refused: it never reached the exchange, a look-up or the journal says."""
    BUDGET = "budget"
    """Not sent: a move that would take the reserve of the exchange's limits waits its turn."""
    FULL = "full"
    """Not sent: even the reserve of the exchange's limits is used up for a moment."""
    LIMIT = "limit"
    BAND = "band"
    """The price lies outside the band that the exchange allows at the moment."""
    OTHER = "other"


class StopRefused(Struct, frozen=True, tag=True):
    """The exchange certainly did not take the working stop that was asked for last.

    `nearest` is the price nearest to it that the exchange takes, where its band is the reason;
    `retry_after_ms` the time until the limits have room for it, where they are.
    """

    reason: Refusal
    text: str
    at_ms: int
    nearest: Decimal | None = None
    retry_after_ms: int | None = None


class StopUnknown(Struct, frozen=True, tag=True):
    """It is not known whether the last stop was taken; a look-up will tell."""

    at_ms: int


class StopTriggered(Struct, frozen=True, tag=True):
    """The exchange reports that a stop of this leg has fired."""

    at_ms: int


class TriggerRejected(Struct, frozen=True, tag=True):
    """A stop of ours fired and the exchange refused its order: the position is still open."""

    text: str
    at_ms: int


class PeakForgotten(Struct, frozen=True, tag=True):
    """It could not be proven that the epoch went on over a gap: the peak starts again."""

    at_ms: int


class ForeignStopSeen(Struct, frozen=True, tag=True):
    """The tightest right-sized stop on the leg that is not ours, or None when it has gone."""

    price: Decimal | None
    at_ms: int


class PositionChanged(Struct, frozen=True, tag=True):
    """Size, average, liquidation price or funding of the same epoch changed."""

    position: Position
    at_ms: int


class FeesKnown(Struct, frozen=True, tag=True):
    """The account's fee rates for this symbol, where they differ from what was assumed."""

    fees: Fees
    at_ms: int


class PolicyChanged(Struct, frozen=True, tag=True):
    """The settings of this trail changed; they count from the next price, and never loosen."""

    policy: Policy
    at_ms: int


class InstrumentChanged(Struct, frozen=True, tag=True):
    """The exchange changed the grid or the limits of the symbol."""

    instrument: Instrument
    at_ms: int


class Paused(Struct, frozen=True, tag=True):
    """A person paused the trail: the live stop rests, prices decide nothing.

    A first stop is still placed, a size still put right, and a position chased that stays
    open beyond its live stop.
    """

    at_ms: int


class Resumed(Struct, frozen=True, tag=True):
    """A person resumed the trail: from the live stop on, with a peak that starts again."""

    at_ms: int


class TightenAsked(Struct, frozen=True, tag=True):
    """A person wants the stop at this price, where it is tighter."""

    price: Decimal
    at_ms: int


class CloseAsked(Struct, frozen=True, tag=True):
    """A person wants the position closed at market."""

    at_ms: int


class MovePermitted(Struct, frozen=True, tag=True):
    """The exchange's limits have room for one move, and it is this trail's turn.

    It lets the exact stop of this moment go, where that is still better, and is spent at once
    whatever comes of it. Only trails with `pacing = budget` wait for it.
    """

    at_ms: int


class PositionClosed(Struct, frozen=True, tag=True):
    """The position is proven flat; the epoch ends with this cause."""

    cause: Cause
    at_ms: int
    exit_price: Decimal | None = None


Event = (
    PriceSeen
    | QuoteSeen
    | MarkSeen
    | PriceBackfilled
    | CandleClosed
    | TimePassed
    | StopAcknowledged
    | StopRefused
    | StopUnknown
    | StopTriggered
    | TriggerRejected
    | PeakForgotten
    | ForeignStopSeen
    | PositionChanged
    | FeesKnown
    | PolicyChanged
    | InstrumentChanged
    | Paused
    | Resumed
    | TightenAsked
    | CloseAsked
    | MovePermitted
    | PositionClosed
)
