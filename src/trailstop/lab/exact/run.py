"""The exact backtest: each entry driven on its own by `step`, one after the other or on demand."""

from __future__ import annotations

import numpy as np

from trailstop.domain.price import Side
from trailstop.errors import ConfigError, DataError
from trailstop.lab.data.resample import spans_inside
from trailstop.lab.entries import NEVER
from trailstop.lab.exact.agenda import Agenda, make_agenda
from trailstop.lab.exact.bars import BarFeed
from trailstop.lab.exact.drive import Drive, Opening
from trailstop.lab.exact.outcome import trade_of
from trailstop.lab.exact.task import Task, quantity_at
from trailstop.lab.exact.ticks import BothFeed, QuoteFeed, TickFeed, TradeFeed
from trailstop.lab.peers.freqtrade.feed import FreqtradeFeed
from trailstop.lab.series import Bars, Quotes, Trades
from trailstop.lab.terms import ExitCause, FillRule
from trailstop.lab.trades import Trade


class Exact:
    """Trades of a task by the number of their entry, each made when it is asked for."""

    def __init__(self, task: Task) -> None:
        self._task = task
        made_of = None if isinstance(task.prices, Quotes) else task.prices
        self._agenda: Agenda = make_agenda(task.policy, made_of, task.funding)
        self._bars: BarFeed | FreqtradeFeed | None = None
        self._ticks: TickFeed | None = None
        self._path: Bars | None = None
        match task.prices:
            case Bars() as bars:
                self._path = _finer(bars, task.finer) if task.rule is FillRule.FINER else bars
                self._bars = _bar_feed(self._path, task)
            case Trades() as trades if task.quotes is not None:
                judged = task.policy.basis == "last_or_bid_ask"
                self._ticks = BothFeed(trades, task.quotes, judged=judged, every=task.every)
            case Trades() as trades:
                self._ticks = TradeFeed(trades, every=task.every)
            case quotes:
                self._ticks = QuoteFeed(quotes, every=task.every)

    def trade(self, number: int) -> Trade:
        """Drive the position of one entry to its end."""
        task = self._task
        drive = Drive(
            self._opening(number),
            task.instrument,
            task.policy,
            task.costs,
            self._agenda,
            at_level=self._bars is not None,
            moves=task.moves,
        )
        last, cause = len(task.prices) - 1, ExitCause.END_OF_DATA
        if task.entries.exit_index is not None:
            limit = int(task.entries.exit_index[number])
            if limit != NEVER:
                last, cause = limit, ExitCause.TIME_LIMIT
        if self._ticks is not None:
            index = int(task.entries.index[number])
            self._ticks.open(drive, index)
            self._ticks.run(drive, index + task.entries.at_close, last, cause)
        else:
            self._through_bars(drive, last, cause)
        return trade_of(drive, task.costs, task.instrument)

    def _through_bars(self, drive: Drive, last: int, cause: ExitCause) -> None:
        coarse, path, feed = self._task.prices, self._path, self._bars
        assert isinstance(coarse, Bars), "ticks have no bars"
        assert path is not None, "bars are driven along themselves or finer ones"
        assert feed is not None, "and so they have a feed"
        start_ms, end_ms = drive.opening.at_ms, int(coarse.open_ms[last]) + coarse.interval_ms
        first = int(np.searchsorted(path.open_ms, start_ms))
        last = int(np.searchsorted(path.open_ms, end_ms)) - 1
        feed.open(drive)
        if drive.ended:
            return
        opened = (
            not self._task.entries.at_close
            and first < len(path)
            and int(path.open_ms[first]) == start_ms
        )
        feed.run(drive, first, last, cause, opened=opened)

    def _opening(self, number: int) -> Opening:
        task, entries = self._task, self._task.entries
        index = int(entries.index[number])
        if isinstance(task.prices, Bars):
            at_ms = int(task.prices.open_ms[index])
            at_ms += task.prices.interval_ms * entries.at_close
        else:
            at_ms = int(task.prices.time_ms[index])
        price = int(entries.price[number]) * task.prices.unit
        return Opening(
            number=number,
            label=entries.labels[number] if entries.labels else "",
            side=Side.LONG if entries.sign[number] > 0 else Side.SHORT,
            price=price,
            quantity=quantity_at(price, entries.quantity_of(number), task.instrument),
            at_ms=at_ms,
        )


def _bar_feed(bars: Bars, task: Task) -> BarFeed | FreqtradeFeed:
    if task.rule is FillRule.FREQTRADE:
        return FreqtradeFeed(bars)
    return BarFeed(bars, task.rule, every=task.every)


def _finer(bars: Bars, finer: Bars | None) -> Bars:
    """The finer bars, if each of the others has some of them."""
    if finer is None:
        raise ConfigError("the fill rule finer needs bars of a finer timeframe: give finer")
    first, after = spans_inside(bars, finer)
    missing = np.flatnonzero(first == after)
    if len(missing):
        raise DataError(
            f"{bars.symbol}: {len(missing)} of {len(bars)} bars have no finer ones, the first "
            f"begins at {int(bars.open_ms[missing[0]])}: give finer bars of the whole span"
        )
    return finer
