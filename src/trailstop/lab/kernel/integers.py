"""A policy as whole numbers, so that the compiled loops decide exactly as the rule does.

Prices of a short are negated, so that one loop serves both sides: better is always greater.
A price in *sub-units* is units × `scale`. `scale` is twice the number that makes every stop of
the policy a whole one; so what lies on the grid of the stops is even, and a real number between
two of its points (a breakeven, an average range) is told by the odd number between them:
every comparison of the two comes out as that of the real numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import lcm

import numpy as np

from trailstop.domain.policy import Absolute, Atr, Callback, Policy, ProfitShare, Steps
from trailstop.domain.price import Instrument, Rounding
from trailstop.errors import ConfigError
from trailstop.lab.entries import Entries
from trailstop.lab.series import Int64
from trailstop.lab.terms import Costs

HUNDRED = Fraction(100)
MS_PER_MINUTE = 60_000
MS_PER_SECOND = 1_000
SECONDS_PER_MINUTE = 60
NONE = -(1 << 62)
"""A stop, level or time that is not there; beneath every price in sub-units."""
NEVER_LEVEL = 1 << 62
"""A level that no price reaches."""
ROOM = 1 << 60
"""Sums of a few products of prices below this stay inside 64 bits."""
ATR_SCALE = 1_000_000
"""Parts of a unit in which average ranges are held apart."""

KNOWN_MAX = 256
"""Policies whose translation is kept, for callers that ask about few of them often."""

# Kinds of distance.
RATE, AMOUNT, RANGE, SHARE = 0, 1, 2, 3
# Fields of `Whole.cell`, the settings of one loop.
(
    SCALE, TICK, KIND, FIXED, FIXED_FAST, LEAST_RATE, LEAST_FIXED, SHARE_RATE, CHECKED,
    AT_ONCE, RIPE_MS, TIMED, SPEED_TOP, SPEED_BOTTOM, WINDOW_MS, LIMIT, RESTLESS, FIELDS,
) = range(18)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Whole:
    """The settings of one loop. `rates` are the ladder's callbacks, `fast` those after momentum."""

    scale: int
    cell: Int64
    rates: Int64
    fast: Int64


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """What follows from each entry's price, in sub-units; `NONE` where it is not wanted.

    `rungs[entry, n]` is the peak from which on the ladder's rung `n` holds; the first one, and what
    is no ladder, holds from `NONE` on.
    """

    activation: Int64
    ripe: Int64
    initial: Int64
    breakeven: Int64
    breakeven_from: Int64
    paid: Int64
    rungs: Int64


