# ruff: noqa: PLR0917 - compiled loops are called with columns and numbers by position alone
"""What one pass over a position's bars tells about all distances at once.

The stop of distance d is met where the fall from the running peak first reaches d. `measure` notes
for each bar how far it falls, `block` the greatest fall of each sixteen bars, and `link` the next
block that falls deeper: a walk along these links meets the exit of every distance in turn.
"""

from __future__ import annotations

from trailstop.lab.kernel.bars import BEST, HIGH_FIRST, LOW_FIRST, PAPER, STOP_THEN_PEAK
from trailstop.lab.kernel.jit import part
from trailstop.lab.series import Float64, Int64

BLOCK = 16
"""Bars of one block: fewer make the links long, more make the search inside slow."""
EARLIER, LATER, EITHER = range(3)
"""Whether the adverse extreme is held against the peak of before its bar, of its bar, or both."""


@part
def order_kind(rule: int, sign: int) -> int:
    """How a fill rule's falls are measured; `PAPER` goes bar by bar."""
    if rule == STOP_THEN_PEAK:
        return EARLIER
    against_first = (
        rule in (BEST, PAPER)
        or (rule == LOW_FIRST and sign > 0)
        or (rule == HIGH_FIRST and sign < 0)
    )
    return EITHER if against_first else LATER


@part
def measure(
    opens: Int64, highs: Int64, lows: Int64, closes: Int64, rule: int, sign: int, opened: bool,
    allowance: int, by_amount: bool, begin: int, until: int, peaks: Int64, falls: Float64,
) -> int:  # fmt: skip
    """Note the peaks and falls of the bars `begin` to `until`; returns the lowest price.

    `peaks[0]` is the entry and `peaks[i + 1]` the best price with bar `i`. A fall counts
    `allowance` units more than it is, since a stop may be rounded so far up. It is a fraction of
    the peak, or with `by_amount` a number of units.
    """
    adverse, good = (lows, highs) if sign > 0 else (highs, lows)
    peak: int = peaks[begin]
    lowest: int = peaks[begin]
    # Slices are counted from 0, which spares the compiled loops a look at the sign of an index.
    worse, better, found = adverse[begin:until], good[begin:until], peaks[begin + 1 : until + 1]
    for bar in range(len(worse)):
        peak = max(peak, better[bar] * sign)
        found[bar] = peak
    for bar in range(len(worse)):
        lowest = min(lowest, worse[bar] * sign)
    kind = order_kind(rule, sign)
    if kind == EARLIER:
        found = peaks[begin:until]
    fallen = falls[begin:until]
    if by_amount:
        for bar in range(len(worse)):
            fallen[bar] = found[bar] - worse[bar] * sign + allowance
    else:
        for bar in range(len(worse)):
            fallen[bar] = (found[bar] - worse[bar] * sign + allowance) / abs(found[bar])
    if kind == EITHER:
        for bar in range(begin, until):
            rises = closes[bar] >= opens[bar]
            if rule == PAPER and rises != (sign > 0):
                continue
            middle = peaks[bar]
            if bar > 0 or not opened:
                middle = max(middle, opens[bar] * sign)
            peak = peaks[bar + 1]
            first = middle - adverse[bar] * sign + allowance
            second = peak - closes[bar] * sign + allowance
            if by_amount:
                falls[bar] = max(first, second)
            else:
                falls[bar] = max(first / abs(middle), second / abs(peak))
    return lowest


@part
def block(falls: Float64, begin: int, until: int, deepest: Float64) -> None:
    """Note the greatest fall of each block; `begin` is where one begins."""
    for start in range(begin, until, BLOCK):
        piece = falls[start : min(start + BLOCK, until)]
        greatest = piece[0]
        for bar in range(len(piece)):
            greatest = max(greatest, piece[bar])
        deepest[start // BLOCK] = greatest


@part
def link(deepest: Float64, count: int, deeper: Int64) -> None:
    """Note for each block the next one that falls deeper; `count` where none does."""
    for number in range(count - 1, -1, -1):
        follower = number + 1
        while follower < count and deepest[follower] <= deepest[number]:
            follower = deeper[follower]
        deeper[number] = follower


@part
def first_fall(
    falls: Float64, deepest: Float64, deeper: Int64, begin: int, until: int, least: float
) -> int:
    """First bar from `begin` on that falls so far; `until` where none does."""
    bar, number = begin, begin // BLOCK
    edge = min(number * BLOCK + BLOCK, until)
    while bar < edge:
        if falls[bar] >= least:
            return bar
        bar += 1
    if bar >= until:
        return until
    number, count = number + 1, (until + BLOCK - 1) // BLOCK
    while number < count and deepest[number] < least:
        number = deeper[number]
    if number >= count:
        return until
    bar = number * BLOCK
    while falls[bar] < least:
        bar += 1
    return bar


@part
def first_at(prices: Int64, sign: int, begin: int, until: int, line: int) -> int:
    """First bar from `begin` on whose adverse extreme reaches the line; `until` where none does."""
    for bar in range(begin, until):
        if prices[bar] * sign <= line:
            return bar
    return until
