# ruff: noqa: PLR0917 - compiled loops are called with columns and numbers by position alone
"""All activations and distances of one setting over all entries, from one pass over each.

For one entry the exits of a distance change with the activation only where one came before it,
and falls are searched along records (`falls.py`), so that most cells cost an addition. What a bar
decides is decided in whole numbers; bars in which trailing or breakeven begins, and distances
near the tick, go through `leave_bars`, price by price.
"""

from __future__ import annotations

import numpy as np

from trailstop.lab.kernel.bars import (
    BEST,
    HIGH_FIRST,
    LOW_FIRST,
    PAPER,
    STOP_THEN_PEAK,
    WORST,
    leave_bars,
)
from trailstop.lab.kernel.falls import BLOCK, block, first_at, first_fall, link, measure
from trailstop.lab.kernel.integers import (
    AT_ONCE,
    CHECKED,
    FIXED,
    LEAST_FIXED,
    LIMIT,
    NONE,
    SCALE,
    TICK,
)
from trailstop.lab.kernel.jit import compiled, part
from trailstop.lab.kernel.outcome import (
    BREAKEVEN,
    DONE,
    END_OF_DATA,
    INITIAL,
    TIME_LIMIT,
    TOO_LARGE,
    TRAIL,
)
from trailstop.lab.kernel.rule import TRAILABLE, hear, unheard
from trailstop.lab.kernel.tally import CAUSE_BITS, add_row
from trailstop.lab.series import Float64, Int64

FIRST_LOOK = 1_024
"""Bars that are measured at once; where that decides not all cells, the next look is larger."""
LOOK_FACTOR = 4
UNDECIDED, NOT_YET = -1, -2
HUNDRED = 100.0