@lru_cache(maxsize=KNOWN_MAX)
def translate(policy: Policy, instrument: Instrument, unit: Decimal, parts: int = 1) -> Whole:
    """Policy and grid as whole numbers. Raises ConfigError where they do not fit in 64 bits.

    `parts` is what half a scale must be a multiple of, so that several policies share one.
    """
    distance, factor = policy.distance, _factor(policy)
    scale = 2 * lcm(parts, parts_of(policy, instrument, unit))
    callbacks = [percent * scale / HUNDRED for percent in _callbacks(policy)]
    fixed = Fraction(0)
    if isinstance(distance, Absolute):
        fixed = Fraction(distance.distance) / Fraction(unit) * scale
    tick = Fraction(instrument.tick_size) / Fraction(unit) * scale
    cell = np.zeros(FIELDS, dtype=np.int64)
    rounded = policy.rounding is Rounding.MARKET
    share = isinstance(distance, ProfitShare)
    values: dict[int, int | Fraction] = {
        SCALE: scale,
        TICK: tick if rounded else 0,
        KIND: _kind(policy),
        FIXED: fixed,
        FIXED_FAST: fixed * factor,
        LEAST_RATE: Fraction(policy.min_distance_percent) / HUNDRED * scale,
        LEAST_FIXED: policy.min_distance_ticks * tick,
        SHARE_RATE: Fraction(distance.share) * scale if isinstance(distance, ProfitShare) else 0,
        CHECKED: policy.min_distance_ticks > 0 and not share and not isinstance(distance, Atr),
        AT_ONCE: policy.activation_percent == 0,
        RIPE_MS: NONE,
        LIMIT: ROOM // scale,
        RESTLESS: callbacks != sorted(callbacks, reverse=True),
    }
    if policy.activation_after_minutes is not None:
        values[RIPE_MS] = int(policy.activation_after_minutes * MS_PER_MINUTE)
    if policy.momentum_percent_per_minute is not None:
        speed = Fraction(policy.momentum_percent_per_minute) / HUNDRED
        least = speed * policy.momentum_window_seconds / SECONDS_PER_MINUTE
        values[SPEED_TOP], values[SPEED_BOTTOM] = least.numerator, least.denominator
        values[WINDOW_MS] = policy.momentum_window_seconds * MS_PER_SECOND
        values[LIMIT] = min(ROOM // scale, ROOM // max(least.numerator, least.denominator))
    timed = values[RIPE_MS] != NONE or WINDOW_MS in values or isinstance(distance, Atr)
    values[TIMED] = timed
    for field, value in values.items():
        if abs(Fraction(value)) >= ROOM and value != NONE:
            raise ConfigError(
                "the settings have too many decimals for the fast engine: round them, "
                "or take the exact engine"
            )
        cell[field] = int(value)
    rates = np.array([int(rate) for rate in callbacks] or [0], dtype=np.int64)
    fast = np.array([int(rate * factor) for rate in callbacks] or [0], dtype=np.int64)
    return Whole(scale=scale, cell=cell, rates=rates, fast=fast)


def parts_of(policy: Policy, instrument: Instrument, unit: Decimal) -> int:
    """Least number of parts of a unit in which every stop of the policy is a whole number."""
    found = [
        fraction.denominator
        for fraction in (*_fractions(policy), Fraction(instrument.tick_size) / Fraction(unit))
    ]
    if isinstance(policy.distance, Atr):
        found.append(ATR_SCALE)
    return lcm(*found)


def _kind(policy: Policy) -> int:
    kinds: dict[type, int] = {Absolute: AMOUNT, Atr: RANGE, ProfitShare: SHARE}
    return kinds.get(type(policy.distance), RATE)


def _factor(policy: Policy) -> Fraction:
    off = policy.momentum_percent_per_minute is None
    return Fraction(1) if off else Fraction(policy.momentum_factor)


def _callbacks(policy: Policy) -> list[Fraction]:
    """The callbacks of a ladder, or the one of all others, percent."""
    distance = policy.distance
    if isinstance(distance, Steps):
        return [Fraction(rung.callback_percent) for rung in distance.rungs]
    if isinstance(distance, Callback | Atr):
        return [Fraction(distance.callback_percent)]
    return []


def _fractions(policy: Policy) -> Iterable[Fraction]:
    """All that a price is multiplied by on the way to a stop."""
    distance, factor = policy.distance, _factor(policy)
    for percent in _callbacks(policy):
        yield percent / HUNDRED
        yield percent / HUNDRED * factor
    if isinstance(distance, ProfitShare):
        yield Fraction(distance.share)
    if isinstance(distance, Absolute):
        yield Fraction(distance.distance)
        yield Fraction(distance.distance) * factor
    if isinstance(distance, Steps):
        yield from (Fraction(rung.gain_percent) / HUNDRED for rung in distance.rungs)
    yield Fraction(policy.min_distance_percent) / HUNDRED
    for setting in (
        policy.initial_stop_percent, policy.activation_percent, policy.breakeven_at_percent,
        policy.activation_after_gain_percent,
    ):  # fmt: skip
        if setting is not None:
            yield Fraction(setting) / HUNDRED


def levels(policy: Policy, whole: Whole, entries: Entries, costs: Costs, unit: Decimal) -> Levels:
    """What the rule derives from each entry. Raises ConfigError where a price is too large."""
    scale, count = whole.scale, len(entries)
    if count and int(entries.price.max()) > int(whole.cell[LIMIT]):
        raise ConfigError(
            "prices and settings have too many digits for the fast engine: round the settings, "
            "or take the exact engine"
        )
    none = np.full(count, NONE, dtype=np.int64)
    activation = activation_levels(policy, scale, entries, costs, unit)
    initial, breakeven, breakeven_from, ripe, paid = none, none, none, none, none
    if policy.initial_stop_percent is not None:
        initial = _gained(entries, -policy.initial_stop_percent, scale)
    if policy.breakeven_at_percent is not None:
        breakeven_from = _gained(entries, policy.breakeven_at_percent, scale)
        offset = Fraction(policy.breakeven_offset_percent) / HUNDRED
        breakeven = _net_levels(entries, Fraction(0), costs, scale, offset)
    if policy.activation_after_minutes is not None:
        ripe = _level(policy, entries, policy.activation_after_gain_percent, costs, scale)
    if isinstance(policy.distance, ProfitShare):
        paid = _net_levels(entries, Fraction(0), costs, scale)
    ladder = policy.distance.rungs if isinstance(policy.distance, Steps) else ()
    rungs = np.empty((count, max(1, len(ladder))), dtype=np.int64)
    rungs[:, 0] = NONE
    for number, rung in enumerate(ladder):
        if number:
            rungs[:, number] = _level(policy, entries, rung.gain_percent, costs, scale)
    return Levels(activation, ripe, initial, breakeven, breakeven_from, paid, rungs)


def activation_levels(
    policy: Policy, scale: int, entries: Entries, costs: Costs, unit: Decimal
) -> Int64:
    """Where trailing begins for each entry; `NONE` where it begins at once."""
    if policy.activation_price is not None:
        wanted = Fraction(policy.activation_price) / Fraction(unit) * scale / 2
        return np.where(entries.sign > 0, _mark(wanted), _mark(-wanted))
    if policy.activation_percent:
        return _level(policy, entries, policy.activation_percent, costs, scale)
    return np.full(len(entries), NONE, dtype=np.int64)


def _gained(entries: Entries, percent: Decimal, scale: int) -> Int64:
    """Price at which this gross gain is reached; a loss where it is negative."""
    gain = int(Fraction(percent) / HUNDRED * scale)
    prices: Int64 = entries.price * (entries.sign * np.int64(scale) + gain)
    return prices


def _level(policy: Policy, entries: Entries, percent: Decimal, costs: Costs, scale: int) -> Int64:
    """The same for the gain as the policy counts it."""
    if policy.gain_basis == "gross":
        return _gained(entries, percent, scale)
    return _net_levels(entries, Fraction(percent) / HUNDRED, costs, scale)


def _net_levels(
    entries: Entries, gain: Fraction, costs: Costs, scale: int, offset: Fraction = Fraction(0)
) -> Int64:
    """Price at which this gain is left after fees both ways, moved by `offset` in its favour.

    For a long (E + E·(gain + f_in)) / (1 − f_out), and the same with signs for a short.
    """
    found = np.empty(len(entries), dtype=np.int64)
    paid = gain + Fraction(costs.entry_fee)
    for sign in (1, -1):
        factor = (sign + paid) / (1 - sign * Fraction(costs.exit_fee)) * (1 + sign * offset)
        top, bottom = factor.numerator * (scale // 2), factor.denominator
        chosen = entries.sign == sign
        found[chosen] = [
            _mark_ratio(price * top, bottom) for price in entries.price[chosen].tolist()
        ]
    return found


def _mark(value: Fraction) -> int:
    return _mark_ratio(value.numerator, value.denominator)


def _mark_ratio(top: int, bottom: int) -> int:
    """A real number of half sub-units, even on the grid and odd between two of its points."""
    whole, rest = divmod(top, bottom)
    return 2 * whole + (rest > 0)
