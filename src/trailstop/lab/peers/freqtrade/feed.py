"""Bars for the exact backtest by the rule `FREQTRADE`, for any policy and any entries."""

from __future__ import annotations

from trailstop.lab.exact.bars import BarFeed
from trailstop.lab.exact.drive import Drive
from trailstop.lab.peers.freqtrade.candle import candle_at
from trailstop.lab.peers.freqtrade.held import CAUSES, Held
from trailstop.lab.peers.freqtrade.rates import stop_rate
from trailstop.lab.series import Bars
from trailstop.lab.terms import FillRule


class FreqtradeFeed(BarFeed):
    """Tells a drive F of each bar and holds A against the stop, as freqtrade does.

    A gap fills at the open only where the whole bar lies beyond the stop. What a policy has beside
    freqtrade's settings (breakeven, pacing, latency) counts as everywhere.
    """

    def __init__(self, bars: Bars, *, every: bool = False) -> None:
        # Which bars change nothing is the same as where F alone is told, half-way through a bar.
        super().__init__(bars, FillRule.STOP_THEN_PEAK, every=every)

    def _bar(self, drive: Drive, index: int, *, opened: bool) -> None:
        del opened
        held, candle = Held(drive), candle_at(self._bars, index)
        hit = held.follow(candle)
        if drive.ended:
            return
        if hit:
            rate = min(max(stop_rate(held, candle), candle.low), candle.high)
            held.leave(rate, candle.extremes_ms, CAUSES[held.kind], crossed=held.crossed)
        else:
            drive.walk(candle.close, candle.close_ms, told=False)
