from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from trailstop import Policy, TrailingStop
from trailstop.domain.policy import Absolute, Atr, Callback, ProfitShare
from trailstop.domain.position import Fees, Phase
from trailstop.domain.price import Instrument, Side
from trailstop.errors import ConfigError

D = Decimal
MINUTE_MS = 60_000


def test_the_life_of_a_long_with_the_default_settings() -> None:
    trail = TrailingStop("BTCUSDT", "100", "long", Policy(), tick_size="0.1")

    first = trail.update_price("100.0", at=0)
    assert (first.phase, first.exact_stop, first.hit) == (Phase.WAITING, D("98.0"), False)

    breakeven = trail.update_price("100.6", at=1_000)
    assert (breakeven.phase, breakeven.exact_stop) == (Phase.WAITING, D("100.0"))

    active = trail.update_price("102.0", at=2_000)
    assert (active.phase, active.exact_stop) == (Phase.ACTIVE, D("101.5"))  # 102 - 0.5 % = 101.49
    assert active.peak == D("102.0")

    falling = trail.update_price("101.6", at=3_000)
    assert (falling.exact_stop, falling.hit) == (D("101.5"), False)

    out = trail.update_price("101.5", at=4_000)
    assert (out.phase, out.exact_stop, out.hit) == (Phase.TRIGGERED, D("101.5"), True)


def test_the_life_of_a_short_mirrors_it() -> None:
    trail = TrailingStop("BTCUSDT", "100", "short", Policy(), tick_size="0.1")
    stops = [
        trail.update_price(price, at).exact_stop
        for at, price in enumerate(("100.0", "99.4", "98.0", "98.4"))
    ]
    assert stops == [D("102.0"), D("100.0"), D("98.4"), D("98.4")]  # 98 + 0.5 % = 98.49, down
    assert trail.trail.phase is Phase.TRIGGERED


def test_every_update_gives_its_reason_in_one_line() -> None:
    trail = TrailingStop("BTCUSDT", "100", "long", Policy(), tick_size="0.1")
    reasons = [trail.update_price(price).reason for price in ("100", "100.1", "102", "101.5")]
    assert reasons == [
        "initial stop: 2 % from entry 100; stop at 98.0",
        "trailing begins at 101.5",
        "trailing: 0.5 % behind the peak 102; stop to 101.5 from 98.0",
        "the stop at 101.5 was reached",
    ]


def test_hit_is_told_once_and_the_trail_is_over() -> None:
    trail = TrailingStop("X", 100, "long", Policy())
    trail.update_price(100, 0)
    assert trail.update_price(97, 1).hit
    after = trail.update_price(120, 2)
    assert (after.hit, after.phase, after.exact_stop) == (False, Phase.TRIGGERED, D(98))


def test_a_stop_that_pacing_holds_back_is_hit_all_the_same() -> None:
    trail = TrailingStop("X", 100, "long", Policy(activation_percent=D(0)))
    for at_ms, price in enumerate(("100", "101", "102")):
        trail.update_price(price, at_ms)
    assert trail.trail.live_stop != trail.trail.exact_stop == D("101.49")
    assert trail.update_price("101.4", 4).hit


def test_with_on_cross_hold_only_the_live_stop_ends_the_trail() -> None:
    trail = TrailingStop("X", 100, "long", Policy(activation_percent=D(0), on_cross="hold"))
    for at_ms, price in enumerate(("100", "101", "102")):
        trail.update_price(price, at_ms)
    live = trail.trail.live_stop
    assert live is not None
    between = trail.update_price("101.4", 4)
    assert not between.hit
    assert "left to the exchange's stop at 100.495" in between.reason
    assert trail.update_price(live, 5).hit


def test_a_held_move_goes_out_when_its_interval_ends_without_another_price() -> None:
    trail = TrailingStop("X", 100, "long", Policy(activation_percent=D(0)))
    for at_ms, price in enumerate(("100", "101", "102")):
        trail.update_price(price, at_ms)
    exact, moved_at = trail.trail.exact_stop, trail.trail.moved_at_ms
    assert moved_at is not None
    trail.update_price("101.9", 2 * MINUTE_MS)
    assert trail.trail.live_stop == exact
    assert trail.trail.moved_at_ms == moved_at + MINUTE_MS


