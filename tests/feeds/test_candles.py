"""Candles of any length from those that an exchange lists; live and backtest make the same."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from trailstop.domain.policy import Atr
from trailstop.engine.events import CandleClosed
from trailstop.feeds.candles import closed_candles, listed_minutes, warm_up_ms
from trailstop.lab.exact.candles import closed_candles as candles_of_the_lab
from trailstop.lab.series import Bars
from trailstop.ports import Bar

MINUTE = 60_000
MIDNIGHT = 1_767_225_600_000


def bar(minute, high, low, close, *, closed=True):
    prices = (Decimal(low), Decimal(high), Decimal(low), Decimal(close))
    return Bar(MIDNIGHT + minute * MINUTE, *prices, closed)


def candle(minute, high, low, close):
    return CandleClosed(Decimal(high), Decimal(low), Decimal(close), MIDNIGHT + minute * MINUTE)


@pytest.mark.parametrize(
    ("minutes", "listed"), [(1, 1), (7, 1), (10, 5), (15, 15), (45, 15), (240, 120), (2_880, 1_440)]
)
def test_what_no_exchange_lists_is_put_together_from_the_longest_that_fits(minutes, listed):
    assert listed_minutes(minutes) == listed


def test_an_average_begins_ten_lengths_back_and_a_long_one_with_a_thousand_candles():
    assert warm_up_ms(Atr()) == 140 * 15 * MINUTE
    assert warm_up_ms(Atr(length=300, timeframe_minutes=1)) == 1_000 * MINUTE


def test_parts_are_joined_and_what_has_not_ended_is_no_candle():
    bars = [
        bar(0, 12, 9, 10), bar(1, 15, 10, 14), bar(2, 16, 8, 9),
        bar(4, 11, 7, 8), bar(6, 20, 19, 19), bar(7, 21, 20, 20, closed=False),
    ]  # fmt: skip
    known = closed_candles(bars, 3, MIDNIGHT + 6 * MINUTE)
    # The parts in which nothing was traded are missing, and change nothing.
    assert known == [candle(3, 16, 8, 9), candle(6, 11, 7, 8)]
    assert closed_candles(bars[-1:], 1, MIDNIGHT + 9 * MINUTE) == []


@pytest.mark.parametrize("minutes", [1, 3, 15])
def test_live_and_backtest_make_the_same_candles_of_the_same_minutes(minutes):
    chance = np.random.default_rng(7)
    count = 240
    close = 60_000 + np.cumsum(chance.integers(-40, 41, count))
    high, low = close + chance.integers(0, 30, count), close - chance.integers(0, 30, count)
    # Some minutes without a trade.
    there = np.flatnonzero(chance.random(count) > 0.1)
    there = there[there >= minutes]
    series = Bars(
        symbol="BTCUSDT", unit=Decimal("0.1"), interval_ms=MINUTE,
        open_ms=MIDNIGHT + there.astype(np.int64) * MINUTE,
        open=low[there], high=high[there], low=low[there], close=close[there],
    )  # fmt: skip
    unit, end = series.unit, MIDNIGHT + count * MINUTE
    bars = [
        Bar(int(at), *(int(price) * unit for price in prices), closed=True)
        for at, *prices in zip(
            series.open_ms, series.open, series.high, series.low, series.close, strict=True
        )
    ]
    live = closed_candles(bars, minutes, end)
    lab = candles_of_the_lab(series, minutes)
    tested = [
        CandleClosed(int(top) * unit, int(bottom) * unit, int(last) * unit, int(at))
        for at, top, bottom, last in zip(lab.end_ms, lab.high, lab.low, lab.close, strict=True)
    ]
    first, last = tested[0].at_ms, tested[-1].at_ms
    assert [one for one in live if first <= one.at_ms <= last] == tested
    assert len(tested) > 10
