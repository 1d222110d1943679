"""Bars of a longer interval out of shorter ones, and shorter ones inside longer ones."""

from __future__ import annotations

import numpy as np

from trailstop.errors import ConfigError, DataError
from trailstop.lab.data.columns import frozen
from trailstop.lab.series import Bars, Int64


def resample(bars: Bars, interval_ms: int) -> Bars:
    """Closed candles of a longer interval, on the grid of Unix time.

    A candle is there if it has a bar. The first is left out where its beginning is not in the
    data, the last where its end is not, so that each is what a live guard would have seen when
    it closed. Raises ConfigError where the bars do not fill the interval evenly.
    """
    if interval_ms == bars.interval_ms:
        return bars
    if interval_ms < bars.interval_ms or interval_ms % bars.interval_ms:
        raise ConfigError(
            f"{bars.symbol}: candles of {interval_ms} ms cannot be made of bars of "
            f"{bars.interval_ms} ms; take a multiple"
        )
    candle = bars.open_ms // interval_ms
    starts = np.flatnonzero(np.diff(candle, prepend=candle[:1] - 1))
    ends = np.append(starts[1:], len(bars))
    open_ms = candle[starts] * interval_ms
    first = int(bars.open_ms[0] != open_ms[0])
    whole = bars.open_ms[-1] + bars.interval_ms >= open_ms[-1] + interval_ms
    last = len(starts) if whole else len(starts) - 1
    if first >= last:
        raise DataError(
            f"{', '.join(bars.source) or bars.symbol}: too short for one candle of "
            f"{interval_ms} ms; give more data or shorter candles"
        )
    kept = slice(first, last)
    volume = bars.volume
    return Bars(
        symbol=bars.symbol,
        unit=bars.unit,
        interval_ms=interval_ms,
        open_ms=frozen(open_ms[kept]),
        open=frozen(bars.open[starts[kept]]),
        high=frozen(np.maximum.reduceat(bars.high, starts)[kept]),
        low=frozen(np.minimum.reduceat(bars.low, starts)[kept]),
        close=frozen(bars.close[ends[kept] - 1]),
        volume=None if volume is None else frozen(np.add.reduceat(volume, starts)[kept]),
        kind=bars.kind,
        source=bars.source,
        refused=bars.refused,
        notes=bars.notes,
    )


def spans_inside(coarse: Bars, fine: Bars) -> tuple[Int64, Int64]:
    """For each coarse bar the fine bars inside it: index of the first, and of the one after.

    Both are equal where a coarse bar has none. Raises ConfigError where the coarse bars are not
    a multiple of the fine ones, or of another symbol.
    """
    if coarse.symbol != fine.symbol or coarse.interval_ms % fine.interval_ms:
        raise ConfigError(
            f"bars of {fine.symbol} of {fine.interval_ms} ms do not fit into those of "
            f"{coarse.symbol} of {coarse.interval_ms} ms"
        )
    first = np.searchsorted(fine.open_ms, coarse.open_ms)
    after = np.searchsorted(fine.open_ms, coarse.open_ms + coarse.interval_ms)
    return first.astype(np.int64), after.astype(np.int64)