def test_found_beyond_its_initial_stop_a_position_is_stopped_from_the_present_price() -> None:
    update = TrailingStop("X", 100, "long", Policy()).update_price(97, 0)
    assert (update.exact_stop, update.hit) == (D("95.06"), False)
    assert "already beyond the initial stop" in update.alarms[0]


def test_found_beyond_its_initial_stop_a_position_is_left_where_the_policy_closes() -> None:
    policy = Policy(on_adopt_beyond="close")
    update = TrailingStop("X", 100, "long", policy).update_price(97, 0)
    assert update.hit
    assert update.reason.startswith("adopted beyond its initial stop")


def test_without_a_tick_stops_are_not_rounded() -> None:
    policy = Policy(activation_percent=D(0))
    update = TrailingStop("X", 100, "long", policy).update_price("102.003", 0)
    assert update.exact_stop == D("102.003") * D("0.995")


def test_fees_put_the_breakeven_stop_beyond_the_entry() -> None:
    fees = Fees(entry=D("0.001"), exit=D("0.001"))
    trail = TrailingStop("X", 1000, "long", Policy(), tick_size="0.1", fees=fees)
    trail.update_price(1000, 0)
    update = trail.update_price(1010, 1)
    assert update.exact_stop == D("1002.1")  # 1000 × 1.001 / 0.999 = 1002.002


def test_activation_by_time_needs_no_price_at_that_moment() -> None:
    policy = Policy(activation_after_minutes=D(10), breakeven_at_percent=None)
    trail = TrailingStop("X", 100, "long", policy, opened_at=datetime(2026, 1, 1, tzinfo=UTC))
    trail.update_price("101", datetime(2026, 1, 1, tzinfo=UTC))
    assert trail.trail.phase is Phase.WAITING
    update = trail.update_price("100.9", datetime(2026, 1, 1, 0, 11, tzinfo=UTC))
    assert (update.phase, update.peak) == (Phase.ACTIVE, D(101))


def test_the_age_counts_from_the_first_price_where_the_opening_is_unknown() -> None:
    policy = Policy(activation_after_minutes=D(10), breakeven_at_percent=None)
    trail = TrailingStop("X", 100, "long", policy)
    start_ms = 1_700_000_000_000
    assert trail.update_price("101", start_ms).phase is Phase.WAITING
    assert trail.update_price("101", start_ms + 9 * MINUTE_MS).phase is Phase.WAITING
    assert trail.update_price("101", start_ms + 10 * MINUTE_MS).phase is Phase.ACTIVE


def test_without_times_the_exact_stop_is_the_same() -> None:
    timed, timeless = (TrailingStop("X", 100, "long", Policy()) for _ in range(2))
    for at_ms, price in enumerate(("100", "101", "103", "102.9", "102")):
        with_time, without = (
            timed.update_price(price, at_ms * MINUTE_MS),
            timeless.update_price(price),
        )
        assert (with_time.exact_stop, with_time.hit) == (without.exact_stop, without.hit)


def test_a_large_jump_is_the_callers_own_judgement() -> None:
    trail = TrailingStop("X", 100, "long", Policy(activation_percent=D(0)))
    trail.update_price(100, 0)
    assert trail.update_price(150, 1).exact_stop == D("149.250")


def test_a_resting_stop_counts_from_the_start() -> None:
    trail = TrailingStop("X", 100, "long", Policy(), resting_stop=99)
    assert trail.trail.exact_stop == D(99)
    assert trail.update_price("98.9", 0).hit


def test_candles_set_the_distance_of_an_atr_trail() -> None:
    policy = Policy(distance=Atr(length=1, multiplier=D(2)), activation_percent=D(0))
    trail = TrailingStop("X", 100, "long", policy)
    trail.update_price(100, 0)
    trail.update_candle(101, 100, "100.5", MINUTE_MS)
    assert trail.update_price(110, MINUTE_MS).exact_stop == D(108)


