"""What happens at fixed times while positions are open: candles close, funding is settled."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from decimal import Decimal

from trailstop.domain.policy import Atr, Policy
from trailstop.engine.events import CandleClosed
from trailstop.engine.trail import NEVER_MS, AtrState
from trailstop.lab.exact.candles import Candles, atr_states, closed_candles
from trailstop.lab.series import Bars, Funding, Trades


@dataclass(frozen=True, slots=True)
class Agenda:
    """Times in rising order, for all positions of a backtest."""

    candle_ms: tuple[int, ...] = ()
    candles: tuple[CandleClosed, ...] = ()
    states: tuple[AtrState, ...] = ()
    settled_ms: tuple[int, ...] = ()
    rates: tuple[Decimal, ...] = ()

    def atr_at(self, at_ms: int) -> AtrState | None:
        """The average true range that the candles closed by then come to."""
        index = bisect_right(self.candle_ms, at_ms)
        return self.states[index - 1] if index else None


class Course:
    """One position's way through the agenda, from just after its entry on."""

    __slots__ = ("_agenda", "_candle", "_settlement", "due_ms")

    def __init__(self, agenda: Agenda, entry_ms: int) -> None:
        self._agenda = agenda
        self._candle = bisect_right(agenda.candle_ms, entry_ms)
        self._settlement = bisect_right(agenda.settled_ms, entry_ms)
        self.due_ms = min(self._candle_ms(), self._settled_ms())
        """When the next of both comes; never is `NEVER_MS`."""

    def take(self) -> CandleClosed | Decimal:
        """The next candle, or the rate of the next settlement where that is not later."""
        taken: CandleClosed | Decimal
        if self._settled_ms() <= self._candle_ms():
            taken = self._agenda.rates[self._settlement]
            self._settlement += 1
        else:
            taken = self._agenda.candles[self._candle]
            self._candle += 1
        self.due_ms = min(self._candle_ms(), self._settled_ms())
        return taken

    def _candle_ms(self) -> int:
        known = self._agenda.candle_ms
        return known[self._candle] if self._candle < len(known) else NEVER_MS

    def _settled_ms(self) -> int:
        known = self._agenda.settled_ms
        return known[self._settlement] if self._settlement < len(known) else NEVER_MS


def make_agenda(policy: Policy, prices: Bars | Trades | None, funding: Funding | None) -> Agenda:
    """Gather what the policy and the costs ask for.

    The ATR's candles come from the same prices, from their very begin on: an entry finds the
    average that all candles before it come to.
    """
    candle_ms: tuple[int, ...] = ()
    events: tuple[CandleClosed, ...] = ()
    states: tuple[AtrState, ...] = ()
    if isinstance(policy.distance, Atr) and prices is not None:
        candles = closed_candles(prices, policy.distance.timeframe_minutes)
        candle_ms = tuple(candles.end_ms.tolist())
        events = _events(candles, prices.unit)
        states = atr_states(candles, policy.distance, prices.unit)
    settled_ms: tuple[int, ...] = ()
    rates: tuple[Decimal, ...] = ()
    if funding is not None:
        settled_ms, rates = tuple(funding.time_ms.tolist()), funding.rates
    return Agenda(candle_ms, events, states, settled_ms, rates)


def _events(candles: Candles, unit: Decimal) -> tuple[CandleClosed, ...]:
    columns = (candles.high, candles.low, candles.close, candles.end_ms)
    return tuple(
        CandleClosed(high * unit, low * unit, close * unit, end_ms)
        for high, low, close, end_ms in zip(*(column.tolist() for column in columns), strict=True)
    )
