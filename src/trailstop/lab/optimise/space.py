"""Which settings are tried: axes of exact values, and the policy that a choice of them makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from itertools import product
from math import prod
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from trailstop.domain.policy import Absolute, Atr, Callback, Distance, Policy, ProfitShare
from trailstop.errors import ConfigError

VALUES_MAX: Final = 100_000
"""More values on one axis, or cells in a whole grid, are a typing error."""
CELLS_MAX: Final = 10_000_000
DEFAULT_STEP: Final = Decimal("0.001")
"""Grid of a range without a step: finer settings make no difference that data could tell."""
DISTANCES: Final = ("callback_percent", "atr_multiplier", "profit_share", "absolute_distance")
OFF: Final = ("breakeven_at_percent", "initial_stop_percent")
"""Settings that `none` switches off."""
NAMES: Final = ("activation_percent", *DISTANCES, *OFF)
PARTS: Final = (1, 2, 3)

Choice = dict[str, Decimal | None]
"""A value for each axis, by the name of its setting; None switches the setting off."""


class Axis(Struct, frozen=True):
    """The values of one setting, rising."""

    name: str
    values: tuple[Decimal | None, ...]


class Space(Struct, frozen=True):
    """All combinations of the axes' values; the last axis runs fastest."""

    axes: tuple[Axis, ...]

    def __post_init__(self) -> None:
        """Refuse axes that contradict each other."""
        names = [axis.name for axis in self.axes]
        if not names:
            raise ConfigError("nothing is left to choose: give a range of at least one setting")
        unknown = [name for name in names if name not in NAMES]
        if unknown:
            raise ConfigError(f"{unknown[0]} cannot be optimised; choose among {', '.join(NAMES)}")
        for axis in self.axes:
            if None in axis.values and axis.name not in OFF:
                raise ConfigError(f"{axis.name} cannot be none: leave it out of the list")
        distances = [name for name in names if name in DISTANCES]
        if len(set(names)) < len(names) or len(distances) > 1:
            raise ConfigError(f"give one range a setting, and one distance: {', '.join(names)}")
        if self.size > CELLS_MAX:
            raise ConfigError(f"{self.size} combinations are too many: take wider steps")

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values on each axis."""
        return tuple(len(axis.values) for axis in self.axes)

    @property
    def size(self) -> int:
        """Number of combinations."""
        return prod(self.shape)

    def choice(self, place: Sequence[int]) -> Choice:
        """The values at a place of the grid."""
        return {axis.name: axis.values[at] for axis, at in zip(self.axes, place, strict=True)}

    def places(self) -> Iterator[tuple[int, ...]]:
        """Every place of the grid."""
        return product(*(range(count) for count in self.shape))

    def values_of(self, name: str) -> tuple[Decimal | None, ...] | None:
        """The values of an axis; None where this setting stays as it is."""
        return next((axis.values for axis in self.axes if axis.name == name), None)


def apply(policy: Policy, choice: Choice) -> Policy:
    """The policy with the chosen values. Raises ConfigError where they contradict the others."""
    for name, value in choice.items():
        if name in DISTANCES:
            assert value is not None, "a distance cannot be switched off"
            policy = replace(policy, distance=distance_of(policy, name, value))
        elif name == "activation_percent":
            policy = replace(policy, activation_percent=value, activation_price=None)
        elif name == "breakeven_at_percent":
            policy = replace(policy, breakeven_at_percent=value)
        else:
            policy = _with_initial(policy, value)
    return policy


def distance_of(policy: Policy, name: str, value: Decimal) -> Distance:
    """The distance that a value of its axis makes."""
    match name:
        case "callback_percent":
            return Callback(value)
        case "profit_share":
            return ProfitShare(value)
        case "absolute_distance":
            return Absolute(value)
        case _:
            present = policy.distance
            return replace(present if isinstance(present, Atr) else Atr(), multiplier=value)


def _with_initial(policy: Policy, value: Decimal | None) -> Policy:
    """Another initial stop; the backstop stays as far behind it as it was."""
    before, backstop = policy.initial_stop_percent, policy.backstop_percent
    if value is None or backstop is None or backstop > value:
        return replace(policy, initial_stop_percent=value)
    return replace(
        policy, initial_stop_percent=value, backstop_percent=value + backstop - (before or 0)
    )


def read_axis(name: str, text: str, *, stepless: bool = False) -> Axis:
    """Read `low:high:step`, single values `0.3,0.5,none`, or with `stepless` `low:high`.

    Raises ConfigError with the forms that are understood.
    """
    form = f"{name} is a range low:high:step or a list 0.3,0.5, not '{text}'"
    try:
        if ":" not in text:
            return Axis(name, tuple(_value(part) for part in text.split(",")))
        parts = [Decimal(part.strip()) for part in text.split(":")]
    except InvalidOperation:
        raise ConfigError(form) from None
    low, high, *rest = parts if len(parts) in PARTS else [Decimal("NaN")] * 2
    if not rest and not stepless:
        raise ConfigError(f"{form}; a range without a step needs --trials")
    step = rest[0] if rest else DEFAULT_STEP
    if not all(number.is_finite() for number in (low, high, step)) or step <= 0 or high < low:
        raise ConfigError(form)
    count = int((high - low) / step) + 1
    if count > VALUES_MAX:
        raise ConfigError(f"{name}: {count} values are too many; take a wider step")
    return Axis(name, tuple(low + step * number for number in range(count)))


def _value(text: str) -> Decimal | None:
    word = text.strip()
    if word.lower() == "none":
        return None
    value = Decimal(word)
    if not value.is_finite():
        raise InvalidOperation
    return value


def choice_words(choice: Choice) -> str:
    """A choice in a line: activation 1.5 %, callback 0.4 %."""
    return ", ".join(f"{_WORDS[name].format(_plain(value))}" for name, value in choice.items())


def _plain(value: Decimal | None) -> str:
    return "none" if value is None else f"{value.normalize():f}"


_WORDS: Final = {
    "activation_percent": "activation {} %",
    "callback_percent": "callback {} %",
    "atr_multiplier": "{} × ATR",
    "profit_share": "profit share {}",
    "absolute_distance": "distance {}",
    "breakeven_at_percent": "breakeven at {} %",
    "initial_stop_percent": "initial stop {} %",
}
