"""What the daemon tells about itself: the shapes behind status, events and control.

The daemon fills them, the loopback socket carries them as JSON (prices as strings), and the
terminal view, `status --json` and the demo read them. Times are Unix milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final, Literal, Protocol

from msgspec import Struct

from trailstop.domain.position import Cause, Leg, Phase, StopKind
from trailstop.domain.price import Side
from trailstop.engine.trail import Trail
from trailstop.errors import TrailstopError
from trailstop.feeds.health import FeedHealth
from trailstop.ports import VenueHealth

VERSION: Final = "0.1.0"
"""The version that this source is; a checkout has no package metadata to ask."""

Protection = Literal["none", "placing", "held", "moving", "unknown"]
Action = Literal["pause", "resume", "tighten", "close", "ignore"]


class ControlRefused(TrailstopError):
    """The daemon cannot do what a person asked; the message says why."""


class LegStatus(Struct, frozen=True, kw_only=True):
    """One guarded position. Prices in quote currency, gains in percent of price.

    `exact_stop` is what the rule says, `target_stop` what was commanded last, `live_stop`
    what the exchange has acknowledged. `hold_reason` is the stable name of why the last move
    was held, `hold_text` the same in words.
    """

    leg: Leg
    epoch: int
    side: Side
    phase: Phase
    entry_price: Decimal
    quantity: Decimal
    opened_at_ms: int
    protection: Protection = "none"
    confirmed_ago_ms: int | None = None
    """Age of the exchange's last word on what rests; too old a word makes protection unknown."""
    price: Decimal | None = None
    price_at_ms: int | None = None
    peak: Decimal | None = None
    exact_stop: Decimal | None = None
    target_stop: Decimal | None = None
    live_stop: Decimal | None = None
    live_kind: StopKind | None = None
    backstop: Decimal | None = None
    activation_price: Decimal | None = None
    distance_percent: Decimal | None = None
    gain_percent: Decimal | None = None
    moves: int = 0
    hold_reason: str | None = None
    hold_text: str | None = None
    paused: bool = False


class AccountStatus(Struct, frozen=True, kw_only=True):
    """One account: its streams, what of it is left out on purpose, and how it fares.

    `exchange` tells of its requests, `feed` of its prices.
    """

    name: str
    venue: str
    connected: bool
    streams: dict[str, bool] = {}
    not_guarded: tuple[str, ...] = ()
    exchange: VenueHealth | None = None
    feed: FeedHealth | None = None


class Status(Struct, frozen=True, kw_only=True):
    """The whole daemon at one moment; `recent` holds its last facts, one line each.

    `loop_lag_ms` is the longest that anything waited for its turn within the last minute,
    `store_failure` why nothing can be recorded at the moment.
    """

    version: str
    mode: str
    now_ms: int
    started_at_ms: int
    accounts: tuple[AccountStatus, ...] = ()
    legs: tuple[LegStatus, ...] = ()
    counters: dict[str, int] = {}
    loop_lag_ms: int = 0
    store_failure: str | None = None
    recent: tuple[str, ...] = ()

    @property
    def unprotected(self) -> tuple[LegStatus, ...]:
        """Positions of which it is not known that a stop rests on the exchange."""
        return tuple(leg for leg in self.legs if leg.protection not in ("held", "moving"))


class Fact(Struct, frozen=True, kw_only=True):
    """One journaled fact: `kind` is its stable name, `text` one line for people."""

    sequence: int
    at_ms: int
    kind: str
    text: str
    leg: Leg | None = None
    epoch: int | None = None


class EpochSummary(Struct, frozen=True, kw_only=True):
    """The life of one position, from adoption to its end; `cause` None is still open."""

    leg: Leg
    epoch: int
    side: Side
    entry_price: Decimal
    quantity: Decimal
    opened_at_ms: int
    closed_at_ms: int | None = None
    exit_price: Decimal | None = None
    cause: Cause | None = None
    phases: tuple[Phase, ...] = ()
    moves: int = 0
    holds: dict[str, int] = {}
    peak: Decimal | None = None


class TrailNow(Struct, frozen=True, kw_only=True):
    """One open position's trail, whole, at the exchange's time `now_ms`, so that it can be led on."""

    trail: Trail
    now_ms: int


class ControlRequest(Struct, frozen=True, kw_only=True):
    """What a person asks for one leg; `price` only with `tighten`."""

    action: Action
    leg: Leg
    price: Decimal | None = None


class ControlAnswer(Struct, frozen=True, kw_only=True):
    """One line that says what was done."""

    text: str


class DaemonFacade(Protocol):
    """What the loopback socket needs of the daemon."""

    def status(self) -> Status:
        """The state at this moment; no I/O."""
        ...

    async def events(self, after: int, limit: int) -> Sequence[Fact]:
        """Facts with a sequence above `after`, oldest first, at most `limit`."""
        ...

    async def epochs(self) -> Sequence[EpochSummary]:
        """Every epoch, ended or open, oldest first."""
        ...

    def trails(self) -> Sequence[TrailNow]:
        """The trails of the open positions at this moment; no I/O."""
        ...

    async def control(self, request: ControlRequest) -> ControlAnswer:
        """Put a person's wish into the leg's queue. Raises: ControlRefused."""
        ...
