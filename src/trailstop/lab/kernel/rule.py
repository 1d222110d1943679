# ruff: noqa: PLR0917 - compiled loops are called with columns and numbers by position alone
"""What one price does to the exact stop: `raise_exact` of the engine in whole numbers.

`engine/evaluate.py` and `engine/rules.py` are the rule; this is its copy for compiled loops,
which property tests hold to it. Prices and levels as `integers.py` tells; `price` alone is in
units, everything else in sub-units.
"""

from __future__ import annotations

from trailstop.lab.kernel.integers import (
    AMOUNT,
    AT_ONCE,
    CHECKED,
    FIXED,
    FIXED_FAST,
    KIND,
    LEAST_FIXED,
    LEAST_RATE,
    NONE,
    RANGE,
    RATE,
    RESTLESS,
    SCALE,
    SHARE_RATE,
    SPEED_BOTTOM,
    SPEED_TOP,
    TICK,
    WINDOW_MS,
)
from trailstop.lab.kernel.jit import part
from trailstop.lab.kernel.outcome import BREAKEVEN, INITIAL, TRAIL
from trailstop.lab.series import Int64

ACTIVE, FAST, TRAILABLE = 1, 2, 4
"""Flags of a state: it trails, momentum has tightened it, the distance is large enough."""
SAMPLE_MS = 1_000

State = tuple[int, int, int, int, bool]
"""Exact stop, its cause, peak (units), flags, and whether the stop may yet rise at a price that
was heard before: a better one is known than the one that fits beneath this price."""


@part
def unheard(entry: int, flags: int, none: int) -> State:
    """The state of a position that was told no price yet.

    All of it are numbers of run time, as `none` is: literals would have `hear` compiled anew.
    """
    return none, flags & INITIAL, entry, flags, none == entry


@part
def distance_at(
    price: int, entry: int, cell: Int64, rates: Int64, fast: Int64, rungs: Int64,
    is_fast: bool, average: int,
) -> int:  # fmt: skip
    """Distance in force behind this price; `average` is the range's, `NONE` while it is unknown."""
    kind, size = cell[KIND], abs(price)
    distance: int
    least: int = max(size * cell[LEAST_RATE], cell[LEAST_FIXED])
    if kind == RATE or (kind == RANGE and average == NONE):
        rung = 0
        for number in range(1, len(rates)):
            if price * cell[SCALE] >= rungs[number]:
                rung = number
        distance = size * (fast[rung] if is_fast else rates[rung])
    elif kind == AMOUNT:
        distance = cell[FIXED_FAST] if is_fast else cell[FIXED]
    elif kind == RANGE:
        distance = max(average, cell[LEAST_FIXED])
    else:
        kept = (price - entry) * cell[SHARE_RATE]
        distance = max((price - entry) * cell[SCALE] - kept, least)
    return max(distance, least) if is_fast else distance


@part
def is_trailable(entry: int, cell: Int64, rates: Int64, fast: Int64, rungs: Int64) -> bool:
    """Whether the distance is large enough to be trailed at all."""
    if cell[CHECKED] == 0:
        return True
    none = rungs[0]
    wide = distance_at(entry, entry, cell, rates, fast, rungs, none == 0, none)
    return bool(wide >= cell[LEAST_FIXED])


@part
def runs(price: int, at_ms: int, may: bool, cell: Int64, samples: Int64) -> bool:
    """Take a sample a second, and say whether the price runs fast enough for momentum.

    `samples` is a ring of times and prices; its last row holds where it begins and its length.
    """
    room = len(samples) - 1
    begin, length = samples[room, 0], samples[room, 1]
    if length > 0 and at_ms - samples[(begin + length - 1) % room, 0] < SAMPLE_MS:
        return False
    while length > 1 and at_ms - samples[(begin + 1) % room, 0] >= cell[WINDOW_MS]:
        begin, length = (begin + 1) % room, length - 1
    place = (begin + length) % room
    samples[place, 0], samples[place, 1] = at_ms, price
    samples[room, 0], samples[room, 1] = begin, length + 1
    reference = samples[begin, 1]
    if not may or at_ms - samples[begin, 0] < cell[WINDOW_MS]:
        return False
    moved = (price - reference) * cell[SPEED_BOTTOM]
    return bool(moved >= cell[SPEED_TOP] * abs(reference))


@part
def hear(
    price: int, at_ms: int, is_ripe: bool, entry: int, sign: int, state: State,
    cell: Int64, rates: Int64, fast: Int64, rungs: Int64, average: int, samples: Int64,
    activation: int, ripe: int, initial: int, breakeven: int, breakeven_from: int, paid: int,
) -> State:  # fmt: skip
    """Raise peak and exact stop by one price: activation, momentum, breakeven, distance, snap."""
    exact, cause, peak, flags, restless = state
    sub, tick = price * cell[SCALE], cell[TICK]
    active, is_fast = flags & ACTIVE != 0, flags & FAST != 0
    if active:
        peak = max(peak, price)
    elif flags & TRAILABLE != 0 and (
        cell[AT_ONCE] != 0 or sub >= activation or (is_ripe and sub > ripe)
    ):
        active, peak = True, price
        flags |= ACTIVE
    if (
        cell[WINDOW_MS] > 0
        and not is_fast
        and runs(price, at_ms, active and exact != NONE, cell, samples)
    ):
        is_fast = True
        flags |= FAST
    best, kind = exact, cause
    if initial > best and (exact == NONE or sub > initial):
        best, kind = initial, INITIAL
    if breakeven > best and sub >= breakeven_from:
        near = sub - distance_at(price, entry, cell, rates, fast, rungs, is_fast, average)
        if near >= breakeven:
            best, kind = breakeven, BREAKEVEN
    if active:
        behind = peak * cell[SCALE] - distance_at(
            peak, entry, cell, rates, fast, rungs, is_fast, average
        )
        if behind > best and behind >= paid:
            best, kind = behind, TRAIL
    if best > exact:
        snapped = best
        if tick > 0:
            snapped = -(-best // tick) * tick
            if sub <= snapped and sub > best:
                snapped -= tick
        if snapped * sign > 0 and snapped > exact:
            exact, cause = snapped, kind
    restless = best > exact or initial > exact or cell[RESTLESS] != 0
    return exact, cause, peak, flags, restless
