"""`trailstop import freqtrade`: the policy, the words, and files as freqtrade users have them."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from trailstop.commands.import_ import app
from trailstop.config import load_config
from trailstop.domain.policy import Callback, Rung, Steps
from trailstop.errors import ConfigError
from trailstop.lab.peers.freqtrade.importing import Imported, import_settings
from trailstop.lab.peers.freqtrade.reading import read_settings

D = Decimal
CONFIG = """{
    "$schema": "https://schema.freqtrade.io/schema.json", // a comment
    "max_open_trades": 3,
    "stake_currency": "USDT",
    "timeframe": "5m",
    "trading_mode": "futures", /* and
       one of two lines */
    "minimal_roi": {"40": 0.0, "0": 0.04,},
    "stoploss": -0.10,
    "trailing_stop": true,
    "trailing_stop_positive": 0.01,
    "trailing_stop_positive_offset": 0.02,
    "trailing_only_offset_is_reached": true,
    "unfilledtimeout": {"entry": 10, "exit": 10},
    "exchange": {"name": "binance", "ccxt_config": {"proxy": "http://a//b"}},
}
"""


def imported(leverage: str | None = None, **settings: Any) -> Imported:
    exact = {k: D(str(v)) if isinstance(v, float) else v for k, v in settings.items()}
    return import_settings(exact, leverage=None if leverage is None else D(leverage))


def notes(result: Imported, kind: str) -> set[str]:
    return {note.setting for note in result.notes if note.kind == kind}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.json"
    file.write_text(CONFIG, encoding="utf-8")
    return file


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["freqtrade", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_what_is_printed_is_a_configuration_with_that_policy(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "trailstop.toml"
    out.write_text(run(str(config), "--leverage", "2"), encoding="utf-8")
    policy = load_config(out, (), environ={}, need_accounts=False).policies.base()
    assert policy["initial_stop_percent"][0] == 5
    assert policy["activation_percent"][0] == 1
    assert policy["callback_percent"][0] == D("0.5")
    assert policy["breakeven_at_percent"][0] is None
    assert policy["gain_basis"][0] == "net"


def test_a_third_is_exact_in_the_policy_and_short_in_the_sentence(config: Path) -> None:
    printed = run(str(config), "--leverage", "3")
    assert "initial stop 3.3333 % of price at leverage 3" in printed
    assert "initial_stop_percent = 3.333333333333333333333333333\n" in printed


def test_what_has_no_equivalent_is_said_line_by_line(config: Path) -> None:
    printed = run(str(config))
    for name in ("minimal_roi", "unfilledtimeout"):
        assert f"#   {name}: " in printed
    assert "moves the stop once a candle (5m), this policy at every price" in printed
    assert "give --leverage" in printed
    assert "give --leverage" not in run(str(config), "--leverage", "2")


def test_json_has_the_policy_and_the_notes(config: Path) -> None:
    document = json.loads(run(str(config), "--json"))
    assert document["policy"]["initial_stop_percent"] == "10"
    assert {"kind", "setting", "text"} == set(document["notes"][0])


def test_without_trailing_the_stop_stays() -> None:
    policy = imported(stoploss=-0.1).policy
    assert policy.activation_percent is not None
    assert policy.activation_percent >= 1_000
    assert policy.initial_stop_percent == 10


@pytest.mark.parametrize(
    ("settings", "activation", "distance"),
    [
        pytest.param({}, 0, Callback(D(10)), id="by stoploss"),
        pytest.param(
            {"trailing_stop_positive": 0.02}, 0, Callback(D(2)), id="by positive from the entry on"
        ),
        pytest.param(
            {"trailing_stop_positive": 0.02, "trailing_stop_positive_offset": 0.03},
            0,
            Steps((Rung(D(0), D(10)), Rung(D(3), D(2)))),
            id="two distances",
        ),
        pytest.param(
            {
                "trailing_stop_positive": 0.02,
                "trailing_stop_positive_offset": 0.03,
                "trailing_only_offset_is_reached": True,
            },
            3,
            Callback(D(2)),
            id="waiting for the offset",
        ),
    ],
)
def test_trailing_settings(settings: dict[str, Any], activation: int, distance: object) -> None:
    policy = imported(stoploss=-0.1, trailing_stop=True, **settings).policy
    assert policy.activation_percent == activation
    assert policy.distance == distance


def test_leverage_divides_the_ratios() -> None:
    result = imported("5", stoploss=-0.1, trailing_stop=True, trailing_stop_positive=0.02)
    assert result.policy.initial_stop_percent == 2
    assert result.policy.distance == Callback(D("0.4"))


def test_a_wide_stop_takes_the_backstop_with_it() -> None:
    for loss in (-0.02, -0.1, -0.5, -0.99):
        policy = imported(stoploss=loss).policy
        assert policy.initial_stop_percent is not None
        assert policy.backstop_percent is not None
        assert policy.initial_stop_percent < policy.backstop_percent < 100


def test_the_stop_on_the_exchange_brings_its_interval_and_its_price() -> None:
    orders = {
        "stoploss_on_exchange": True,
        "stoploss_on_exchange_interval": 30,
        "stoploss_price_type": "mark",
    }
    policy = imported(stoploss=-0.1, order_types=orders).policy
    assert policy.update_interval_seconds == 30
    assert policy.trigger_price == "mark"


def test_a_custom_stoploss_is_named_as_lost() -> None:
    assert "use_custom_stoploss" in notes(imported(stoploss=-0.1, use_custom_stoploss=True), "none")


def test_exit_signals_are_named_as_lost_unless_they_are_off() -> None:
    assert notes(imported(stoploss=-0.1), "none") == {"use_exit_signal"}
    assert notes(imported(stoploss=-0.1, use_exit_signal=False), "none") == set()


def test_a_strategys_parameter_file_counts_over_the_configuration(
    config: Path, tmp_path: Path
) -> None:
    strategy = tmp_path / "strategy.json"
    params = {"stoploss": {"stoploss": -0.3}, "trailing": {"trailing_stop": False}}
    strategy.write_text(json.dumps({"strategy_name": "S", "params": params}), encoding="utf-8")
    result = import_settings(read_settings([config, strategy]))
    assert result.policy.initial_stop_percent == 30
    assert not result.stops.trailing_stop


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        pytest.param({}, "no stoploss", id="no stoploss"),
        pytest.param({"stoploss": 0.1}, "must be below 0", id="a positive stoploss"),
        pytest.param({"stoploss": "-0.1"}, "must be a number", id="a text"),
        pytest.param({"stoploss": -0.1, "trailing_stop": 1}, "true or false", id="no flag"),
        pytest.param(
            {"stoploss": -0.1, "trailing_stop": True, "trailing_only_offset_is_reached": True},
            "needs a trailing_stop_positive_offset",
            id="waits for nothing",
        ),
    ],
)
def test_settings_that_make_no_stop_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        imported(**settings)


def test_a_broken_file_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{\n// x\n"stoploss": -0.1\n"a": 1}', encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"{file}:4: no JSON"):
        read_settings([file])