def test_a_new_average_starts_a_profit_share_again_and_never_loosens() -> None:
    policy = Policy(distance=ProfitShare(), activation_percent=D(0))
    trail = TrailingStop("X", 100, "long", policy)
    trail.update_price(110, 0)
    assert trail.trail.exact_stop == D(105)
    trail.change_position(entry_price=104, quantity=2, at=1)
    assert trail.trail.position.quantity == D(2)
    assert trail.update_price(111, 2).exact_stop == D("107.5")


def test_bid_and_ask_watch_the_side_that_the_position_leaves_at() -> None:
    policy = Policy(basis="bid_ask", activation_percent=D(0), distance=Absolute(D(1)))
    long, short = (TrailingStop("X", 100, side, policy) for side in Side)
    assert long.update_quote(100, 101, 0).exact_stop == D(99)
    assert short.update_quote(100, 101, 0).exact_stop == D(102)
    assert not long.update_price(50, 1).hit
    assert long.update_quote(99, 105, 2).hit


def test_the_better_of_last_and_quote_raises_the_peak_but_meets_no_stop_of_its_own_moment() -> None:
    policy = Policy(basis="last_or_bid_ask", activation_percent=D(0), distance=Absolute(D(1)))
    trail = TrailingStop("X", 100, "long", policy)
    update = trail.update_market(last=102, bid=101, ask=102, at=0)
    assert (update.exact_stop, update.hit) == (D(101), False)
    assert trail.update_market(last=102, bid=101, ask=102, at=1).hit


@pytest.mark.parametrize(
    ("settings", "call", "words"),
    [
        pytest.param(
            {"basis": "bid_ask"},
            lambda trail: trail.update_price(100, 0),
            "update_quote",
            id="trades for a policy on quotes",
        ),
        pytest.param(
            {},
            lambda trail: trail.update_quote(100, 101, 0),
            "update_price",
            id="quotes for a policy on trades",
        ),
        pytest.param(
            {"basis": "last_or_bid_ask"},
            lambda trail: trail.update_market(bid=100, ask=101),
            "give last",
            id="one of two sources",
        ),
    ],
)
def test_a_missing_price_source_is_an_error(settings: Any, call: Any, words: str) -> None:
    trail = TrailingStop("X", 100, "long", Policy(**settings))
    with pytest.raises(ConfigError, match=words):
        call(trail)


def test_a_distance_under_three_ticks_is_refused_with_the_price_shown() -> None:
    trail = TrailingStop("X", 100, "long", Policy(distance=Callback(D("0.2"))), tick_size="0.1")
    with pytest.raises(ConfigError, match=r"0\.2 at price 100, under 3 ticks of 0\.1"):
        trail.update_price(100, 0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(lambda: TrailingStop("X", 100.5, "long"), "string", id="float entry"),  # type: ignore[arg-type]
        pytest.param(lambda: _begun().update_price(100.5), "string", id="float price"),  # type: ignore[arg-type]
        pytest.param(lambda: _begun().update_price("x"), "must be a number", id="text"),
        pytest.param(lambda: _begun().update_price(0), "above 0", id="zero price"),
        pytest.param(lambda: _begun().update_price("NaN"), "above 0", id="no number"),
        pytest.param(lambda: _begun().update_price(100, 999), "order", id="time going back"),
        pytest.param(lambda: _begun().update_price(100, 2e3), "milliseconds", id="float time"),  # type: ignore[arg-type]
        pytest.param(
            lambda: _begun().update_price(100, datetime(2026, 1, 1)),  # noqa: DTZ001
            "zone",
            id="a time without zone",
        ),
        pytest.param(lambda: TrailingStop("X", 100, "up"), '"short"', id="direction"),  # type: ignore[arg-type]
        pytest.param(
            lambda: TrailingStop(
                "X", 100, "long", tick_size=1, instrument=Instrument("X", D(1), D(1))
            ),
            "keep one",
            id="two grids",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(make: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        make()
    assert "\n" not in str(refused.value)


def test_a_refused_price_changes_nothing() -> None:
    trail = _begun()
    before = trail.trail
    with pytest.raises(ConfigError):
        trail.update_price(-1, 2_000)
    assert trail.trail == before


def _begun() -> TrailingStop:
    trail = TrailingStop("X", 100, Side.LONG, Policy())
    trail.update_price(100, 1_000)
    return trail
