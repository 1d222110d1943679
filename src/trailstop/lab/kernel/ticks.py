# ruff: noqa: PLR0917 - compiled loops are called with columns and numbers by position alone
"""The loop over single prices, trades or quotes: each is reached by a jump."""

from __future__ import annotations

from trailstop.lab.kernel.bars import candle_at, pass_candles
from trailstop.lab.kernel.integers import CHECKED, LIMIT, NONE, RIPE_MS, SCALE, TIMED
from trailstop.lab.kernel.jit import compiled
from trailstop.lab.kernel.outcome import (
    BEYOND,
    DONE,
    END_OF_DATA,
    JUMPED,
    TIME_LIMIT,
    TOO_LARGE,
)
from trailstop.lab.kernel.rule import ACTIVE, TRAILABLE, distance_at, hear, is_trailable, unheard
from trailstop.lab.series import Int64

JUMP_DIVISOR = 50
"""A trade that is more than a 50th, 2 %, away from the one before waits for a witness."""


@compiled
def run_ticks(
    time_ms: Int64, bids: Int64, asks: Int64, is_quoted: bool,
    cell: Int64, rates: Int64, fast: Int64, samples: Int64,
    index: Int64, signs: Int64, prices: Int64, last: Int64, limited: Int64, at_close: bool,
    activation: Int64, ripe: Int64, initial: Int64, breakeven: Int64, breakeven_from: Int64,
    paid: Int64, rungs: Int64,
    candle_ms: Int64, averages: Int64,
    exit_index: Int64, exit_price: Int64, exit_cause: Int64, first: int, until: int,
) -> int:  # fmt: skip
    """Find the exits of the entries `first` to `until`; returns `DONE` or what stands in the way.

    An entry whose trades jump, so that one has to be confirmed, gets the cause `JUMPED`: only
    `step` decides it. Trades are given as `bids` and `asks` both. A long is judged, and leaves, at the bid.
    """
    scale, timed, limit = cell[SCALE], cell[TIMED] != 0, cell[LIMIT]
    for number in range(first, until):
        sign, entry = signs[number], prices[number] * signs[number]
        ladder, tick = rungs[number], index[number]
        seen = bids if sign > 0 else asks
        start_ms, none = time_ms[tick], ladder[0]
        candle = candle_at(candle_ms, start_ms)
        average = averages[candle] if candle >= 0 else NONE
        ripe_ms = NONE if cell[RIPE_MS] == NONE else start_ms + cell[RIPE_MS]
        samples[len(samples) - 1, 1] = 0
        begin = seen[tick] * sign if is_quoted else entry
        if abs(begin - entry) > limit or abs(entry) > limit:
            return TOO_LARGE
        trails = is_trailable(begin, cell, rates, fast, ladder)
        if is_quoted and cell[CHECKED] != 0:
            spread = (asks[tick] - bids[tick]) * scale
            trails &= (
                distance_at(begin, entry, cell, rates, fast, ladder, none == 0, none) >= spread
            )
        state = hear(
            begin, start_ms, ripe_ms != NONE and start_ms >= ripe_ms, entry, sign,
            unheard(entry, TRAILABLE if trails else 0, none), cell, rates, fast, ladder, average, samples,
            activation[number], ripe[number], initial[number], breakeven[number],
            breakeven_from[number], paid[number],
        )  # fmt: skip
        line = state[0] // scale
        if line >= begin or (initial[number] != NONE and initial[number] >= begin * scale):
            return BEYOND
        now, now_ms, top, restless = begin, start_ms, begin, state[4]
        if at_close or is_quoted:
            tick += 1
        found, fill, jumped = -1, 0, False
        while tick <= last[number]:
            price = seen[tick] * sign
            if not is_quoted and abs(price - now) * JUMP_DIVISOR > abs(now):
                jumped = True
                break
            if price > line and price <= top and not restless and not timed:
                now = price
                tick += 1
                continue
            if abs(price) > limit:
                return TOO_LARGE
            at_ms = time_ms[tick]
            if timed:
                if now_ms < ripe_ms <= at_ms and state[3] & ACTIVE == 0 and now > line:
                    candle = pass_candles(candle_ms, candle, ripe_ms - 1)
                    average = averages[candle] if candle >= 0 else NONE
                    state = hear(
                        now, ripe_ms, ripe_ms <= at_ms, entry, sign, state, cell, rates, fast, ladder,
                        average, samples, activation[number], ripe[number], initial[number],
                        breakeven[number], breakeven_from[number], paid[number],
                    )  # fmt: skip
                    line, now_ms = state[0] // scale, ripe_ms
                candle = pass_candles(candle_ms, candle, at_ms)
                average = averages[candle] if candle >= 0 else NONE
            # The same trade may be told twice.
            again = not is_quoted and price == now and at_ms <= time_ms[tick - 1] and tick > 0
            if not again:
                if price <= line:
                    found, fill = tick, price * scale
                    break
                state = hear(
                    price, at_ms, ripe_ms != NONE and at_ms >= ripe_ms, entry, sign, state,
                    cell, rates, fast, ladder, average, samples,
                    activation[number], ripe[number], initial[number], breakeven[number],
                    breakeven_from[number], paid[number],
                )  # fmt: skip
                line = state[0] // scale
                now, now_ms, top, restless = price, at_ms, max(top, price), state[4]
            tick += 1
        cause = state[1]
        if jumped:
            cause = JUMPED
        elif found < 0:
            found = last[number]
            fill = seen[found] * sign * scale
            cause = TIME_LIMIT if limited[number] != 0 else END_OF_DATA
        exit_index[number], exit_price[number] = found, fill * sign
        exit_cause[number] = cause
    return DONE
