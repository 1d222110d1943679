"""The settings of one trail, each with its unit, default and the reason for the default."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from msgspec import Struct
from msgspec.structs import force_setattr

from trailstop.domain.price import Rounding
from trailstop.errors import ConfigError

HUNDRED = Decimal(100)
DEFAULT_ACTIVATION_PERCENT = Decimal("1.5")


class Callback(Struct, frozen=True, tag="callback"):
    """Stop a percentage of the peak away from it."""

    callback_percent: Decimal = Decimal("0.5")
    """Percent of the peak. 0.5 lets a liquid coin breathe and gives back little."""


class ProfitShare(Struct, frozen=True, tag="profit_share"):
    """Keep a share of the best gain: stop = entry + share × (peak − entry)."""

    share: Decimal = Decimal("0.5")
    """Fraction of the peak gain that is kept, above 0 and below 1. Half is the usual wish."""


class Rung(Struct, frozen=True, array_like=True):
    """From this gain of the peak (percent) on, this callback (percent)."""

    gain_percent: Decimal
    callback_percent: Decimal


class Steps(Struct, frozen=True, tag="steps"):
    """A ladder of callbacks by the peak's gain; below the first rung the first one holds."""

    rungs: tuple[Rung, ...] = (
        Rung(Decimal("1.0"), Decimal("0.5")),
        Rung(Decimal("2.0"), Decimal("0.3")),
        Rung(Decimal("3.0"), Decimal("0.2")),
    )


class Atr(Struct, frozen=True, tag="atr"):
    """A multiple of Wilder's average true range of closed candles of the trigger price.

    Until `length` candles are there `callback_percent` holds.
    Source: J. W. Wilder, New Concepts in Technical Trading Systems, 1978.
    """

    length: int = 14
    timeframe_minutes: int = 15
    multiplier: Decimal = Decimal("2.0")
    callback_percent: Decimal = Decimal("0.5")


class Absolute(Struct, frozen=True, tag="absolute"):
    """Stop a fixed price distance from the peak, quote currency."""

    distance: Decimal


Distance = Callback | ProfitShare | Steps | Atr | Absolute


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """How one position is trailed. Fields that end in `_percent` are percent of price."""

    initial_stop_percent: Decimal | None = Decimal("2.0")
    """Distance of the stop placed at once for a position that has none; None places none.
    At 5 × leverage 2 % is a tenth of the margin: a loss one can live with."""

    existing_stop: Literal["keep", "tighten"] = "keep"
    """A right-sized stop of somebody else is taken as the initial stop (`keep`), or ours is
    placed beside it at once where theirs is wider (`tighten`). Their wish comes first."""

    on_adopt_beyond: Literal["from_price", "close"] = "from_price"
    """The price is beyond the initial stop at adoption: measure it from the present price
    and alarm, or close. Nobody expects a start-up to close positions."""

    backstop_percent: Decimal | None = Decimal("5.0")
    """Distance of the whole-position stop behind the working one; None places none. Far
    enough never to be reached while the working stop stands."""

    activation_percent: Decimal | None = None
    """Gain at which trailing begins; 1.5 unless `activation_price` is given. 0 activates
    with the first accepted price. 1.5 leaves a 0.5 % callback well above breakeven."""

    activation_price: Decimal | None = None
    """Price at which trailing begins instead, quote currency."""

    activation_after_minutes: Decimal | None = None
    """Age of the position at which trailing begins as well; off by default, 10 is usual."""

    activation_after_gain_percent: Decimal = Decimal("0.0")
    """Gain that must be exceeded for activation by time."""

    distance: Distance = Callback()
    """How far behind the peak the stop stays."""

    breakeven_at_percent: Decimal | None = Decimal("0.5")
    """Gain at which the stop moves to the price that pays all fees; None switches it off."""

    breakeven_offset_percent: Decimal = Decimal("0.0")
    """Percent of the breakeven price added to it, in the position's favour."""

    gain_basis: Literal["gross", "net"] = "gross"
    """`net` takes fees both ways and funding off the gain first. Charts show gross."""

    momentum_percent_per_minute: Decimal | None = None
    """Favourable speed that tightens the distance once; off by default, 0.1 is usual."""

    momentum_factor: Decimal = Decimal("0.7")
    """What the distance is multiplied by then."""

    momentum_window_seconds: int = 60
    """Age of the price that the speed is measured from, seconds."""

    min_distance_percent: Decimal = Decimal("0.1")
    """Nearest that momentum and profit share may bring the stop, percent of price."""

    min_distance_ticks: int = 3
    """The same in ticks; a configured distance below it is refused. Below three ticks the
    spread alone triggers the stop."""

    update_interval_seconds: Decimal = Decimal(60)
    """Pacing: least time between two moves of one stop. One a minute keeps hundreds of
    positions inside an exchange's order limits."""

    min_improvement_percent: Decimal = Decimal("0.1")
    """Pacing: least move, percent of the live stop."""

    emergency_percent: Decimal | None = Decimal("1.0")
    """Pacing: an improvement of at least this ignores interval and minimum."""

    pacing: Literal["fixed", "budget", "none"] = "fixed"
    """`fixed`: the three above; `budget`: as soon as the exchange's limits allow, the stop with
    most money at risk first, without the three above; `none`: dialects."""

    trigger_price: Literal["last", "mark"] = "last"
    """Which price the working stop watches; the trail watches the same one."""

    backstop_trigger_price: Literal["last", "mark"] = "mark"
    """Which price the backstop watches. Mark does not follow a stray print."""

    on_cross: Literal["close", "hold"] = "close"
    """The exact stop is crossed while the live stop is looser: close at market, or leave it
    to the live stop. A stop that was promised is kept."""

    rounding: Rounding = Rounding.MARKET
    """How a stop is put on the tick grid; the other values carry dialects."""

    basis: Literal["last", "mark", "bid_ask", "last_or_bid_ask"] = "last"
    """Which price the distance is taken from; the other values carry dialects."""

    strict: bool = False
    """True: a touch does not fire, only a price beyond the stop; carries dialects."""

    def __post_init__(self) -> None:
        """Fill the activation and refuse settings that contradict each other."""
        if self.activation_percent is not None and self.activation_price is not None:
            raise ConfigError("activation_percent and activation_price are both set: keep one")
        if self.activation_percent is None and self.activation_price is None:
            force_setattr(self, "activation_percent", DEFAULT_ACTIVATION_PERCENT)
        _check_numbers(self)
        _check_distance(self.distance)


