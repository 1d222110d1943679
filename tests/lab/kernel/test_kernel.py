"""The fast engine decides as `step` does, and says what it leaves to the exact one."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from msgspec.structs import replace

from tests.lab.kernel.equality import RULES, compare
from trailstop.domain.policy import Absolute, Atr, Callback, Distance, Policy, ProfitShare, Steps
from trailstop.domain.price import Instrument, Rounding
from trailstop.errors import ConfigError
from trailstop.lab.entries import Entries, every
from trailstop.lab.kernel import scan, why_not
from trailstop.lab.series import Bars, Quotes, Trades
from trailstop.lab.terms import NO_COSTS, Costs, ExitCause, FillRule
from trailstop.lab.trades import Exits

TICK = Instrument("BTCUSDT", Decimal("0.5"), Decimal("0.001"))
UNIT = Decimal("0.5")
MINUTE_MS = 60_000
CAUSES = tuple(ExitCause)


def bars_of(*rows: tuple[int, int, int, int]) -> Bars:
    columns = np.array(rows, dtype=np.int64).T
    open_ms = np.arange(len(rows), dtype=np.int64) * MINUTE_MS
    return Bars("BTCUSDT", UNIT, MINUTE_MS, open_ms, *columns)


def entry_at(index: int, price: int, sign: int = 1, **others: object) -> Entries:
    return Entries(np.array([index]), np.array([sign], dtype=np.int8), np.array([price]), **others)  # type: ignore[arg-type]


def left(exits: Exits) -> tuple[int, Decimal, ExitCause]:
    price = Decimal(int(exits.price[0])) / exits.scale * UNIT
    return int(exits.index[0]), price, CAUSES[exits.cause[0]]


def test_no_exit_of_random_backtests_differs_from_step():
    assert compare(cases=600, seed=20261120) == []


def test_a_stop_is_rounded_towards_the_market_and_fires_when_touched():
    # The peak is 1 010 units = 505.0; a callback of 1 % puts the stop at 499.95, on the tick 500.
    bars = bars_of((1000, 1000, 1000, 1000), (1000, 1010, 1001, 1010), (1010, 1010, 1000, 1005))
    policy = Policy(
        activation_percent=Decimal(0), distance=Callback(Decimal(1)), breakeven_at_percent=None
    )
    found = scan(bars, entry_at(0, 1000), policy, TICK, FillRule.WORST_CASE, NO_COSTS)
    assert left(found) == (2, Decimal(500), ExitCause.TRAIL)


def test_a_gap_through_the_stop_fills_at_the_open():
    bars = bars_of((1000, 1000, 1000, 1000), (960, 970, 950, 965))
    found = scan(bars, entry_at(0, 1000), Policy(), TICK, FillRule.WORST_CASE, NO_COSTS)
    assert left(found) == (1, Decimal(480), ExitCause.INITIAL_STOP)


def test_a_short_is_the_mirror_of_a_long():
    bars = bars_of((1000, 1000, 1000, 1000), (1000, 1019, 1000, 1000), (1000, 1021, 999, 1000))
    found = scan(bars, entry_at(0, 1000, -1), Policy(), TICK, FillRule.WORST_CASE, NO_COSTS)
    assert left(found) == (2, Decimal(510), ExitCause.INITIAL_STOP)


def test_a_position_leaves_at_its_time_limit_and_with_the_data():
    bars = bars_of(*[(1000, 1001, 999, 1000 + number) for number in range(4)])
    limited = entry_at(0, 1000, exit_index=np.array([2]))
    policy = Policy()
    found = scan(bars, limited, policy, TICK, FillRule.PAPER, NO_COSTS)
    assert left(found) == (2, Decimal(501), ExitCause.TIME_LIMIT)
    found = scan(bars, entry_at(0, 1000), policy, TICK, FillRule.PAPER, NO_COSTS)
    assert left(found) == (3, Decimal("501.5"), ExitCause.END_OF_DATA)


def test_two_threads_find_what_one_finds():
    random = np.random.default_rng(5)
    close = 20_000 + np.cumsum(random.integers(-30, 31, 4_000))
    bars = bars_of(*((int(at), int(at) + 25, int(at) - 25, int(at)) for at in close))
    one, two = (
        scan(bars, every(bars, 7), Policy(), TICK, FillRule.WORST_CASE, NO_COSTS, threads=threads)
        for threads in (1, 2)
    )
    for column in ("index", "price", "cause"):
        assert np.array_equal(getattr(one, column), getattr(two, column))


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        (Policy(strict=True), "touch"),
        (Policy(rounding=Rounding.NEAREST), "rounding"),
        (Policy(on_cross="hold"), "on_cross"),
        (Policy(on_adopt_beyond="close"), "on_adopt_beyond"),
        (Policy(initial_stop_percent=None), "backstop"),
        (Policy(basis="bid_ask"), "basis"),
        (Policy(rounding=Rounding.NONE), "without rounding"),
        (Policy(distance=Atr(), min_distance_ticks=0), "distance"),
        (Policy(distance=ProfitShare(), gain_basis="net"), "net"),
        (
            Policy(momentum_percent_per_minute=Decimal("0.1"), momentum_window_seconds=50),
            "momentum window",
        ),
    ],
)
def test_what_only_the_exact_engine_can_do_is_refused_in_a_line(policy: Policy, says: str):
    bars = bars_of((1000, 1000, 1000, 1000))
    reason = why_not(policy, FillRule.WORST_CASE, NO_COSTS, TICK, bars)
    assert reason is not None
    assert says in reason
    assert reason.endswith("take the exact engine")
    with pytest.raises(ConfigError, match="exact engine"):
        scan(bars, entry_at(0, 1000), policy, TICK, FillRule.WORST_CASE, NO_COSTS)


def test_latency_and_orders_of_others_are_refused():
    policy = Policy()
    assert "latency of 250 ms" in str(why_not(policy, FillRule.WORST_CASE, Costs()))
    assert "freqtrade" in str(why_not(policy, FillRule.FREQTRADE, NO_COSTS))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    "distance",
    [Callback(), Steps(), Atr(), ProfitShare(), Absolute(Decimal(3))],
    ids=lambda distance: type(distance).__name__,
)
def test_the_default_policy_is_taken_under_every_order_and_distance(
    rule: FillRule, distance: Distance
):
    policy = replace(Policy(), distance=distance)
    assert why_not(policy, rule, NO_COSTS, TICK, bars_of((1000, 1000, 1000, 1000))) is None


def test_a_stray_trade_raises_no_stop():
    times = np.array([0, 1_000, 1_500, 60_000])
    policy = Policy(activation_percent=Decimal(0), breakeven_at_percent=None)
    wild = Trades("BTCUSDT", UNIT, times, np.array([1000, 1100, 1000, 996]))
    found = scan(wild, entry_at(0, 1000), policy, TICK, FillRule.WORST_CASE, NO_COSTS)
    assert left(found) == (3, Decimal(498), ExitCause.END_OF_DATA)


def test_a_long_is_judged_by_the_bid_and_leaves_there():
    times = np.arange(3, dtype=np.int64) * 1_000
    quotes = Quotes("BTCUSDT", UNIT, times, np.array([999, 985, 979]), np.array([1000, 986, 980]))
    policy = Policy(basis="bid_ask")
    found = scan(quotes, entry_at(0, 1000), policy, TICK, FillRule.WORST_CASE, NO_COSTS)
    assert left(found) == (2, Decimal("489.5"), ExitCause.INITIAL_STOP)


def test_prices_beyond_64_bits_are_an_error_and_never_a_wrong_exit():
    large = 1 << 52
    bars = bars_of((large, large, large, large), (large, large + 9, large - 9, large))
    policy = Policy(distance=Callback(Decimal("0.123456")))
    with pytest.raises(ConfigError, match="too many digits"):
        scan(bars, entry_at(0, large), policy, TICK, FillRule.WORST_CASE, NO_COSTS)


def test_an_entry_outside_the_prices_is_an_error():
    bars = bars_of((1000, 1000, 1000, 1000))
    with pytest.raises(ConfigError, match="lies outside the 1 rows"):
        scan(bars, entry_at(1, 1000), Policy(), TICK, FillRule.WORST_CASE, NO_COSTS)
