# ruff: noqa: PLR0917 - compiled loops are called with columns and numbers by position alone
"""The loop for the plainest backtest: one distance, no other stop, the adverse extreme first.

It is what `run_bars` does for `STOP_THEN_PEAK`, with all that does not occur left out; users of
other backtesters compare with it.
"""

from __future__ import annotations

from trailstop.domain.policy import Policy
from trailstop.lab.kernel.integers import (
    AMOUNT,
    AT_ONCE,
    CHECKED,
    FIXED,
    KIND,
    LEAST_FIXED,
    LIMIT,
    NONE,
    RATE,
    SCALE,
    TICK,
    TIMED,
    Whole,
)
from trailstop.lab.kernel.jit import compiled, part
from trailstop.lab.kernel.outcome import (
    CLOSE_TO_PRICE,
    DONE,
    END_OF_DATA,
    TIME_LIMIT,
    TOO_LARGE,
    TRAIL,
)
from trailstop.lab.series import Int64
from trailstop.lab.terms import FillRule


def is_plain(policy: Policy, whole: Whole, rule: FillRule) -> bool:
    """Whether `run_tight` decides these settings."""
    cell = whole.cell
    return (
        rule is FillRule.STOP_THEN_PEAK
        and policy.initial_stop_percent is None
        and policy.breakeven_at_percent is None
        and not cell[TIMED]
        and cell[KIND] in (RATE, AMOUNT)
        and len(whole.rates) == 1
    )


@part
def is_above(prices: Int64, limit: int) -> bool:
    """Whether one of the prices is beyond the limit."""
    highest = 0
    for price in prices:
        highest = max(highest, price)
    return bool(highest > limit)


@compiled
def run_tight(
    opens: Int64, highs: Int64, lows: Int64, closes: Int64,
    cell: Int64, rates: Int64,
    index: Int64, signs: Int64, prices: Int64, last: Int64, limited: Int64, at_close: bool,
    activation: Int64, exit_index: Int64, exit_price: Int64, exit_cause: Int64,
    first: int, until: int,
) -> int:  # fmt: skip
    """Find the exits of the entries `first` to `until`, as `run_bars` does.

    A distance under a tick is left to that one: `CLOSE_TO_PRICE`.
    """
    scale, tick, limit, fixed = cell[SCALE], cell[TICK], cell[LIMIT], cell[FIXED]
    # What is on the grid is at a stop that was rounded up where it is less than a tick above it.
    reach = tick if tick > 0 else 1
    least = cell[LEAST_FIXED] if cell[CHECKED] != 0 else 0
    for number in range(first, until):
        sign, entry = signs[number], prices[number] * signs[number]
        kept, step = scale - rates[0] * sign, scale * sign
        begin, found = index[number] + (1 if at_close else 0), last[number]
        adverse, good = (lows, highs) if sign > 0 else (highs, lows)
        against, favours = adverse[begin : found + 1], good[begin : found + 1]
        bars, ahead, left, exact, peak = len(against), 0, -1, NONE, entry
        if entry * scale - entry * kept + fixed >= least:
            if cell[AT_ONCE] == 0:
                from_peak = -(-activation[number] // scale)
                while peak < from_peak and ahead < bars:
                    peak = max(peak, favours[ahead] * sign)
                    ahead += 1
            for bar in range(ahead, bars):
                low, stop = against[bar] * step, peak * kept - fixed
                if low < stop + reach:
                    exact = stop if tick == 0 else -(-stop // tick) * tick
                    if low <= exact:
                        left = bar
                        break
                peak = max(peak, favours[bar] * sign)
            # The products above are only what they seem where no price was too large for them.
            if peak > limit or (
                sign < 0 and is_above(against[: left if left >= 0 else bars], limit)
            ):
                return TOO_LARGE
            if entry * scale - entry * kept + fixed < tick or (
                peak * scale - peak * kept + fixed < tick
            ):
                return CLOSE_TO_PRICE
        if left >= 0:
            bar = begin + left
            exit_index[number], exit_cause[number] = bar, TRAIL
            exit_price[number] = min(opens[bar] * sign * scale, exact) * sign
        else:
            exit_index[number], exit_price[number] = found, closes[found] * scale
            exit_cause[number] = TIME_LIMIT if limited[number] != 0 else END_OF_DATA
    return DONE
