"""Candles of one market, built from what was printed."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

from trailstop.paper.model import ZERO, Kline, Rejection, RejectKind
from trailstop.paper.settings import MINUTE_US
from trailstop.recorded.names import INTERVALS_US

MINUTES_KEPT = 60 * 24 * 45
"""One-minute candles kept for a market, a month and a half; older ones are forgotten."""
WEEK_US = INTERVALS_US["1w"]
WEEK_SHIFT_US = 4 * INTERVALS_US["1d"]
"""Weeks begin on Mondays; the Unix epoch was a Thursday, four days before one."""
MONTH = "1M"
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def candle_bounds(time_us: int, interval: str) -> tuple[int, int]:
    """First and last microsecond of the candle that a time falls into.

    Raises Rejection(BAD_PARAMETER) for an interval that does not exist.
    """
    if interval == MONTH:
        moment = _UNIX_EPOCH + timedelta(microseconds=time_us)
        first = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        following = (first + timedelta(days=31)).replace(day=1)
        unit = timedelta(microseconds=1)
        return (first - _UNIX_EPOCH) // unit, (following - _UNIX_EPOCH) // unit - 1
    width = INTERVALS_US.get(interval)
    if width is None:
        raise Rejection(RejectKind.BAD_PARAMETER, "Invalid interval.")
    shift = WEEK_SHIFT_US if width == WEEK_US else 0
    start = (time_us - shift) // width * width + shift
    return start, start + width - 1


class Candles:
    """One-minute candles; longer ones are put together when somebody asks.

    A minute without a print has no candle.
    """

    def __init__(self) -> None:
        self._minutes: deque[Kline] = deque(maxlen=MINUTES_KEPT)

    @property
    def current(self) -> Kline | None:
        """The newest minute, open or closed."""
        return self._minutes[-1] if self._minutes else None

    def put(
        self,
        time_us: int,
        price: Decimal,
        quantity: Decimal = ZERO,
        *,
        taker_buys: bool = False,
        trade_id: int = 0,
    ) -> Kline:
        """Take one print, or one mark with neither quantity nor id, into its minute."""
        kline = self.current
        if kline is None or time_us > kline.close_us:
            start = time_us - time_us % MINUTE_US
            kline = Kline(
                open_us=start,
                close_us=start + MINUTE_US - 1,
                open=price,
                high=price,
                low=price,
                close=price,
                first_trade_id=trade_id,
            )
            self._minutes.append(kline)
        elif price > kline.high:
            kline.high = price
        elif price < kline.low:
            kline.low = price
        kline.close = price
        kline.trades += 1
        kline.last_trade_id = trade_id
        if quantity:
            notional = price * quantity
            kline.volume += quantity
            kline.quote_volume += notional
            if taker_buys:
                kline.taker_volume += quantity
                kline.taker_quote_volume += notional
        return kline

    def convert(self, factor: Decimal) -> None:
        """One contract has become `factor` contracts: show the past in the new ones."""
        for kline in self._minutes:
            kline.open /= factor
            kline.high /= factor
            kline.low /= factor
            kline.close /= factor
            kline.volume *= factor
            kline.taker_volume *= factor

    def query(
        self, interval: str, start_us: int | None, end_us: int | None, limit: int
    ) -> list[Kline]:
        """Candles that open within [start, end]: the first ones from a start, else the last.

        The last candle may still be open. Raises Rejection for an unknown interval.
        """
        candle_bounds(0, interval)
        minutes: Sequence[Kline] = self._minutes
        low = 0
        if start_us is not None:
            low = bisect_left(minutes, start_us, key=lambda kline: kline.open_us)
        found: list[Kline] = []
        if start_us is None:
            for index in range(len(minutes) - 1, -1, -1):
                minute = minutes[index]
                bounds = candle_bounds(minute.open_us, interval)
                if end_us is not None and bounds[0] > end_us:
                    continue
                if found and found[-1].open_us == bounds[0]:
                    found[-1] = _joined(minute, found[-1], bounds)
                elif len(found) == limit:
                    break
                else:
                    found.append(_widened(minute, bounds))
            return found[::-1]
        for index in range(low, len(minutes)):
            minute = minutes[index]
            bounds = candle_bounds(minute.open_us, interval)
            if bounds[0] < start_us:
                continue
            if end_us is not None and bounds[0] > end_us:
                break
            if found and found[-1].open_us == bounds[0]:
                found[-1] = _joined(found[-1], minute, bounds)
            elif len(found) == limit:
                break
            else:
                found.append(_widened(minute, bounds))
        return found


def _widened(minute: Kline, bounds: tuple[int, int]) -> Kline:
    return msgspec.structs.replace(minute, open_us=bounds[0], close_us=bounds[1])


def _joined(earlier: Kline, later: Kline, bounds: tuple[int, int]) -> Kline:
    return Kline(
        open_us=bounds[0],
        close_us=bounds[1],
        open=earlier.open,
        high=max(earlier.high, later.high),
        low=min(earlier.low, later.low),
        close=later.close,
        volume=earlier.volume + later.volume,
        quote_volume=earlier.quote_volume + later.quote_volume,
        trades=earlier.trades + later.trades,
        taker_volume=earlier.taker_volume + later.taker_volume,
        taker_quote_volume=earlier.taker_quote_volume + later.taker_quote_volume,
        first_trade_id=earlier.first_trade_id,
        last_trade_id=later.last_trade_id,
    )
