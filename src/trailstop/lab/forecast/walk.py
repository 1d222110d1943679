"""A trail led along prices by `step` itself, in a book that takes every stop at once.

Between two points the price goes in a straight line, so that whatever stop lies between them is
reached at its own price.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TypeGuard

from msgspec import Struct

from trailstop.domain.position import Phase, Role, StopKind
from trailstop.engine.commands import Alarm, ClosePosition, Command, MoveStop, PlaceStop
from trailstop.engine.events import (
    CandleClosed,
    Event,
    MovePermitted,
    PriceSeen,
    QuoteSeen,
    StopAcknowledged,
    StopTriggered,
    TimePassed,
)
from trailstop.engine.explain import move_text, price_text
from trailstop.engine.step import step, wake_at
from trailstop.engine.trail import HoldReason, Trail

WAKE_LIMIT = 100
"""More timers than one trail can have due between two points."""


class Hit(Struct, frozen=True):
    """The position leaves: when (Unix ms), at what price, and by which stop.

    `crossed` says that the stop of the rule had not reached the exchange yet (pacing), so that
    the position left at market. `backstop` says that the stop behind the working one fired.
    """

    at_ms: int
    price: Decimal
    kind: StopKind
    crossed: bool = False
    backstop: bool = False


class Walk:
    """One trail on its way; `trail` is its state after the last point, `hit` how it ended.

    `told` gathers what the rule did since it was last taken, a line each, `alarms` what a person
    should read.
    """

    def __init__(self, trail: Trail) -> None:
        self.trail = trail
        self.hit: Hit | None = None
        self.told: list[str] = []
        self.alarms: list[str] = []

    def begin(self, price: Decimal, at_ms: int) -> None:
        """Start at this price; what is on its way to the exchange is taken at this moment."""
        sent = self.trail.sent
        if sent is not None:
            self._tell(StopAcknowledged(sent.price, sent.quantity, at_ms))
        resting = self._resting()
        if resting is not None and self.trail.position.side.touches(price, resting[0]):
            self._fire(price, at_ms, backstop=resting[1])
            return
        self._price(price, at_ms)

    def go(self, price: Decimal, at_ms: int) -> None:
        """Move in a straight line to this price; nothing happens any more after a hit."""
        start, start_ms = self.trail.price, self.trail.price_at_ms
        assert start is not None, "a walk begins with a price"
        for _ in range(WAKE_LIMIT):
            if self.hit is not None:
                return
            level = self._level()
            reach_ms = None if level is None else _when(start, start_ms, price, at_ms, level)
            due_ms = wake_at(self.trail)
            # What the exchange does at a moment comes before what a timer asks for at it.
            last_ms = at_ms if reach_ms is None else reach_ms - 1
            if due_ms is not None and due_ms <= last_ms:
                self._tell(TimePassed(due_ms))
                continue
            if level is not None and reach_ms is not None and self._is_reached(price, level):
                self._reach(level, reach_ms)
                return
            self._price(price, at_ms)
            return
        raise AssertionError(f"{self.trail.leg}: a timer of the trail stays due")

    def candle(self, high: Decimal, low: Decimal, close: Decimal, at_ms: int) -> None:
        """Tell a closed candle of the ATR's timeframe."""
        if self.hit is None:
            self._tell(CandleClosed(high, low, close, at_ms))

    def take_told(self) -> tuple[str, ...]:
        """What the rule did since the last call, a line each."""
        told, self.told = tuple(self.told), []
        return told

    def _price(self, price: Decimal, at_ms: int) -> None:
        basis = self.trail.policy.basis
        if basis in ("bid_ask", "last_or_bid_ask"):
            self._tell(QuoteSeen(price, price, at_ms))
        if basis != "bid_ask" and self.hit is None:
            self._tell(PriceSeen(price, at_ms, kind="bar"))

    def _tell(self, event: Event) -> None:
        """Advance by one event; the book takes every stop and every close at its time."""
        self.trail, commands = step(self.trail, event)
        asked = [*commands, *self._permitted(event.at_ms)]
        # The list grows while it is read: an acknowledgement may lead to the next command.
        for command in asked:
            if isinstance(command, Alarm):
                self.alarms.append(command.text)
            elif isinstance(command, ClosePosition):
                self.told.append(move_text(self.trail, command))
                price = self.trail.price
                assert price is not None, "a price led to the close"
                self.hit = Hit(event.at_ms, price, self.trail.exact_kind, crossed=True)
            elif isinstance(command, MoveStop) or _is_working(command):
                self.told.append(move_text(self.trail, command))
                held = StopAcknowledged(command.price, command.quantity, event.at_ms)
                self.trail, more = step(self.trail, held)
                asked.extend((*more, *self._permitted(event.at_ms)))

    def _permitted(self, at_ms: int) -> tuple[Command, ...]:
        """Let a move go that waits for its exchange's limits: this book has none."""
        if self.trail.hold is not HoldReason.BUDGET:
            return ()
        self.trail, moved = step(self.trail, MovePermitted(at_ms))
        return moved

    def _resting(self) -> tuple[Decimal, bool] | None:
        """The stop that the exchange would fire first, and whether it is the backstop."""
        if self.trail.live_stop is not None:
            return self.trail.live_stop, False
        return None if self.trail.backstop is None else (self.trail.backstop, True)

    def _level(self) -> Decimal | None:
        """The nearest price at which the position leaves, by the exchange or by the rule."""
        trail, resting = self.trail, self._resting()
        closes = trail.policy.on_cross == "close" and not trail.paused
        if closes and trail.exact_stop is not None and trail.phase is not Phase.INACTIVE:
            return trail.exact_stop
        return None if resting is None else resting[0]

    def _is_reached(self, price: Decimal, level: Decimal) -> bool:
        side = self.trail.position.side
        return (side.beyond if self.trail.policy.strict else side.touches)(price, level)

    def _reach(self, level: Decimal, at_ms: int) -> None:
        """The price comes to the level: the resting stop fires, or the rule closes."""
        resting = self._resting()
        if resting is not None and resting[0] == level:
            self._fire(level, at_ms, backstop=resting[1])
            return
        kind = self.trail.exact_kind
        self._price(level, at_ms)
        # A strict policy waits for a price beyond its stop, which is the next one of this path.
        self.hit = self.hit or Hit(at_ms, level, kind, crossed=True)

    def _fire(self, price: Decimal, at_ms: int, *, backstop: bool) -> None:
        self.hit = Hit(at_ms, price, self.trail.live_kind, backstop=backstop)
        name = "backstop" if backstop else "stop"
        self.told.append(f"the {name} at {price_text(price)} fires")
        self.trail, _ = step(self.trail, StopTriggered(at_ms))


def _is_working(command: Command) -> TypeGuard[PlaceStop]:
    return isinstance(command, PlaceStop) and command.role is Role.WORKING


def _when(start: Decimal, start_ms: int, end: Decimal, end_ms: int, level: Decimal) -> int | None:
    """When a straight line from start to end meets the level; None where it does not."""
    if not min(start, end) <= level <= max(start, end):
        return None
    if start == end:
        return start_ms
    return start_ms + int((end_ms - start_ms) * (level - start) / (end - start))
