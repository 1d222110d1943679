"""What a backtest assumes beyond the rule: order of prices in a bar, costs, delays."""

from __future__ import annotations

import enum
from decimal import Decimal

from msgspec import Struct


class FillRule(enum.Enum):
    """In which order the prices inside a bar come, which the bar itself does not tell.

    A = the extreme against the position (a long's low), F = the one in its favour, O and C open
    and close. From the close before to O the price jumps: what lies between fills at O. Between
    the points of a bar it passes every level: what lies between fills at its own price.

    - `WORST_CASE`: O A F A C. The adverse extreme is met before and after the favourable one.
    - `BEST_CASE`: O A F C where A leaves the stop of that moment alone, else O F A C.
    - `HIGH_FIRST`: O H L C. `LOW_FIRST`: O L H C.
    - `PAPER`: the paper exchange's own path: O L H C in a bar that closes at or above its open,
      else O H L C.
    - `STOP_THEN_PEAK`: A against the stop of the bars before, then F as the new peak; nothing
      else. O only says where a gap fills. So do vectorbt and LEAN.
    - `FREQTRADE`: F raises the stop, unless A reaches the stop of before; then A is held against
      the raised one. See `lab/peers/freqtrade/`.
    - `FINER`: bars of a finer timeframe inside each bar, in the order of `WORST_CASE`.
    """

    WORST_CASE = "worst_case"
    BEST_CASE = "best_case"
    HIGH_FIRST = "high_first"
    LOW_FIRST = "low_first"
    PAPER = "paper"
    STOP_THEN_PEAK = "stop_then_peak"
    FREQTRADE = "freqtrade"
    FINER = "finer"


class Costs(Struct, frozen=True):
    """What trading costs. Rates are fractions of the value (0.0005 = 0.05 %).

    `slippage_percent` is how much worse than its price whatever leaves at market is filled,
    percent of that price. `latency_ms` is the time from a decision to the stop that rests, and to
    the fill of a close.
    """

    entry_fee: Decimal = Decimal("0.0005")
    exit_fee: Decimal = Decimal("0.0005")
    slippage_percent: Decimal = Decimal(0)
    latency_ms: int = 250


NO_COSTS = Costs(entry_fee=Decimal(0), exit_fee=Decimal(0), latency_ms=0)


class ExitCause(enum.Enum):
    """What ended a position. The first three are the part of the rule its stop came from."""

    INITIAL_STOP = "initial_stop"
    BREAKEVEN = "breakeven"
    TRAIL = "trail"
    TIME_LIMIT = "time_limit"
    SIGNAL = "signal"
    TARGET = "target"
    END_OF_DATA = "end_of_data"
