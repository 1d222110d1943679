# ruff: noqa: PLR0917 - compiled loops are called with columns and numbers by position alone
"""The loop over candles: each entry from its bar to its exit, under every order of prices.

Prices of a short are negated, as in all of the kernel; `against` is then −high. A bar that brings
no new best price and stays above the exact stop changes nothing and is passed over.
"""

from __future__ import annotations

from trailstop.lab.kernel.integers import LIMIT, NONE, RIPE_MS, SCALE, TIMED, WINDOW_MS
from trailstop.lab.kernel.jit import compiled, part
from trailstop.lab.kernel.outcome import DONE, END_OF_DATA, TIME_LIMIT, TOO_LARGE
from trailstop.lab.kernel.rule import ACTIVE, TRAILABLE, State, hear, is_trailable, unheard
from trailstop.lab.series import Int64

WORST, BEST, HIGH_FIRST, LOW_FIRST, PAPER, STOP_THEN_PEAK = range(6)
"""Fill rules, by their position in `terms.FillRule`."""
OPEN, AGAINST, FAVOUR, CLOSE = range(4)
"""Points of a bar."""


@part
def order_of(rule: int, sign: int, rises: bool, hit: bool, order: Int64) -> int:
    """Write the points of a bar in their order, and say how many they are."""
    favour_first = (
        (rule == BEST and hit)
        or (rule == HIGH_FIRST and sign > 0)
        or (rule == LOW_FIRST and sign < 0)
        or (rule == PAPER and rises == (sign < 0))
    )
    order[0] = OPEN
    order[1], order[2] = (FAVOUR, AGAINST) if favour_first else (AGAINST, FAVOUR)
    if rule == WORST:
        order[3], order[4] = AGAINST, CLOSE
        return 5
    if rule == STOP_THEN_PEAK:
        order[0], order[1] = AGAINST, FAVOUR
        return 2
    order[3] = CLOSE
    return 4


@part
def pass_candles(candle_ms: Int64, candle: int, at_ms: int) -> int:
    """The last candle that has closed by then, from an earlier one on; −1 where none has."""
    while candle + 1 < len(candle_ms) and candle_ms[candle + 1] <= at_ms:
        candle += 1
    return candle


@part
def candle_at(candle_ms: Int64, at_ms: int) -> int:
    """The same, found from the begin."""
    low, high = 0, len(candle_ms)
    while low < high:
        middle = (low + high) // 2
        if candle_ms[middle] <= at_ms:
            low = middle + 1
        else:
            high = middle
    return low - 1


@compiled
def run_bars(
    open_ms: Int64, opens: Int64, highs: Int64, lows: Int64, closes: Int64, interval_ms: int,
    rule: int, cell: Int64, rates: Int64, fast: Int64, samples: Int64, order: Int64,
    index: Int64, signs: Int64, prices: Int64, last: Int64, limited: Int64, at_close: bool,
    activation: Int64, ripe: Int64, initial: Int64, breakeven: Int64, breakeven_from: Int64,
    paid: Int64, rungs: Int64, candle_ms: Int64, averages: Int64,
    exit_index: Int64, exit_price: Int64, exit_cause: Int64, first: int, until: int,
) -> int:  # fmt: skip
    """Find the exits of the entries `first` to `until`; returns `DONE` or what stands in the way.

    `last` is the bar at whose close an entry leaves at the latest, `limited` whether by wish.
    `averages` hold from the moments `candle_ms` on.
    """
    scale = cell[SCALE]
    for number in range(first, until):
        sign, entry = signs[number], prices[number] * signs[number]
        bar, start = index[number], 1
        now_ms = open_ms[bar]
        if at_close:
            bar, start, now_ms = bar + 1, 0, now_ms + interval_ms
        candle = candle_at(candle_ms, now_ms)
        average = averages[candle] if candle >= 0 else NONE
        ripe_ms = NONE if cell[RIPE_MS] == NONE else now_ms + cell[RIPE_MS]
        samples[len(samples) - 1, 1] = 0
        flags = TRAILABLE if is_trailable(entry, cell, rates, fast, rungs[number]) else 0
        state = hear(
            entry, now_ms, ripe_ms != NONE and now_ms >= ripe_ms, entry, sign,
            unheard(entry, flags, rungs[number, 0]), cell, rates, fast, rungs[number], average,
            samples, activation[number], ripe[number], initial[number], breakeven[number],
            breakeven_from[number], paid[number],
        )  # fmt: skip
        found, fill, cause = leave_bars(
            open_ms, opens, highs, lows, closes, interval_ms, rule, cell, rates, fast, samples,
            order, bar, start, last[number], entry, sign, state, now_ms, ripe_ms,
            activation[number], ripe[number], initial[number], breakeven[number],
            breakeven_from[number], paid[number], rungs[number], candle_ms, averages, candle,
        )  # fmt: skip
        if cause == NONE:
            return TOO_LARGE
        if found > last[number]:
            found = last[number]
            fill = closes[found] * sign * scale
            cause = TIME_LIMIT if limited[number] != 0 else END_OF_DATA
        exit_index[number], exit_price[number] = found, fill * sign
        exit_cause[number] = cause
    return DONE


