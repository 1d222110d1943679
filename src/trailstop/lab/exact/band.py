"""Which prices a trail need not be told, since they change nothing but the last price.

`step` is asked about every price that could do more. A drive that is told all of them and one
that is told only these end alike: what is left out reaches no stop and no peak, activates
nothing, and comes before anything is due.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from trailstop.domain.policy import HUNDRED, Callback
from trailstop.domain.position import Phase
from trailstop.engine.quiet import QUIET_BAND
from trailstop.engine.rules import CENT, MS_PER_MINUTE, distance_stop
from trailstop.engine.trail import HoldReason, Trail
from trailstop.lab.exact.drive import Drive

FAR = 1 << 62
"""Units that no price reaches."""


def idle_band(drive: Drive, unit: Decimal, *, filtered: bool) -> tuple[int, int] | None:
    """Lowest and highest price, in units, that need not be told; None where all must.

    `filtered` is for prices to which the jump rule applies.
    """
    trail = drive.trail
    if not _at_rest(trail):
        return None
    side, price, sign = trail.position.side, trail.price, trail.position.side.sign
    assert price is not None, "a trail at rest has seen a price"
    nearest = drive.book.level
    exact = trail.exact_stop
    if exact is not None and (nearest is None or side.better(exact, nearest)):
        nearest = exact
    lowest = -FAR if nearest is None else _floor(nearest * sign, unit) + 1
    highest = _least_gain(trail, unit)
    if filtered:
        half = price * QUIET_BAND
        lowest = max(lowest, _ceiling(price * sign - half, unit))
        highest = min(highest, _floor(price * sign + half, unit))
    if lowest > highest:
        return None
    return (lowest, highest) if sign > 0 else (-highest, -lowest)


def _at_rest(trail: Trail) -> bool:
    """Whether no price but a better one can raise the exact stop, and no pause ends with one."""
    policy, side, exact = trail.policy, trail.position.side, trail.exact_stop
    if (
        trail.base_price is None
        or trail.jump is not None
        or trail.hold is HoldReason.CROSSED
        or trail.phase in (Phase.TRIGGERED, Phase.CLOSED)
        or (trail.phase is Phase.INACTIVE and exact is not None)
        or (policy.momentum_percent_per_minute is not None and not trail.momentum_used)
    ):
        return False
    if policy.activation_after_minutes is not None and not trail.activated:
        # Near its time every price may activate; before, only time does.
        ripe_ms = trail.age_from_ms + int(policy.activation_after_minutes * MS_PER_MINUTE)
        if max(trail.price_at_ms, trail.weighed_at_ms) >= ripe_ms:
            return False
    if exact is None:
        return True
    if trail.initial_at is not None and side.better(trail.initial_at, exact):
        return False
    if not trail.activated or not trail.distance_ok:
        return True
    assert trail.peak is not None, "a trail that is activated has a peak"
    behind = distance_stop(trail, trail.peak)
    return behind is None or not side.better(behind, exact)


def _least_gain(trail: Trail, unit: Decimal) -> int:
    """Highest price, times the side's sign, at which nothing can improve, in units."""
    sign, exact, breakeven = trail.position.side.sign, trail.exact_stop, trail.breakeven_at
    highest = FAR
    if trail.activated:
        assert trail.peak is not None, "a trail that is activated has a peak"
        highest = _floor(trail.peak * sign, unit)
    elif trail.distance_ok:
        highest = _ceiling(trail.activation_at * sign, unit) - 1
    if breakeven is not None and (exact is None or trail.position.side.better(breakeven, exact)):
        highest = min(highest, _ceiling(_breakeven_from(trail, breakeven) * sign, unit) - 2)
    return highest


def _breakeven_from(trail: Trail, breakeven: Decimal) -> Decimal:
    """Price short of which the breakeven move is not due, but for the last decimal.

    The gain must be reached, and the distance in force fit between price and stop; where it is
    no plain callback only that it is above zero is used.
    """
    at_percent, distance = trail.policy.breakeven_at_percent, trail.policy.distance
    assert at_percent is not None, "there is a breakeven price"
    side, entry = trail.position.side, trail.position.entry_price
    gained = entry + entry * at_percent * CENT * side.sign
    if isinstance(distance, Callback) and not trail.momentum_used:
        breakeven = breakeven * HUNDRED / (HUNDRED - distance.callback_percent * side.sign)
    return side.best(gained, breakeven)


def _floor(price: Decimal, unit: Decimal) -> int:
    return int((price / unit).to_integral_value(ROUND_FLOOR))


def _ceiling(price: Decimal, unit: Decimal) -> int:
    return int((price / unit).to_integral_value(ROUND_CEILING))
