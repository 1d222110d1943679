"""The public call: what it takes, which engine answers, what it warns of, how it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pytest
from msgspec.structs import replace

import trailstop.lab
from tests.lab.exact.random_markets import random_bars
from tests.lab.exact.worlds import BARE, MINUTE_MS, UNIT, bars, book, entry, prints
from trailstop.domain.policy import Atr, Callback, Policy
from trailstop.domain.price import Instrument
from trailstop.errors import ConfigError, DataError
from trailstop.lab import Bars, Costs, Entries, FillRule, Quotes, Trades, backtest, every
from trailstop.lab.kernel_trades import KernelTrades
from trailstop.lab.terms import NO_COSTS

D = Decimal
FIRST = ("100", "100", "100", "100")


@dataclass
class History:
    """What a bundle of data looks like to a backtest."""

    instrument: Instrument
    bars: Bars | None = None
    trades: Trades | None = None
    quotes: Quotes | None = None


def test_a_history_brings_prices_and_instrument() -> None:
    prices = bars([FIRST, ("100", "100", "98", "98")])
    instrument = Instrument("BTCUSDT", D("0.5"), D("0.1"))
    result = backtest(History(instrument, bars=prices), entry(), BARE)
    assert (result.prices, result.instrument) == (prices, instrument)
    assert backtest(History(instrument, trades=prints([(0, "100")])), entry(), BARE).trades


def test_a_history_of_trades_and_quotes_serves_policies_on_either() -> None:
    both = History(
        Instrument("BTCUSDT", UNIT, UNIT),
        trades=prints([(0, "100"), (10, "98")]),
        quotes=book([(0, "100", "100.10"), (10, "99.50", "99.60")]),
    )
    assert isinstance(backtest(both, entry(), BARE).prices, Trades)
    quoted = backtest(both, entry(), replace(BARE, basis="bid_ask"))
    assert isinstance(quoted.prices, Quotes)


def test_what_is_no_history_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs bars, trades or quotes, not list"):
        backtest([1, 2, 3], entry(), BARE)


def test_every_entry_has_its_trade_in_their_order() -> None:
    prices = random_bars(1)
    result = backtest(prices, every(prices, 7), engine="step")
    assert [trade.number for trade in result.trades] == list(range(len(result.trades)))
    assert [trade.entry_ms for trade in result.trades] == [
        int(prices.open_ms[index]) + MINUTE_MS for index in range(0, len(prices) - 1, 7)
    ]
    assert result.engine == "step"


def test_progress_ends_with_all() -> None:
    prices, told = random_bars(1), []
    backtest(
        prices,
        every(prices, 7),
        engine="step",
        progress=lambda done, all_: told.append((done, all_)),
    )
    assert told[-1] == (17, 17)
    assert told == sorted(told)


@pytest.mark.parametrize(
    ("index", "price", "limit", "text"),
    [
        ([0, 5], [1, 1], None, "rise from 0 to 1"),
        ([1, 0], [1, 1], None, "rise from 0 to 1"),
        ([], [], None, "there are no entries"),
        ([0], [0], None, "not above 0"),
        ([0], [1, 2], None, "differ in length"),
        ([1], [1], [0], "closed before it is opened"),
    ],
)
def test_entries_that_cannot_be_are_refused(
    index: list[int], price: list[int], limit: list[int] | None, text: str
) -> None:
    entries = Entries(
        np.array(index, dtype=np.int64),
        np.ones(len(index), dtype=np.int8),
        np.array(price, dtype=np.int64),
        exit_index=None if limit is None else np.array(limit),
    )
    with pytest.raises(DataError, match=text):
        backtest(bars([FIRST, FIRST]), entries, BARE)


WILD = [FIRST, *[("100", "100.50", "99.70", "100")] * 20]
CALM = [FIRST, *[("100", "100.10", "99.90", "100")] * 20]


def test_a_distance_that_the_bars_cannot_resolve_is_called_out() -> None:
    (text,) = backtest(bars(WILD), entry(), Policy()).warnings
    assert text == (
        "the bars span 0.8 % while the callback is 0.5 %: the order of prices inside a bar "
        "decides most exits; give finer data or trades"
    )
    assert backtest(bars(CALM), entry(), Policy()).warnings == ()


def test_finer_bars_that_resolve_it_quiet_the_warning() -> None:
    fine = bars(CALM * 4, interval_ms=15_000)
    coarse = bars(WILD)
    result = backtest(coarse, entry(), Policy(), rule=FillRule.FINER, finer=fine)
    assert result.warnings == ()


def test_a_distance_that_is_not_trailed_is_called_out() -> None:
    coarse_tick = Instrument("BTCUSDT", D(1), D("0.1"))
    policy = replace(BARE, distance=Callback(D("0.5")))
    (text,) = backtest(bars(CALM), entry(), policy, instrument=coarse_tick).warnings
    assert text.startswith("1 of 1 positions raised an alarm, the first: the distance is 0.5")


def test_prices_of_another_source_are_called_out() -> None:
    (text,) = backtest(bars(CALM), entry(), Policy(trigger_price="mark")).warnings
    assert text == "the policy watches the mark price, and these bars are of the last price"


def test_an_atr_that_the_bars_do_not_fill_is_refused() -> None:
    policy = Policy(distance=Atr(timeframe_minutes=15))
    with pytest.raises(ConfigError, match="take a multiple"):
        backtest(bars([FIRST] * 40, interval_ms=7 * MINUTE_MS), entry(), policy)


def test_the_kernel_answers_where_it_can_and_no_moves_are_wanted() -> None:
    prices = random_bars(3)
    entries = every(prices, 10)
    told = backtest(prices, entries, costs=NO_COSTS, engine="step")
    fast = backtest(prices, entries, costs=NO_COSTS, moves=False)
    assert (told.engine, fast.engine) == ("step", "kernel")
    assert isinstance(fast.trades, KernelTrades)
    assert len(fast.trades) == len(told.trades)
    assert [replace(trade, moves=()) for trade in told.trades] == list(fast.trades)
    exits = fast.trades.exits
    assert [int(price) * UNIT / exits.scale for price in exits.price] == [
        trade.exit_price for trade in told.trades
    ]
    assert fast.trades[-1] is fast.trades[len(entries) - 1]
    assert fast.trades[1:3] == (fast.trades[1], fast.trades[2])
    with pytest.raises(IndexError):
        fast.trades[len(entries)]


def test_what_the_kernel_cannot_do_goes_to_step_or_is_refused() -> None:
    prices = random_bars(3)
    assert backtest(prices, every(prices, 10), costs=Costs(), moves=False).engine == "step"
    with pytest.raises(ConfigError, match="a latency of 250 ms"):
        backtest(prices, every(prices, 10), costs=Costs(), engine="kernel")


def test_what_the_kernel_finds_it_cannot_do_while_it_runs_goes_to_step() -> None:
    # The spread is so wide that the first bid is beyond the initial stop of the entry at the ask.
    prices = book([(0, "100", "103"), (10, "100", "103")])
    policy = replace(BARE, basis="bid_ask", initial_stop_percent=D(2))
    result = backtest(prices, entry(price="103"), policy, costs=NO_COSTS, moves=False)
    assert result.engine == "step"
    with pytest.raises(ConfigError, match="opens beyond its first stop"):
        backtest(prices, entry(price="103"), policy, costs=NO_COSTS, engine="kernel")


def test_quotes_beside_trades_go_to_step() -> None:
    quotes = book([(0, "100", "100.10")])
    prices = prints([(0, "100"), (10, "100")])
    result = backtest(prices, entry(), BARE, costs=NO_COSTS, quotes=quotes, moves=False)
    assert result.engine == "step"
    with pytest.raises(ConfigError, match="quotes beside trades"):
        backtest(prices, entry(), BARE, costs=NO_COSTS, quotes=quotes, engine="kernel")


def run_alone(code: str) -> None:
    """Run in an interpreter that has imported nothing yet."""
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_the_library_needs_no_numpy() -> None:
    code = "import sys, trailstop; assert 'numpy' not in sys.modules"
    run_alone(code)


def test_functions_win_over_modules_of_their_name() -> None:
    code = (
        "from trailstop.lab.backtest import backtest as held\n"
        "from trailstop.lab import backtest\n"
        "import trailstop.lab\n"
        "assert backtest is held is trailstop.lab.backtest"
    )
    run_alone(code)


@pytest.mark.parametrize("name", trailstop.lab.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(trailstop.lab, name) is not None


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        trailstop.lab.nothing  # noqa: B018
