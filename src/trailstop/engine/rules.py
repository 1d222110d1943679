"""The formulas of the trailing rule, one for both sides through s = +1 or −1.

Nothing here decides when to act; `evaluate.py` and `pacing.py` do. All prices are Decimal
in quote currency; what ends in `_percent` is percent of price.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from trailstop.domain.policy import HUNDRED, Atr, Callback, Policy, ProfitShare, Steps
from trailstop.domain.price import Side
from trailstop.engine.trail import AtrState, Trail

CENT = Decimal("0.01")
ZERO = Decimal(0)
ONE = Decimal(1)
MS_PER_MINUTE = 60_000
MS_PER_SECOND = 1_000
SECONDS_PER_MINUTE = 60
LIQUIDATION_MARGIN = Decimal("0.1")
"""Stops stay this share of the way from entry to liquidation before the liquidation."""


def percent_away(price: Decimal, percent: Decimal, side: Side) -> Decimal:
    """Price that lies so many percent against the position: a long's below."""
    return price - price * percent * CENT * side.sign


def funding(trail: Trail) -> Decimal:
    """F: net funding paid on the remaining quantity, never below 0 (received is no cost)."""
    return max(ZERO, trail.position.funding_paid)


def net_break(trail: Trail, *, funded: bool = True) -> Decimal:
    """X: the exit price at which fees both ways, and funding, are just paid.

    X = (E·(1 + s·f_in) + s·F/q) / (1 − s·f_out).
    """
    position, fees, s = trail.position, trail.fees, trail.position.side.sign
    paid = funding(trail) / position.quantity if funded else ZERO
    top = position.entry_price * (1 + s * fees.entry) + s * paid
    return top / (1 - s * fees.exit)


def breakeven_price(trail: Trail) -> Decimal:
    """X plus the offset, which is percent of X in the position's favour."""
    x = net_break(trail)
    return x + x * trail.policy.breakeven_offset_percent * CENT * trail.position.side.sign


def gain_percent(trail: Trail, price: Decimal, *, net: bool | None = None) -> Decimal:
    """Gain at a price in percent of the entry, gross, or net of fees and funding."""
    position, s = trail.position, trail.position.side.sign
    gain = (price - position.entry_price) * s
    if trail.policy.gain_basis == "net" if net is None else net:
        gain -= position.entry_price * trail.fees.entry + price * trail.fees.exit
        gain -= funding(trail) / position.quantity
    return gain * HUNDRED / position.entry_price


def activation_price(trail: Trail) -> Decimal:
    """Price at which trailing begins by gain or by price, for status and storage."""
    policy, position, s = trail.policy, trail.position, trail.position.side.sign
    if policy.activation_price is not None:
        return policy.activation_price
    percent = policy.activation_percent
    assert percent is not None, "Policy fills the activation"
    gain = position.entry_price * percent * CENT
    if policy.gain_basis == "gross":
        return position.entry_price + s * gain
    paid = position.entry_price * trail.fees.entry + funding(trail) / position.quantity
    return (s * position.entry_price + gain + paid) / (s - trail.fees.exit)


def derive(trail: Trail) -> Trail:
    """Recompute what follows from entry, base, fees, funding, liquidation and settings."""
    off, base = trail.policy.breakeven_at_percent is None, trail.base_price
    return replace(
        trail,
        activation_at=activation_price(trail),
        breakeven_at=None if off else breakeven_price(trail),
        initial_at=None if base is None else initial_stop(trail, base),
    )


def activates(trail: Trail, price: Decimal, at_ms: int) -> bool:
    """Whether trailing begins at this price: by gain or price (touch counts), or by age."""
    policy, side = trail.policy, trail.position.side
    if policy.activation_percent == 0:
        return True
    if not trail.position.entry_known and policy.activation_price is None:
        return False
    if not side.better(trail.activation_at, price):
        return True
    minutes = policy.activation_after_minutes
    if (
        minutes is None
        or not trail.position.entry_known
        or at_ms - trail.age_from_ms < minutes * MS_PER_MINUTE
    ):
        return False
    return gain_percent(trail, price) > policy.activation_after_gain_percent


