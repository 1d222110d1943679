"""Profit as freqtrade counts it, and the rates at which it says that a position was left."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

from trailstop.dialects.freqtrade import PROFIT_STEP, Stops
from trailstop.domain.position import Fees, StopKind
from trailstop.domain.price import Side
from trailstop.engine.rules import CENT
from trailstop.lab.peers.freqtrade.candle import MS_PER_MINUTE, Candle
from trailstop.lab.peers.freqtrade.held import Held

WHOLE = Decimal(1)
ZERO = Decimal(0)


def profit_ratio(
    side: Side, entry: Decimal, price: Decimal, *, leverage: Decimal, fees: Fees
) -> Decimal:
    """Profit at a price as a fraction of the margin, after fees, to eight decimals."""
    s = side.sign
    paid = entry * (1 + s * fees.entry)
    received = price * (1 - s * fees.exit)
    return ((received - paid) * s * leverage / paid).quantize(PROFIT_STEP, ROUND_HALF_EVEN)


def roi_rate(
    side: Side, entry: Decimal, ratio: Decimal, *, leverage: Decimal, fees: Fees
) -> Decimal:
    """Price at which a position has this profit (fraction of the margin), after fees."""
    s = side.sign
    return entry * (1 + s * fees.entry) * (1 + s * ratio / leverage) / (1 - s * fees.exit)


def stop_rate(held: Held, candle: Candle, stops: Stops | None = None) -> Decimal:
    """Price at which the stop that this candle hits is filled.

    The open where the whole candle is beyond the stop. A stop that trailed in the candle of the
    entry is taken at its worst: the price moved just far enough to arm it and fell back.
    `stops` are freqtrade's settings, where the policy was made of some.
    """
    side, stop = held.side, held.stop
    assert stop is not None, "only a stop that is hit is filled"
    if side.better(stop, candle.in_favour(side)):
        return candle.open
    if held.kind is not StopKind.TRAIL or candle.open_ms != held.since_ms:
        return stop
    armed = candle.open * (WHOLE + _armed_gain(held, stops) * side.sign)
    return side.best(candle.against(side), armed)


def _armed_gain(held: Held, stops: Stops | None) -> Decimal:
    """Where the stop stands as soon as it is armed: gain on the open, a fraction of price.

    A stop that waits for a gain stands its distance below that gain, all others below the open.
    freqtrade divides the distance by the leverage and the offset not.
    """
    if stops is None:
        waits_for = held.drive.trail.policy.activation_percent
        return (waits_for or ZERO) * CENT - held.distance()
    if stops.use_custom_stoploss or not stops.waits or stops.positive is None:
        return -held.distance()
    return stops.trailing_stop_positive_offset - stops.positive


def roi_exit_rate(
    held: Held,
    candle: Candle,
    row: tuple[int, Decimal],
    *,
    leverage: Decimal,
    fees: Fees,
) -> Decimal | None:
    """Price at which `minimal_roi` is taken in this candle; None where it cannot be known.

    `row` is the row in force. It is taken at the open where it begins with this very candle and
    the open is better. In the candle of an entry below its open (for a long), which then closed
    lower, nobody can tell whether a price above the close came before or after the entry.
    """
    side, (minutes, ratio) = held.side, row
    on_open = minutes * MS_PER_MINUTE % candle.interval_ms == 0
    if ratio == -WHOLE and on_open:
        return candle.open
    rate = roi_rate(side, held.entry_price, ratio, leverage=leverage, fees=fees)
    age_ms = candle.open_ms - held.since_ms
    if age_ms and age_ms == minutes * MS_PER_MINUTE and on_open and side.better(candle.open, rate):
        return candle.open
    if (
        not age_ms
        and side.better(candle.open, candle.close)
        and side.better(candle.open, held.entry_price)
        and side.better(rate, candle.close)
    ):
        return None
    return min(max(rate, candle.low), candle.high)