def _require(condition: bool, text: str) -> None:
    if not condition:
        raise ConfigError(text)


def _check_numbers(policy: Policy) -> None:
    """Refuse numbers that have no meaning, each with the setting's name and a way out."""
    initial, backstop = policy.initial_stop_percent, policy.backstop_percent
    for name in ("initial_stop_percent", "backstop_percent"):
        value = getattr(policy, name)
        _require(
            value is None or 0 < value < HUNDRED,
            f"{name} must be above 0 and below 100, or none; not {value}",
        )
    if initial is not None and backstop is not None:
        _require(
            backstop > initial,
            f"backstop_percent ({backstop}) must be farther than initial_stop_percent ({initial})",
        )
    for name in (
        "activation_percent", "breakeven_at_percent", "activation_after_minutes",
        "min_distance_percent", "update_interval_seconds", "min_improvement_percent",
        "min_distance_ticks", "activation_after_gain_percent",
    ):  # fmt: skip
        value = getattr(policy, name)
        _require(value is None or value >= 0, f"{name} must not be negative, not {value}")
    for name in (
        "activation_price", "momentum_percent_per_minute", "momentum_window_seconds",
        "emergency_percent",
    ):  # fmt: skip
        value = getattr(policy, name)
        _require(value is None or value > 0, f"{name} must be above 0, not {value}")
    _require(
        0 < policy.momentum_factor <= 1,
        f"momentum_factor must be above 0 and at most 1, not {policy.momentum_factor}",
    )
    _require(
        -HUNDRED < policy.breakeven_offset_percent < HUNDRED,
        f"breakeven_offset_percent must lie between -100 and 100, "
        f"not {policy.breakeven_offset_percent}",
    )


def _check_distance(distance: Distance) -> None:
    match distance:
        case Callback(percent):
            _check_callback(percent)
        case ProfitShare(share):
            _require(0 < share < 1, f"profit_share must be above 0 and below 1, not {share}")
        case Steps(rungs):
            _require(bool(rungs), "steps needs at least one rung: gain → callback")
            gains = [rung.gain_percent for rung in rungs]
            _require(
                gains == sorted(set(gains)),
                "steps must rise: each rung's gain above the one before",
            )
            for rung in rungs:
                _check_callback(rung.callback_percent)
        case Atr(length, timeframe, multiplier, callback):
            _require(
                length > 0 and timeframe > 0 and multiplier > 0,
                "atr: length, timeframe_minutes and multiplier must be above 0",
            )
            _check_callback(callback)
        case _:
            price = distance.distance
            _require(price > 0, f"absolute distance must be above 0, not {price}")


def _check_callback(percent: Decimal) -> None:
    _require(
        0 < percent < HUNDRED, f"callback_percent must be above 0 and below 100, not {percent}"
    )