def least_distance(trail: Trail, price: Decimal) -> Decimal:
    """Nearest that momentum and profit share may come: min_distance_percent or the ticks."""
    policy = trail.policy
    ticks = policy.min_distance_ticks * trail.instrument.tick_size
    return max(price * policy.min_distance_percent * CENT, ticks)


def distance_at(trail: Trail, peak: Decimal) -> Decimal:
    """Distance in force behind this peak, a price difference above zero.

    The profit share's is measured from the peak too, and may be the whole way to the entry.
    """
    distance = _configured_distance(trail, peak)
    if trail.momentum_used:
        distance = max(distance * trail.policy.momentum_factor, least_distance(trail, peak))
    return distance


def _configured_distance(trail: Trail, peak: Decimal) -> Decimal:
    distance = trail.policy.distance
    if isinstance(distance, Callback):
        return peak * distance.callback_percent * CENT
    if isinstance(distance, Steps):
        return peak * rung(trail, distance, peak) * CENT
    if isinstance(distance, Atr):
        return _atr_distance(trail, distance, peak)
    if isinstance(distance, ProfitShare):
        return _share_distance(trail, distance, peak)
    return distance.distance


def rung(trail: Trail, steps: Steps, peak: Decimal) -> Decimal:
    """Callback of the ladder, percent, for the gain that this peak is."""
    callback = steps.rungs[0].callback_percent
    if not trail.position.entry_known:
        return callback
    gain = gain_percent(trail, peak)
    for rung in steps.rungs:
        if gain >= rung.gain_percent:
            callback = rung.callback_percent
    return callback


def _atr_distance(trail: Trail, atr: Atr, peak: Decimal) -> Decimal:
    state = trail.atr
    if state is None or state.candles < atr.length:
        return peak * atr.callback_percent * CENT
    ticks = trail.policy.min_distance_ticks * trail.instrument.tick_size
    return max(state.value * atr.multiplier, ticks)


def _share_distance(trail: Trail, share: ProfitShare, peak: Decimal) -> Decimal:
    s = trail.position.side.sign
    entry = trail.position.entry_price
    if trail.policy.gain_basis == "gross":
        stop = entry + share.share * (peak - entry)
    else:
        kept = share.share * gain_percent(trail, peak, net=True) * entry * CENT
        paid = entry * trail.fees.entry + funding(trail) / trail.position.quantity
        stop = (s * entry + kept + paid) / (s - trail.fees.exit)
    return max((peak - stop) * s, least_distance(trail, peak))


def distance_stop(trail: Trail, peak: Decimal) -> Decimal | None:
    """Stop behind this peak; None while a profit share does not cover the fees both ways.

    Nor is there a share of a profit while the entry is not known.
    """
    side = trail.position.side
    if isinstance(trail.policy.distance, ProfitShare) and not trail.position.entry_known:
        return None
    stop = peak - distance_at(trail, peak) * side.sign
    if isinstance(trail.policy.distance, ProfitShare) and side.better(
        net_break(trail, funded=False), stop
    ):
        return None
    return stop


def breakeven_due(trail: Trail, price: Decimal) -> bool:
    """Whether the stop may stand at breakeven at this price.

    The gain must have been reached, and the price be so far that the distance in force
    still lies between it and the breakeven stop.
    """
    at_percent = trail.policy.breakeven_at_percent
    if at_percent is None or not trail.position.entry_known:
        return False
    if gain_percent(trail, price, net=False) < at_percent:
        return False
    assert trail.breakeven_at is not None, "derived with the policy"
    side = trail.position.side
    near = price - distance_at(trail, price) * side.sign
    return not side.better(trail.breakeven_at, near)


def liquidation_limit(trail: Trail, base: Decimal) -> Decimal | None:
    """Loosest price that a stop may have: a tenth of the way from the liquidation to entry.

    A base that is itself beyond that limit leaves a tenth of its own way; one beyond the
    liquidation price leaves no limit.
    """
    liquidation = trail.position.liquidation_price
    entry, side = trail.position.entry_price, trail.position.side
    if liquidation is None or not side.better(entry, liquidation):
        return None
    limit = liquidation + (entry - liquidation) * LIQUIDATION_MARGIN
    if not side.touches(base, limit):
        return limit
    if not side.better(base, liquidation):
        return None
    return liquidation + (base - liquidation) * LIQUIDATION_MARGIN