@part
def stop_behind(peak: int, sign: int, scale: int, rate: int, fixed: int, tick: int) -> int:
    """Stop behind a peak, on the grid. The distance is a tick at least."""
    stop = peak * scale - peak * sign * rate - fixed
    return stop if tick == 0 else -(-stop // tick) * tick


@part
def met_in(
    opened: int, against: int, closed: int, rises: bool, is_first: bool, before: int, after: int,
    rule: int, sign: int, level: int, scale: int, rate: int, fixed: int, tick: int,
) -> tuple[int, int]:  # fmt: skip
    """Where a bar meets the better of a level and the stop behind its peaks: fill, and the stop.

    Prices are signed, `before` and `after` the peaks without and with the bar. Trailing has begun
    before it. With `is_first` the position opened in it, at `before`. The fill is `NONE` where
    the stop is not met.
    """
    earlier = max(level, stop_behind(before, sign, scale, rate, fixed, tick))
    if rule == STOP_THEN_PEAK:
        if against * scale <= earlier:
            return min(opened * scale, earlier), earlier
        return NONE, earlier
    if is_first:
        opened = before
    elif opened * scale <= earlier:
        return opened * scale, earlier
    middle = earlier
    if opened > before:
        middle = max(level, stop_behind(opened, sign, scale, rate, fixed, tick))
    later = middle
    if after > max(before, opened):
        later = max(level, stop_behind(after, sign, scale, rate, fixed, tick))
    favour_first = (
        (rule == HIGH_FIRST and sign > 0)
        or (rule == LOW_FIRST and sign < 0)
        or (rule == PAPER and rises == (sign < 0))
    )
    hit = against * scale <= middle
    if rule == BEST and hit:
        return later, later
    if hit and not favour_first:
        return middle, middle
    met = closed if not favour_first and rule != WORST else against
    return (later if met * scale <= later else NONE), later


@part
def to_results(
    fills: Int64, results: Float64, sign: int, bought: float, scale: float, grid_step: float,
    entry_fee: float, exit_fee: float, slippage: float,
) -> None:  # fmt: skip
    """Results in percent of the value at entry, after slippage onto the grid and fees."""
    paid, percent = bought * entry_fee, HUNDRED / bought
    if slippage == 0.0:
        for column in range(len(fills)):
            left = fills[column] / scale
            results[column] = (left - sign * bought - paid - abs(left) * exit_fee) * percent
        return
    for column in range(len(fills)):
        left = fills[column] / scale
        left -= abs(left) * slippage
        if grid_step > 0.0:
            left = np.floor(left / grid_step) * grid_step
            if sign > 0:
                left = max(left, grid_step)
        results[column] = (left - sign * bought - paid - abs(left) * exit_fee) * percent


@part
def level_of(price: int, tick: int) -> int:
    """A level on the grid, towards the market; `NONE` stays."""
    return price if tick == 0 or price == NONE else -(-price // tick) * tick


@part
def first_peak(peaks: Int64, look: int, price: int) -> int:
    """The bar that first brings the peak to a price: −1 for the entry, `look` for none."""
    low, high = 0, look + 1
    while low < high:
        middle = (low + high) // 2
        if peaks[middle] < price:
            low = middle + 1
        else:
            high = middle
    return low - 1


@part
def look_ahead(
    opens: Int64, highs: Int64, lows: Int64, closes: Int64, rule: int, sign: int, entry: int,
    opened: bool, allowance: int, by_amount: bool, activation: int, line: int, least: float,
    scale: int, limit: int, peaks: Int64, falls: Float64, deepest: Float64, deeper: Int64,
) -> int:  # fmt: skip
    """Measure as many bars as decide all cells: all of them at the latest.

    `activation` and `least` are of the cell that leaves last, `line` is that of the initial stop.
    Returns how many were measured, or `UNDECIDED` where a price is too large.
    """
    bars, look = len(opens), min(len(opens), FIRST_LOOK)
    # A number of run time: a literal would have `measure` compiled once more.
    done = bars * 0
    peaks[0], adverse = entry, lows if sign > 0 else highs
    while True:
        lowest = measure(
            opens, highs, lows, closes, rule, sign, opened, allowance, by_amount, done, look,
            peaks, falls,
        )  # fmt: skip
        if peaks[look] > limit or lowest < -limit:
            return UNDECIDED
        block(falls, done, look, deepest)
        link(deepest, (look + BLOCK - 1) // BLOCK, deeper)
        if look == bars:
            return look
        active = first_peak(peaks, look, -(-activation // scale))
        if active < look and first_fall(falls, deepest, deeper, active + 1, look, least) < look:
            return look
        if first_at(adverse, sign, done, look, line) < look:
            return look
        done, look = look, min(bars, look * LOOK_FACTOR)


@compiled
def run_grid(
    open_ms: Int64, opens: Int64, highs: Int64, lows: Int64, closes: Int64, interval_ms: int,
    rule: int, cells: Int64, rates: Int64, least: Float64, allowance: int, by_amount: bool,
    samples: Int64, order: Int64, cell: Int64,
    index: Int64, signs: Int64, prices: Int64, last: Int64, limited: Int64, at_close: bool,
    at_once: Int64, activation: Int64, initial: Int64, breakeven: Int64, breakeven_from: Int64,
    rungs: Int64, nothing: Int64,
    entry_fee: float, exit_fee: float, slippage: float,
    figures: Float64, counts: Int64, keeps: bool, kept: Int64,
    peaks: Int64, falls: Float64, deepest: Float64, deeper: Int64, first: int, until: int,
) -> int:  # fmt: skip
    """Judge the entries `first` to `until` under every activation and distance.

    Both rise: `at_once` and `activation[a, e]`, `cells[d]`, `rates[d]` and `least[d]`, the fall at
    which distance `d` may be met. `figures[a]` and `counts[a]` are added to; with `keeps`,
    `kept[a, d, e]` gets bar, price and cause.
    """
    scale, tick, limit = cells[0, SCALE], cells[0, TICK], cells[0, LIMIT]
    width, last_row = len(cells), len(at_once) - 1
    exits, fills = np.empty((width, 2), dtype=np.int64), np.empty(width, dtype=np.int64)
    results, marks = np.empty(width, dtype=np.float64), np.empty(width, dtype=np.int64)
    secured, base = np.empty(width, dtype=np.int64), np.empty(width, dtype=np.int64)
    near, runs = np.empty(width, dtype=np.bool_), np.empty(width, dtype=np.bool_)
    grid_step, none = tick / scale, rungs[0]
    for number in range(first, until):
        sign, entry = signs[number], prices[number] * signs[number]
        begin, end = index[number] + (1 if at_close else 0), last[number] + 1
        opened, high, low, closed = (
            opens[begin:end],
            highs[begin:end],
            lows[begin:end],
            closes[begin:end],
        )
        adverse, bars = low if sign > 0 else high, end - begin
        wide = level_of(initial[number], tick)
        look = look_ahead(
            opened, high, low, closed, rule, sign, entry, not at_close, allowance, by_amount,
            NONE if at_once[last_row] != 0 else activation[last_row, number],
            wide // scale, least[width - 1], scale, limit, peaks, falls, deepest, deeper,
        )  # fmt: skip
        if look == UNDECIDED:
            return TOO_LARGE
        stopped = first_at(adverse, sign, 0, look, wide // scale) if wide != NONE else look
        odd = wide != NONE and entry * scale - initial[number] < tick
        tight = max(wide, level_of(breakeven[number], tick))
        secures = breakeven[number] != NONE and breakeven[number] > wide
        reached = NOT_YET
        for column in range(width):
            rate, fixed = rates[column, 0], cells[column, FIXED]
            near[column] = odd or min(abs(entry), abs(peaks[look])) * rate + fixed < tick
            runs[column] = (
                cells[column, CHECKED] == 0
                or abs(entry) * rate + fixed >= cells[column, LEAST_FIXED]
            )
            secured[column], base[column] = look, stopped
            if secures:
                kept_share = scale - sign * rate
                needed = max(
                    -(-breakeven_from[number] // scale),
                    -(-(breakeven[number] + fixed) // kept_share),
                )
                secured[column] = first_peak(peaks, look, needed)
                if secured[column] < look:
                    if reached < secured[column]:
                        reached = first_at(
                            adverse, sign, max(secured[column], 0), look, tight // scale
                        )
                    base[column] = min(stopped, reached)
        active_before, tied = NOT_YET, False
        for row in range(last_row + 1):
            active = -1
            if at_once[row] == 0:
                active = first_peak(peaks, look, -(-activation[row, number] // scale))
            same = active == active_before and (active < 0 or (active == look and look == bars))
            if active_before == NOT_YET:
                for column in range(width):
                    exits[column, 0] = NOT_YET
            # What leaves after both activations leaves alike, and so does what neither changes;
            # only which of two equal stops came first may differ.
            changed = 0 if same else width
            while changed > 0 and exits[changed - 1, 0] > active and not tied:
                changed -= 1
            reached_before = 0
            for column in range(changed):
                rate, fixed = rates[column, 0], cells[column, FIXED]
                found, fill, cause = UNDECIDED, NONE, END_OF_DATA
                secure, bar = secured[column], base[column]
                trails = runs[column]
                begins = active if trails else look
                if not near[column]:
                    ahead = begins + 1 if rule == STOP_THEN_PEAK else max(begins, 0)
                    # A larger distance is not met before a smaller one.
                    ahead = max(ahead, reached_before)
                    is_new = True
                    while found == UNDECIDED:
                        meets = look
                        if ahead < look:
                            meets = first_fall(falls, deepest, deeper, ahead, look, least[column])
                        if is_new and trails:
                            reached_before, is_new = meets, False
                        meets, ahead = min(meets, bar), meets + 1
                        if meets >= look:
                            if look == bars:
                                found = bars
                            break
                        if meets in (begins, secure):
                            break
                        level = tight if secure < meets else wide
                        is_first = meets == 0 and not at_close
                        stop, before = level, peaks[meets]
                        if meets < begins:
                            fill = level
                            if rule == STOP_THEN_PEAK or not is_first:
                                fill = min(opened[meets] * sign * scale, level)
                        else:
                            fill, stop = met_in(
                                opened[meets] * sign, adverse[meets] * sign, closed[meets] * sign,
                                closed[meets] >= opened[meets], is_first, before, peaks[meets + 1], rule,
                                sign, level, scale, rate, fixed, tick,
                            )  # fmt: skip
                            if stop == level:
                                # Which of two equal stops came first is for the rule to say.
                                after = peaks[meets + 1]
                                if stop_behind(after, sign, scale, rate, fixed, tick) >= level:
                                    tied = True
                                    break
                        if fill != NONE:
                            found, cause = meets, TRAIL
                            if stop == level:
                                cause = BREAKEVEN if secure < meets else INITIAL
                if found == UNDECIDED:
                    for field in range(len(cell)):
                        cell[field] = cells[column, field]
                    cell[AT_ONCE] = at_once[row]
                    resume = -1 if near[column] else min(active, secure, look)
                    if resume > 0:
                        state = (wide, INITIAL, peaks[resume], TRAILABLE if trails else 0, False)
                        now_ms = open_ms[begin]
                    else:
                        resume = 0
                        now_ms = open_ms[begin]
                        state = hear(
                            entry, now_ms, none == 0, entry, sign,
                            unheard(entry, TRAILABLE if trails else 0, none),
                            cell, rates[column], rates[column], rungs, none, samples,
                            activation[row, number], none, initial[number],
                            breakeven[number], breakeven_from[number], none,
                        )  # fmt: skip
                    found, fill, cause = leave_bars(
                        open_ms, opens, highs, lows, closes, interval_ms, rule, cell,
                        rates[column], rates[column], samples, order, begin + resume,
                        1 if resume == 0 and not at_close else 0, last[number], entry, sign,
                        state, now_ms, none, activation[row, number], none, initial[number],
                        breakeven[number], breakeven_from[number], none, rungs, nothing,
                        nothing, len(nothing) - 1,
                    )  # fmt: skip
                    if cause == NONE:
                        return TOO_LARGE
                    found -= begin
                if found >= bars:
                    found = bars
                    fill = closes[end - 1] * sign * scale
                    cause = TIME_LIMIT if limited[number] != 0 else END_OF_DATA
                exits[column, 0], exits[column, 1], fills[column] = found, cause, fill
                marks[column] = 1 << (CAUSE_BITS * cause) if cause <= TIME_LIMIT else 0
            to_results(
                fills[:changed], results[:changed], sign, float(prices[number]), float(scale),
                float(grid_step), entry_fee, exit_fee, slippage,
            )  # fmt: skip
            active_before = active
            add_row(results, marks, figures[row], counts[row])
            if keeps:
                for column in range(width):
                    kept[row, column, number, 0] = min(begin + exits[column, 0], end - 1)
                    kept[row, column, number, 1] = fills[column] * sign
                    kept[row, column, number, 2] = exits[column, 1]
    return DONE
