"""Settings: defaults as documented, and nonsense refused by name."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from trailstop.domain.policy import Absolute, Atr, Callback, Policy, ProfitShare, Rung, Steps
from trailstop.errors import ConfigError

D = Decimal


def test_defaults() -> None:
    policy = Policy()
    assert policy.initial_stop_percent == D("2.0")
    assert policy.existing_stop == "keep"
    assert policy.on_adopt_beyond == "from_price"
    assert policy.backstop_percent == D("5.0")
    assert policy.activation_percent == D("1.5")
    assert policy.activation_price is None
    assert policy.activation_after_minutes is None
    assert policy.distance == Callback(D("0.5"))
    assert policy.breakeven_at_percent == D("0.5")
    assert policy.gain_basis == "gross"
    assert policy.momentum_percent_per_minute is None
    assert policy.update_interval_seconds == 60
    assert policy.min_improvement_percent == D("0.1")
    assert policy.emergency_percent == D("1.0")
    assert policy.pacing == "fixed"
    assert policy.trigger_price == "last"
    assert policy.backstop_trigger_price == "mark"
    assert policy.on_cross == "close"


def test_an_activation_price_takes_the_place_of_the_percent() -> None:
    policy = Policy(activation_price=D(105))
    assert policy.activation_percent is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"activation_percent": D(1), "activation_price": D(105)}, "both set: keep one"),
        ({"initial_stop_percent": D(0)}, "initial_stop_percent must be above 0 and below 100"),
        ({"initial_stop_percent": D(100)}, "initial_stop_percent must be above 0 and below 100"),
        ({"backstop_percent": D(-1)}, "backstop_percent must be above 0 and below 100"),
        ({"backstop_percent": D(2)}, "must be farther than initial_stop_percent"),
        ({"activation_percent": D(-1)}, "activation_percent must not be negative"),
        ({"activation_price": D(0)}, "activation_price must be above 0"),
        ({"activation_after_minutes": D(-1)}, "activation_after_minutes must not be negative"),
        ({"breakeven_at_percent": D(-1)}, "breakeven_at_percent must not be negative"),
        ({"update_interval_seconds": D(-1)}, "update_interval_seconds must not be negative"),
        ({"min_improvement_percent": D(-1)}, "min_improvement_percent must not be negative"),
        ({"emergency_percent": D(0)}, "emergency_percent must be above 0"),
        ({"momentum_percent_per_minute": D(0)}, "momentum_percent_per_minute must be above 0"),
        ({"momentum_window_seconds": 0}, "momentum_window_seconds must be above 0"),
        ({"momentum_factor": D(0)}, "momentum_factor must be above 0 and at most 1"),
        ({"momentum_factor": D("1.1")}, "momentum_factor must be above 0 and at most 1"),
        ({"breakeven_offset_percent": D(100)}, "breakeven_offset_percent must lie between"),
        ({"distance": Callback(D(0))}, "callback_percent must be above 0 and below 100"),
        ({"distance": Callback(D(100))}, "callback_percent must be above 0 and below 100"),
        ({"distance": ProfitShare(D(1))}, "profit_share must be above 0 and below 1"),
        ({"distance": ProfitShare(D(0))}, "profit_share must be above 0 and below 1"),
        ({"distance": Steps(())}, "steps needs at least one rung"),
        ({"distance": Steps((Rung(D(1), D(0)),))}, "callback_percent must be above 0"),
        (
            {"distance": Steps((Rung(D(2), D(1)), Rung(D(1), D(1))))},
            "steps must rise",
        ),
        (
            {"distance": Steps((Rung(D(1), D(1)), Rung(D(1), D(1))))},
            "steps must rise",
        ),
        ({"distance": Atr(length=0)}, "atr: length, timeframe_minutes and multiplier"),
        ({"distance": Atr(multiplier=D(0))}, "atr: length, timeframe_minutes and multiplier"),
        ({"distance": Atr(callback_percent=D(0))}, "callback_percent must be above 0"),
        ({"distance": Absolute(D(0))}, "absolute distance must be above 0"),
    ],
)
def test_nonsense_is_refused_in_one_line(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        Policy(**settings)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"initial_stop_percent": None},
        {"backstop_percent": None},
        {"initial_stop_percent": None, "backstop_percent": D(1)},
        {"distance": Atr()},
        {"distance": Steps()},
        {"distance": ProfitShare()},
        {"distance": Absolute(D(1))},
        {"emergency_percent": None},
        {"breakeven_at_percent": None},
        {"momentum_factor": D(1)},
    ],
)
def test_what_can_be_meant_is_taken(settings: dict[str, Any]) -> None:
    Policy(**settings)
