"""One pair through its candles, as freqtrade trades it: one position at a time, by limit orders.

In each candle: an order that is too old is withdrawn; a signal places an entry; the entry fills
where its price lies within the candle; an open position is checked for exits, the first of which
places an exit order; that fills like the entry. Signals of a candle act at the open of the next
one, and nothing is entered on the last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from trailstop.domain.position import Fees
from trailstop.domain.price import Side
from trailstop.lab.peers.freqtrade.candle import MS_PER_MINUTE, Candle
from trailstop.lab.peers.freqtrade.held import CAUSES, Held
from trailstop.lab.peers.freqtrade.rates import profit_ratio, roi_exit_rate, stop_rate
from trailstop.lab.peers.freqtrade.settings import Strategy
from trailstop.lab.peers.freqtrade.signals import Signals
from trailstop.lab.terms import ExitCause

Open = Callable[["Dealt", Decimal], Held]
"""Opens the position of an entry that has filled, at this price."""


@dataclass(slots=True)
class Order:
    """A limit order that rests since the open of a candle."""

    price: Decimal
    since_ms: int


@dataclass(slots=True)
class Dealt:
    """One position: wanted, then perhaps held, then perhaps left. Prices in quote currency."""

    side: Side
    wanted: Candle
    tag: str | None
    entry: Order | None
    held: Held | None = None
    exit: Order | None = None
    cause: ExitCause | None = None


@dataclass(frozen=True, slots=True)
class PathPoint:
    """A position's stop after one candle. `trade` counts positions from 1 as they open.

    `moved` tells that the stop is no more the first one, `hit` that the candle reached it, whether
    or not the position was left for that.
    """

    trade: int
    index: int
    stop: Decimal
    moved: bool
    hit: bool


class Pair:
    """One pair; `walk` takes it through its candles and answers with what was held and left."""

    def __init__(self, strategy: Strategy, signals: Signals, fees: Fees, hold: Open) -> None:
        self._strategy = strategy
        self._signals = signals
        self._fees = fees
        self._hold = hold
        self._open: Dealt | None = None
        self._done: list[Dealt] = []
        self.path: list[PathPoint] = []

    def walk(self, candles: list[Candle]) -> list[Dealt]:
        """Deal with all candles; what is held at the end is left at the last one's open."""
        for candle in candles[1:]:
            wanted = self._signals.entry(candle.index - 1)
            last = candle is candles[-1]
            before = self._open
            self._deal(candle, None if last else wanted)
            # A signal for the other side turns a position that was left in this candle.
            turned = before is not None and self._open is None and wanted not in (None, before.side)
            if turned and not last:
                self._deal(candle, wanted)
        if self._open is not None and self._open.held is not None:
            # freqtrade knows the last candle's open alone when it has to end.
            self._open.cause = ExitCause.END_OF_DATA
            self._leave(self._open, self._open.held, candles[-1], candles[-1].open)
        return self._done

    def _deal(self, candle: Candle, wanted: Side | None) -> None:
        if self._open is not None:
            self._withdraw(self._open, candle)
        if self._open is None and wanted is not None:
            self._open = self._enter(candle, wanted)
        dealt = self._open
        if dealt is None:
            return
        if dealt.entry is not None and candle.holds(dealt.entry.price):
            dealt.held = self._hold(dealt, dealt.entry.price)
            dealt.held.open()
            dealt.entry = None
        if dealt.held is not None:
            self._check(dealt, dealt.held, candle)
            if dealt.exit is not None and candle.holds(dealt.exit.price):
                self._leave(dealt, dealt.held, candle, dealt.exit.price)

    def _withdraw(self, dealt: Dealt, candle: Candle) -> None:
        """Take back what did not fill in time, and ask the strategy for another entry price."""
        strategy = self._strategy
        if dealt.exit is not None and _is_old(dealt.exit, candle, strategy.exit_timeout_minutes):
            dealt.exit = None
        if dealt.entry is None:
            return
        if _is_old(dealt.entry, candle, strategy.entry_timeout_minutes):
            self._open = None
        elif strategy.adjusts_entry and strategy.adjust_entry_price != dealt.entry.price:
            if strategy.adjust_entry_price is None:
                self._open = None
            else:
                dealt.entry = Order(strategy.adjust_entry_price, candle.open_ms)

    def _enter(self, candle: Candle, side: Side) -> Dealt:
        price = self._strategy.custom_entry_price or candle.open
        # An order beyond the market would fill at once: it is taken at the candle's edge.
        worst = candle.in_favour(side)
        price = worst if side.better(price, worst) else price
        tag = self._signals.tag(candle.index - 1)
        return Dealt(side, candle, tag, Order(price, candle.open_ms))

    def _check(self, dealt: Dealt, held: Held, candle: Candle) -> None:
        """Place an exit order for the first reason that has a price."""
        for cause, price in self._exits(held, candle):
            dealt.cause = cause
            if dealt.exit is None or dealt.exit.price != price:
                dealt.exit = Order(price, candle.open_ms)
                return

    def _exits(self, held: Held, candle: Candle) -> list[tuple[ExitCause, Decimal]]:
        """All reasons to leave in this candle, in freqtrade's order, with their prices."""
        strategy, side, fees = self._strategy, held.side, self._fees
        leverage = strategy.stops.leverage
        hit = held.follow(candle)
        self._note(held, candle, hit=hit)
        found: list[tuple[ExitCause, Decimal]] = []
        if strategy.use_exit_signal and self._signals.leaves(candle.index - 1, side):
            price = strategy.custom_exit_price or candle.open
            found.append((ExitCause.SIGNAL, side.best(price, candle.against(side))))
        stop = (CAUSES[held.kind], stop_rate(held, candle, strategy.stops)) if hit else None
        if stop is not None and stop[0] is ExitCause.INITIAL_STOP:
            found.append(stop)
        best = profit_ratio(
            side, held.entry_price, candle.in_favour(side), leverage=leverage, fees=fees
        )
        row = strategy.roi_at((candle.open_ms - held.since_ms) // MS_PER_MINUTE)
        if row is not None and best > row[1]:
            rate = roi_exit_rate(held, candle, row, leverage=leverage, fees=fees)
            if rate is not None:
                found.append((ExitCause.TARGET, rate))
        if stop is not None and stop[0] is not ExitCause.INITIAL_STOP:
            found.append(stop)
        return found

    def _note(self, held: Held, candle: Candle, *, hit: bool) -> None:
        assert held.stop is not None, "freqtrade's positions always have a stop"
        moved = CAUSES[held.kind] is not ExitCause.INITIAL_STOP
        number = held.drive.opening.number + 1
        self.path.append(PathPoint(number, candle.index, held.stop, moved, hit))

    def _leave(self, dealt: Dealt, held: Held, candle: Candle, price: Decimal) -> None:
        assert dealt.cause is not None, "an exit has a reason"
        at_open = dealt.cause in (ExitCause.SIGNAL, ExitCause.END_OF_DATA)
        at_ms = candle.open_ms if at_open else candle.extremes_ms
        held.leave(price, at_ms, dealt.cause)
        self._done.append(dealt)
        self._open = None


def _is_old(order: Order, candle: Candle, timeout_minutes: Decimal) -> bool:
    return candle.open_ms - order.since_ms >= timeout_minutes * MS_PER_MINUTE
