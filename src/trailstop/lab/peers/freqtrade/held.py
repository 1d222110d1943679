"""One open position and its stop's way through the candles, by the rule `FREQTRADE`.

Where A (the price of the candle furthest against the position) reaches the stop of the candle
before, the stop stays and is hit. Else the product's own rule is told F (the price furthest in its
favour), and A is held against what it makes of that: a stop that F has raised can be hit in the
same candle.
"""

from __future__ import annotations

from decimal import Decimal

from trailstop.domain.policy import Callback, Steps
from trailstop.domain.position import StopKind
from trailstop.domain.price import Side
from trailstop.engine import rules
from trailstop.engine.events import PriceSeen
from trailstop.lab.exact.drive import Drive, Exit
from trailstop.lab.peers.freqtrade.candle import Candle
from trailstop.lab.terms import ExitCause

CAUSES = {
    StopKind.INITIAL: ExitCause.INITIAL_STOP,
    StopKind.BREAKEVEN: ExitCause.BREAKEVEN,
    StopKind.TRAIL: ExitCause.TRAIL,
}


class Held:
    """One open position that `step` trails; the candle decides what becomes of its stop."""

    def __init__(self, drive: Drive) -> None:
        self.drive = drive

    def open(self) -> None:
        """Tell the rule the price of the entry."""
        opening = self.drive.opening
        self.drive.jump(opening.price, PriceSeen(opening.price, opening.at_ms, kind="bar"))

    @property
    def side(self) -> Side:
        """Side of the position."""
        return self.drive.side

    @property
    def entry_price(self) -> Decimal:
        """Price of the entry, quote currency."""
        return self.drive.opening.price

    @property
    def since_ms(self) -> int:
        """Time from which its age counts."""
        return self.drive.opening.at_ms

    @property
    def crossed(self) -> bool:
        """Whether the rule's stop is tighter than what rests on the exchange."""
        trail, rests = self.drive.trail, self.drive.book.level
        exact = trail.exact_stop
        if exact is None or trail.policy.on_cross != "close":
            return False
        return rests is None or self.side.better(exact, rests)

    @property
    def stop(self) -> Decimal | None:
        """Price at which the position is left."""
        return self.drive.trail.exact_stop if self.crossed else self.drive.book.level

    @property
    def kind(self) -> StopKind:
        """Part of the rule that the stop comes from."""
        return self.drive.trail.exact_kind if self.crossed else self.drive.book.kind

    def follow(self, candle: Candle) -> bool:
        """Take the stop through one candle; true where it is hit, which ends nothing by itself."""
        drive, at_ms = self.drive, candle.extremes_ms
        against, in_favour = candle.against(self.side), candle.in_favour(self.side)
        drive.elapse(at_ms)
        if drive.ended or drive.would_end(against):
            return True
        drive.walk(in_favour, at_ms)
        drive.passed(candle.high, candle.low)
        return drive.would_end(against)

    def distance(self) -> Decimal:
        """Distance in force behind the peak, a fraction of price."""
        trail = self.drive.trail
        policy, peak = trail.policy, trail.peak
        assert peak is not None, "only a trail that has moved its stop is asked"
        match policy.distance:
            case Callback(percent) if not trail.momentum_used:
                return percent * rules.CENT
            case Steps() as steps if not trail.momentum_used:
                return rules.rung(trail, steps, peak) * rules.CENT
        return rules.distance_at(trail, peak) / peak

    def leave(self, price: Decimal, at_ms: int, cause: ExitCause, *, crossed: bool = False) -> None:
        """End the position at this price."""
        self.drive.passed(price, price)
        self.drive.exit = Exit(price, at_ms, cause, crossed=crossed)