def initial_stop(trail: Trail, base: Decimal) -> Decimal | None:
    """Initial stop from this base (entry, or the present price), before snapping.

    Where the stop of somebody else serves as the initial one, only the liquidation's limit.
    """
    percent = trail.policy.initial_stop_percent
    if percent is None:
        return None
    limit = liquidation_limit(trail, base)
    if trail.foreign_initial:
        return limit
    stop = percent_away(base, percent, trail.position.side)
    return stop if limit is None else trail.position.side.best(stop, limit)


def backstop_price(
    trail: Trail, percent: Decimal, base: Decimal, loosest: Decimal | None
) -> Decimal | None:
    """Backstop this many percent from the base, on the tick grid; None where it does not fit.

    It lies at least (backstop − initial) percent of the base beyond the loosest stop that
    counts, and before the liquidation margin.
    """
    side = trail.position.side
    stop = percent_away(base, percent, side)
    if loosest is not None:
        initial = trail.policy.initial_stop_percent or ZERO
        behind = loosest - base * (percent - initial) * CENT * side.sign
        stop = behind if side.better(stop, behind) else stop
    limit = liquidation_limit(trail, base)
    if limit is not None:
        stop = side.best(stop, limit)
    snapped = trail.instrument.snap_stop(stop, side)
    fits = snapped > 0 and side.better(base if loosest is None else loosest, snapped)
    return snapped if fits else None


def backstop_kept_clear(trail: Trail) -> Decimal | None:
    """The backstop of before, drawn in where the liquidation price has come nearer.

    None where it does not fit behind the working stop any more.
    """
    stop, working, side = trail.backstop, trail.live_stop, trail.position.side
    if stop is None or trail.base_price is None:
        return stop
    limit = liquidation_limit(trail, trail.base_price)
    if limit is None or not side.better(limit, stop):
        return stop
    snapped = trail.instrument.snap_stop(limit, side)
    return snapped if working is not None and side.better(working, snapped) else None


def distance_too_small(trail: Trail, price: Decimal) -> str | None:
    """Say why the configured distance cannot be trailed at this price, or None."""
    policy = trail.policy
    if policy.min_distance_ticks == 0 or isinstance(policy.distance, ProfitShare | Atr):
        return None
    distance = distance_at(trail, price)
    tick = trail.instrument.tick_size
    if distance < tick * policy.min_distance_ticks:
        return (
            f"the distance is {distance.normalize():f} at price {price}, under "
            f"{policy.min_distance_ticks} ticks of {tick}: choose a larger one"
        )
    if trail.bid is not None and trail.ask is not None and distance < trail.ask - trail.bid:
        return (
            f"the distance is {distance.normalize():f} at price {price}, under the spread of "
            f"{trail.ask - trail.bid}: choose a larger one"
        )
    return None


def uses_entry(policy: Policy) -> bool:
    """Whether the distance is taken from the entry, so that a new average restarts it."""
    return isinstance(policy.distance, ProfitShare | Steps)


def next_atr(state: AtrState | None, atr: Atr, candle: tuple[Decimal, ...]) -> AtrState:
    """Wilder's average true range after one more closed candle (high, low, close).

    The first candle's range is high − low; the first `length` ranges are averaged plainly,
    after which each new one weighs 1/length.
    """
    high, low, last = candle
    if state is None:
        candles, total = 1, high - low
    else:
        before = state.last_close
        true_range = max(high - low, abs(high - before), abs(low - before))
        candles = state.candles + 1
        # The sum is exact; only the average divides.
        seeded = state.candles >= atr.length
        total = state.value * (atr.length - 1 if seeded else 1) + true_range
    value = total / atr.length if candles >= atr.length else total
    return AtrState(candles=candles, value=value, last_close=last)
