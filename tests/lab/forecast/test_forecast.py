"""What is foretold for the design's default policy, by numbers worked out by hand."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.lab.forecast.test_paths import bars
from trailstop import Policy, Position, TrailingStop
from trailstop.domain.policy import Atr, ProfitShare
from trailstop.domain.position import Fees, Phase
from trailstop.domain.price import Side
from trailstop.engine.events import Paused
from trailstop.engine.step import step
from trailstop.errors import ConfigError
from trailstop.lab.forecast import (
    Forecast,
    evenly,
    fan,
    forecast,
    forecast_trail,
    new_trail,
    random_walk,
    through,
)
from trailstop.lab.forecast.forecast import Row
from trailstop.lab.forecast.paths import between
from trailstop.lab.forecast.walk import Walk

D = Decimal
HOUR_MS = 3_600_000
TICK = D("0.1")
TAKER = Fees(D("0.0005"), D("0.0005"))
LONG = Position(Side.LONG, D(10_000), D(1))
SHORT = Position(Side.SHORT, D(10_000), D(1))


def along(
    *prices: int | str,
    position: Position = LONG,
    policy: Policy = Policy(),  # noqa: B008 - it is frozen
    over_ms: int = HOUR_MS,
) -> Forecast:
    path = through([D(price) for price in prices], 0, over_ms)
    return forecast("BTCUSDT", position, path, policy, tick_size=TICK, fees=TAKER)


def row_at(found: Forecast, price: str) -> Row:
    return next(row for row in found.rows if row.price == D(price))


def test_the_default_policy_to_a_peak_and_back() -> None:
    """Entry 10 000, fees 5 + 5: each figure below follows from the settings by hand.

    Initial stop 10 000 − 2 %. Breakeven (10 000 × 1.0005) ÷ 0.9995 = 10 010.005 → 10 010.1.
    Trailing from 10 150, met at 10 150.1. Peak 10 180: − 0.5 % is 10 129.1.
    """
    found = along(10_000, 10_180, 10_080)
    first, active = found.rows[0], row_at(found, "10150.1")
    assert (first.phase, first.live_stop) == (Phase.WAITING, D("9800.0"))
    assert first.locked_in == D(9_800) - D(10_000) - 5 - D("4.9")
    assert first.locked_in_percent == D("-2.099")
    waiting = [row.live_stop for row in found.rows if row.phase is Phase.WAITING]
    assert set(waiting) == {D("9800.0"), D("10010.1")}
    assert active.phase is Phase.ACTIVE
    assert active.live_stop == D("10099.4")  # 10 150.1 − 0.5 % = 10 099.3495, the tick above it
    turned = row_at(found, "10180")
    assert turned.exact_stop == D("10129.1")
    assert turned.live_stop is not None
    assert turned.live_stop < D("10129.1")  # held: less than 0.1 % better, or within 60 s
    assert found.peak == D(10_180)
    # The exact stop is kept though it had not been moved there: it leaves at market.
    assert (found.end.cause, found.end.crossed) == ("trail", True)
    assert found.end.price == D("10129.1")
    assert found.end.net == D("129.1") - 5 - D("10129.1") * D("0.0005")
    assert found.end.net_percent == found.end.net / 100


def test_without_pacing_the_exchange_fires_at_the_exact_stop() -> None:
    found = along(10_000, 10_180, 10_080, policy=Policy(pacing="none"))
    assert all(row.live_stop == row.exact_stop for row in found.rows)
    assert (found.end.price, found.end.crossed) == (D("10129.1"), False)
    assert found.rows[-1].told[-1] == "the stop at 10 129.1 fires"
    # The way up and as far down, at one speed; points of the path lie on the price grid.
    assert found.end.at_ms == pytest.approx(HOUR_MS * (180 + 50.9) / 280, abs=1_500)


def test_a_short_is_the_mirror_of_a_long() -> None:
    found = along(10_000, 9_820, 9_920, position=SHORT)
    assert found.rows[0].live_stop == D("10200.0")
    assert (found.end.cause, found.end.price) == ("trail", D("9869.1"))
    assert found.peak == D(9_820)


@pytest.mark.parametrize(
    ("prices", "cause", "price"),
    [
        ((10_000, 9_700), "initial_stop", "9800.0"),
        ((10_000, 10_080, 9_900), "breakeven", "10010.1"),
        ((10_000, 10_100), "open", "10100"),
    ],
)
def test_what_ends_the_position(prices: tuple[int, ...], cause: str, price: str) -> None:
    found = along(*prices)
    assert (found.end.cause, found.end.price) == (cause, D(price))


def test_held_moves_go_out_when_the_interval_ends_and_not_before() -> None:
    """Ten minutes of a steep rise: one move a minute at most, but the first of each kind."""
    found = along(10_000, 11_000, over_ms=600_000)
    assert 8 <= found.moves <= 14
    assert found.end.cause == "open"


def test_a_crossed_stop_that_is_held_is_left_to_the_live_stop() -> None:
    found = along(10_000, 10_180, 10_080, policy=Policy(on_cross="hold"))
    last = found.rows[-1]
    assert found.end.crossed is False
    assert found.end.price == last.live_stop
    assert last.live_stop is not None
    assert last.live_stop < D("10129.1")


def test_only_the_backstop_ends_a_position_without_a_working_stop() -> None:
    policy = Policy(initial_stop_percent=None, breakeven_at_percent=None)
    found = along(10_000, 9_000, policy=policy)
    assert (found.end.cause, found.end.price) == ("backstop", D("9500.0"))


def test_a_running_trail_goes_on_from_its_own_peak_and_stop() -> None:
    stop = TrailingStop("BTCUSDT", "10000", "long", Policy(), tick_size="0.1", fees=TAKER)
    for at_ms, price in ((0, "10000"), (60_000, "10100"), (120_000, "10180")):
        stop.update_price(price, at_ms)
    path = through([D(10_150), D(10_100)], 180_000, HOUR_MS)
    found = forecast_trail(stop.trail, path)
    assert found.rows[0].live_stop == D("10129.1")
    assert (found.end.cause, found.end.price, found.moves) == ("trail", D("10129.1"), 0)


def test_a_price_that_is_beyond_the_resting_stop_already_ends_it_there() -> None:
    stop = TrailingStop("BTCUSDT", "10000", "long", Policy(), tick_size="0.1")
    stop.update_price("10000", 0)
    found = forecast_trail(stop.trail, through([D(9_750), D(9_900)], 1_000, HOUR_MS))
    assert (found.end.cause, found.end.price) == ("initial_stop", D(9_750))


def test_a_paused_trail_says_so_and_keeps_its_stop() -> None:
    stop = TrailingStop("BTCUSDT", "10000", "long", Policy(), tick_size="0.1")
    stop.update_price("10000", 0)
    paused, _ = step(stop.trail, Paused(1))
    found = forecast_trail(paused, through([D(10_000), D(10_500)], 2, HOUR_MS))
    assert {row.live_stop for row in found.rows} == {D("9800.0")}
    assert "paused" in found.notes[0]


def test_a_position_that_is_being_closed_has_nothing_to_foretell() -> None:
    trail = new_trail("BTCUSDT", LONG, tick_size=TICK)
    with pytest.raises(ConfigError, match="being closed"):
        forecast_trail(replace(trail, phase=Phase.TRIGGERED), through([D(1), D(2)], 0, 1))


def test_without_a_tick_prices_have_seven_digits() -> None:
    path = through([D("0.081"), D("0.09")], 0, HOUR_MS)
    found = forecast("DOGEUSDT", Position(Side.LONG, D("0.081"), D(1)), path)
    assert found.rows[0].live_stop == D("0.07938000")


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    prices=st.lists(st.integers(9_500, 10_600), min_size=2, max_size=12),
    side=st.sampled_from(Side),
    policy=st.sampled_from(
        [
            Policy(),
            Policy(pacing="none"),
            Policy(distance=ProfitShare(), activation_percent=D(0)),
            Policy(breakeven_at_percent=None, activation_percent=D("0.3")),
            Policy(activation_after_minutes=D(10), pacing="budget"),
            Policy(momentum_percent_per_minute=D("0.1"), activation_percent=D("0.5")),
        ]
    ),
)
def test_the_end_is_that_of_the_library_led_over_the_same_points(
    prices: list[int], side: Side, policy: Policy
) -> None:
    """The library meets every tenth of a per mille; the first touch is the foretold end."""
    path = evenly([D(price) for price in prices], 0, HOUR_MS)
    trail = new_trail("BTCUSDT", Position(side, D(10_000), D(1)), policy, tick_size=TICK)
    walk = Walk(trail)
    walk.begin(path[0].price, 0)
    stop = TrailingStop("BTCUSDT", 10_000, side, policy, tick_size=TICK)
    hit = stop.update_price(path[0].price, 0).hit
    for point in between(path, TICK):
        before = stop.trail.exact_stop
        walk.go(point.price, point.at_ms)
        if hit:
            break
        hit = stop.update_price(point.price, point.at_ms).hit
        if hit:
            assert walk.hit is not None
            # In a straight line it leaves at the stop of before, not at the point beyond it.
            assert walk.hit.price == before
            break
        assert walk.hit is None
        assert (walk.trail.peak, walk.trail.exact_stop) == (stop.trail.peak, stop.trail.exact_stop)
        assert walk.trail.live_stop == stop.trail.live_stop


def test_a_fan_counts_every_path_once_and_orders_its_percentiles() -> None:
    trail = new_trail("BTCUSDT", LONG, tick_size=TICK, fees=TAKER)
    paths = random_walk(bars(), D(10_000), 0, 12 * HOUR_MS, count=80, seed=2, tick_size=TICK)
    seen: list[int] = []
    found = fan(trail, paths, method="a test", progress=seen.append)
    assert seen == list(range(1, 81))
    assert sum(end.count for end in found.ends) == 80
    assert {"initial_stop", "breakeven", "trail"} <= {end.cause for end in found.ends}
    for row in found.rows:
        assert list(row.price) == sorted(row.price)
    shares = [row.open_percent for row in found.rows]
    assert shares[0] == 100
    assert shares == sorted(shares, reverse=True)
    mean = sum(end.mean_net_percent * end.count for end in found.ends) / 80
    assert mean == pytest.approx(found.mean_net_percent)
    # No path loses more than the initial stop allows: 2 % and the fees.
    assert found.net_percent[0] == D("-2.099")


def test_candles_of_the_paths_widen_an_atr_distance() -> None:
    """Fourteen candles of a minute are there after a quarter of an hour; then the ATR rules."""
    policy = Policy(
        distance=Atr(length=14, timeframe_minutes=1, multiplier=D(30), callback_percent=D("0.1")),
        activation_percent=D(0),
        initial_stop_percent=None,
        backstop_percent=None,
        breakeven_at_percent=None,
    )
    trail = new_trail("BTCUSDT", LONG, policy, tick_size=TICK)
    prices = [D(10_000 + number % 2 * 5 + number) for number in range(200)]
    (narrow,) = fan(trail, [evenly(prices[:3], 60_000, 120_000)], method="short").ends
    assert narrow.cause == "open"
    walked = fan(trail, [evenly([*prices, D(10_100)], 60_000, 200 * 60_000)], method="long")
    stop = walked.rows[-2].live_stop
    assert stop is not None
    assert walked.rows[-2].price[2] - stop[2] > 50
