"""The state of one epoch: all that `step` remembers between two events."""

from __future__ import annotations

import enum
from decimal import Decimal

from msgspec import Struct

from trailstop.domain.policy import Policy
from trailstop.domain.position import Fees, Leg, Phase, Position, StopKind
from trailstop.domain.price import Instrument

NEVER_MS = 1 << 62
"""Later than any event: nothing is due."""


class HoldReason(enum.Enum):
    """Why no move goes out at this moment; `explain.hold_text` says it in a line."""

    NOT_BETTER = "not_better"
    INTERVAL = "interval"
    MIN_IMPROVEMENT = "min_improvement"
    BUDGET = "budget"
    IN_FLIGHT = "in_flight"
    UNKNOWN_OUTCOME = "unknown_outcome"
    REFUSED = "refused"
    CROSSED = "crossed"
    UNCONFIRMED_JUMP = "unconfirmed_jump"
    NOT_ACTIVATED = "not_activated"
    DISTANCE_REFUSED = "distance_refused"
    PAUSED = "paused"
    NO_PRICE = "no_price"


class Jump(Struct, frozen=True):
    """A trade print far from the last accepted price that waits to be confirmed."""

    price: Decimal
    at_ms: int
    deadline_ms: int
    fresh: bool


class Sample(Struct, frozen=True, array_like=True):
    """One accepted price a second, for the momentum's speed."""

    at_ms: int
    price: Decimal


class AtrState(Struct, frozen=True):
    """Wilder's average so far: `value` is the sum of the first `length` ranges, then the average.

    `at_ms` is the time of the last candle, so that whoever tells them knows which one is next.
    """

    candles: int
    value: Decimal
    last_close: Decimal
    at_ms: int = 0


class Sent(Struct, frozen=True):
    """The stop that was asked for and is not answered yet.

    `free_token` tells which unpaced occasion this request spends, once acknowledged.
    """

    price: Decimal
    kind: StopKind
    free_token: int
    at_ms: int
    quantity: Decimal


class Trail(Struct, frozen=True, gc=False):
    """One epoch of one leg. Prices in quote currency, times in Unix ms of the exchange.

    `exact_stop` is the rule's stop on the tick grid, `target_stop` the last one that was
    commanded, `live_stop` the tightest one that the exchange has acknowledged and that
    still counts (`own_stop` says whether one of ours rests, `own_quantity` for how much).
    `moved_at_ms` is the acknowledgement of the last move, None while only the first placement
    was made. A trail holds no cycles, so the garbage collector need not look at it.
    """

    leg: Leg
    epoch: int
    position: Position
    instrument: Instrument
    policy: Policy
    fees: Fees
    adopted_at_ms: int

    phase: Phase = Phase.INACTIVE
    activated: bool = False
    paused: bool = False
    distance_ok: bool | None = None

    # What was seen of the market.
    price: Decimal | None = None
    price_at_ms: int = 0
    bid: Decimal | None = None
    ask: Decimal | None = None
    mark: Decimal | None = None
    jump: Jump | None = None
    samples: tuple[Sample, ...] = ()
    atr: AtrState | None = None

    # What follows from entry, base, fees and settings; `derive` keeps it.
    activation_at: Decimal = Decimal(0)
    breakeven_at: Decimal | None = None
    initial_at: Decimal | None = None

    # What the rule made of it.
    base_price: Decimal | None = None
    peak: Decimal | None = None
    momentum_used: bool = False
    breakeven_moved: bool = False
    backstop: Decimal | None = None
    exact_stop: Decimal | None = None
    exact_kind: StopKind = StopKind.INITIAL
    hold: HoldReason | None = HoldReason.NO_PRICE
    foreign_initial: bool = False
    """The stop of somebody else that was found at adoption serves as the initial stop."""
    after_gap: bool = False
    """Back-filled prices were the last: nothing goes out before a live price has decided."""
    gap_crossed: bool = False

    # What was asked of the exchange and what it holds.
    target_stop: Decimal | None = None
    sent: Sent | None = None
    unknown: bool = False
    refusals: int = 0
    retry_at_ms: int = NEVER_MS
    live_stop: Decimal | None = None
    live_kind: StopKind = StopKind.INITIAL
    own_stop: Decimal | None = None
    own_kind: StopKind = StopKind.INITIAL
    own_quantity: Decimal | None = None
    foreign_stop: Decimal | None = None
    moves: int = 0
    moved_at_ms: int | None = None
    free_token: int = 0
    spent_token: int = 0

    # What is due: timers of the exchange's clock.
    release_at_ms: int = NEVER_MS
    weighed_at_ms: int = 0
    """Last time at which the age of the epoch was weighed without a price."""
    beyond_since_ms: int | None = None
    triggered_at_ms: int | None = None
    closing: bool = False
    chases: int = 0

    # The short path of `quiet.py`, which explains them.
    quiet: bool = False
    quiet_low: Decimal = Decimal(0)
    quiet_high: Decimal = Decimal(0)
    quiet_factor: Decimal | None = None
    quiet_limit: Decimal | None = None

    @property
    def age_from_ms(self) -> int:
        """Begin of the epoch for activation by time: the opening fill, else the adoption."""
        opened = self.position.opened_at_ms
        return self.adopted_at_ms if opened is None else opened