@part
def leave_bars(
    open_ms: Int64, opens: Int64, highs: Int64, lows: Int64, closes: Int64, interval_ms: int,
    rule: int, cell: Int64, rates: Int64, fast: Int64, samples: Int64, order: Int64,
    bar: int, start: int, last: int, entry: int, sign: int, state: State, now_ms: int,
    ripe_ms: int, activation: int, ripe: int, initial: int, breakeven: int, breakeven_from: int,
    paid: int, rungs: Int64, candle_ms: Int64, averages: Int64, candle: int,
) -> tuple[int, int, int]:  # fmt: skip
    """Follow one position from point `start` of a bar on until its stop is met.

    `state` is the rule's before that point. Returns bar, fill and cause; the bar after `last`
    where the stop is never met, and the cause `NONE` where a price is too large.
    """
    scale, timed, limit = cell[SCALE], cell[TIMED] != 0, cell[LIMIT]
    # With averages alone time matters only where a candle closes.
    paced = timed and (ripe_ms != NONE or cell[WINDOW_MS] > 0)
    average = averages[candle] if candle >= 0 else NONE
    now, top, restless, line = entry, max(entry, state[2]), state[4], state[0] // scale
    while bar <= last:
        if sign > 0:
            against, favour = lows[bar], highs[bar]
        else:
            against, favour = -highs[bar], -lows[bar]
        if (
            against > line
            and favour <= top
            and not restless
            and not paced
            and (
                candle + 1 >= len(candle_ms) or candle_ms[candle + 1] >= open_ms[bar] + interval_ms
            )
        ):
            bar, start = bar + 1, 0
            continue
        if favour > limit or against < -limit:
            return bar, 0, NONE
        opened, closed = opens[bar] * sign, closes[bar] * sign
        rises = closes[bar] >= opens[bar]
        count = order_of(rule, sign, rises, against > favour, order)
        if rule == STOP_THEN_PEAK:
            start = 0
        heard = top
        for point in range(start, count):
            if rule == BEST and point == 1:
                order_of(rule, sign, rises, against <= line, order)
            kind = order[point]
            price = favour
            if kind == OPEN:
                price = opened
            elif kind == AGAINST:
                price = against
            elif kind == CLOSE:
                price = closed
            at_ms = open_ms[bar] + interval_ms * point // count
            if timed:
                if now_ms < ripe_ms <= at_ms and state[3] & ACTIVE == 0 and now > line:
                    candle = pass_candles(candle_ms, candle, ripe_ms - 1)
                    average = averages[candle] if candle >= 0 else NONE
                    state = hear(
                        now, ripe_ms, ripe_ms <= at_ms, entry, sign, state, cell, rates, fast,
                        rungs, average, samples, activation, ripe, initial, breakeven,
                        breakeven_from, paid,
                    )  # fmt: skip
                    line, now_ms = state[0] // scale, ripe_ms
                closed_before = candle
                candle = pass_candles(candle_ms, candle, at_ms)
                if candle != closed_before:
                    # What was heard of before says nothing of the distance in force now.
                    average, heard = averages[candle], -limit if point > start else favour
            if rule == STOP_THEN_PEAK and kind == AGAINST:
                if price <= line:
                    return bar, min(opened * scale, state[0]), state[1]
                continue
            if price <= line:
                if kind == OPEN or rule == STOP_THEN_PEAK:
                    return bar, price * scale, state[1]
                # A candle may have put the stop through the price: it is met at once then.
                return bar, min(max(now, price) * scale, state[0]), state[1]
            state = hear(
                price, at_ms, ripe_ms != NONE and at_ms >= ripe_ms, entry, sign, state, cell,
                rates, fast, rungs, average, samples, activation, ripe, initial, breakeven,
                breakeven_from, paid,
            )  # fmt: skip
            line, now, now_ms = state[0] // scale, price, at_ms
        top = heard if heard < top else max(top, favour)
        restless, start = state[4], 0
        bar += 1
    return bar, 0, END_OF_DATA


UNTIMED_ROWS = 3
"""Rows of the ring of samples that a policy without momentum needs."""
MS_PER_SECOND = 1_000


def sample_rows(cell: Int64) -> int:
    """Rows of the ring of samples: one a second of the window, and what `runs` needs beside."""
    return int(cell[WINDOW_MS]) // MS_PER_SECOND + UNTIMED_ROWS
