"""freqtrade's `stoploss` and `trailing_stop*` settings.

Source: https://www.freqtrade.io/en/stable/stoploss/ and, for leverage, https://www.freqtrade.io/en/stable/leverage/.
freqtrade's ratios are shares of the margin: −0.1 leaves at a tenth of it, which at leverage 5 is 2 %
of price. Its profit is after fees, rounded to eight decimals before anything is compared with it.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from trailstop.dialects.bare import trailing_only
from trailstop.domain.policy import HUNDRED, Callback, Distance, Policy, Rung, Steps
from trailstop.errors import ConfigError

PROFIT_STEP: Final = Decimal("1E-8")
"""Unit that freqtrade rounds a profit ratio to."""
UNREACHED_PERCENT: Final = Decimal(1_000_000)
"""Gain that no position makes: a stop that never trails."""
NO_GAIN: Final = Decimal(0)


class Stops(Struct, frozen=True):
    """freqtrade's settings of the stop, under freqtrade's own names.

    Ratios are fractions of the margin (0.1 = 10 %), `stoploss` is below zero. With
    `use_custom_stoploss` the strategy's method is taken to answer `stoploss`, as freqtrade's
    own does until it is overridden.
    """

    stoploss: Decimal
    trailing_stop: bool = False
    trailing_stop_positive: Decimal | None = None
    trailing_stop_positive_offset: Decimal = Decimal(0)
    trailing_only_offset_is_reached: bool = False
    use_custom_stoploss: bool = False
    leverage: Decimal = Decimal(1)

    def __post_init__(self) -> None:
        """Refuse what freqtrade refuses, and what leaves no stop."""
        if self.leverage <= 0:
            raise ConfigError(f"leverage must be above 0, not {self.leverage}")
        if not 0 < self.distance < 1:
            raise ConfigError(
                f"stoploss must be below 0 and above -{self.leverage} (the whole price at leverage "
                f"{self.leverage}), not {self.stoploss}"
            )
        if not self.trailing_stop:
            return
        if self.trailing_stop_positive_offset < 0:
            raise ConfigError(
                f"trailing_stop_positive_offset must not be below 0, "
                f"not {self.trailing_stop_positive_offset}"
            )
        if self.positive is not None and not 0 < self.positive < 1:
            raise ConfigError(
                f"trailing_stop_positive must be above 0 and below {self.leverage}, "
                f"not {self.trailing_stop_positive}"
            )
        if self.waits and self.trailing_stop_positive_offset <= 0:
            raise ConfigError(
                "trailing_only_offset_is_reached needs a trailing_stop_positive_offset above 0"
            )

    @property
    def distance(self) -> Decimal:
        """Distance of the first stop, a fraction of price."""
        return -self.stoploss / self.leverage

    @property
    def positive(self) -> Decimal | None:
        """The nearer distance, a fraction of price; None where there is none."""
        positive = self.trailing_stop_positive
        return positive / self.leverage if self.trailing_stop and positive else None

    @property
    def waits(self) -> bool:
        """Whether nothing trails below the offset."""
        return self.trailing_stop and self.trailing_only_offset_is_reached


def stoploss(stops: Stops) -> Policy:
    """Policy of one position, with freqtrade's own thresholds in percent of price.

    Gains are net of fees. At a profit of exactly the offset freqtrade still keeps the wider
    distance, this policy already the nearer one; `as_rounded` decides that alike too.
    """
    return _policy(stops, reached=stops.trailing_stop_positive_offset, passed=None)


def as_rounded(stops: Stops, *, entry_cost: Decimal = Decimal(0)) -> Policy:
    """Policy whose thresholds lie where freqtrade's rounded profit crosses its own.

    It trails from a rounded profit of at least the offset, with the nearer distance above it.
    `entry_cost` is the fee that a profit ratio's denominator holds: the rate for a long, minus
    the rate for a short.
    """
    offset = stops.trailing_stop_positive_offset
    half = PROFIT_STEP / 2
    reached = offset.quantize(PROFIT_STEP, ROUND_CEILING) - half
    passed = offset.quantize(PROFIT_STEP, ROUND_FLOOR) + half
    whole = 1 + entry_cost
    return _policy(stops, reached=reached * whole, passed=passed * whole)


def _policy(stops: Stops, *, reached: Decimal, passed: Decimal | None) -> Policy:
    """Two thresholds of profit: trailing begins, and the nearer distance is taken."""
    wide = stops.distance * HUNDRED
    trails = stops.trailing_stop or stops.use_custom_stoploss
    waits = stops.waits and not stops.use_custom_stoploss
    activation = NO_GAIN
    if not trails:
        activation = UNREACHED_PERCENT
    elif waits:
        activation = reached / stops.leverage * HUNDRED
    distance: Distance = Callback(wide)
    if stops.positive is not None:
        near = stops.positive * HUNDRED
        # The strategy's own method goes on asking for its distance beside the nearer one.
        near = min(near, wide) if stops.use_custom_stoploss else near
        gain = (reached if passed is None else passed) / stops.leverage * HUNDRED
        if passed is None and (waits or gain <= 0):
            distance = Callback(near)
        else:
            distance = Steps((Rung(NO_GAIN, wide), Rung(gain, near)))
    return replace(
        trailing_only(distance),
        initial_stop_percent=wide,
        activation_percent=activation,
        gain_basis="net",
    )
