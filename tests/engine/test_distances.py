"""Each distance with worked numbers, long and short."""

from __future__ import annotations

import pytest

from tests.engine.story import TAKER, D, Story, check, policy
from trailstop.domain.policy import Absolute, Atr, Callback, Distance, ProfitShare, Rung, Steps
from trailstop.domain.price import Rounding

BARE = {"breakeven_at_percent": None, "backstop_percent": None, "activation_percent": "0"}


@pytest.mark.parametrize(
    ("distance", "story"),
    [
        pytest.param(
            Callback(D("1")),
            "open long 100\n bar 110  place 108.9 trail",
            id="callback, long: 110 − 1 %",
        ),
        pytest.param(
            Callback(D("1")),
            "open short 100\n bar 90  place 90.9 trail",
            id="callback, short: 90 + 1 %",
        ),
        pytest.param(
            ProfitShare(D("0.5")),
            "open long 100\n bar 110  place 105 trail\n ack\n bar 120 move 110",
            id="profit share, long: half of the gain",
        ),
        pytest.param(
            ProfitShare(D("0.5")),
            "open short 100\n bar 90  place 95 trail\n ack\n bar 80 move 90",
            id="profit share, short: half of the gain",
        ),
        pytest.param(
            ProfitShare(D("0.999")),
            "open long 100\n bar 110  place 109.89",
            id="profit share, long: never nearer than 0.1 % of the price",
        ),
        pytest.param(
            ProfitShare(D("0.999")),
            "open short 100\n bar 90  place 90.09",
            id="profit share, short: never nearer than 0.1 % of the price",
        ),
        pytest.param(
            Steps(),
            """
            open long 100
            bar 100.5  place 100 trail     # below the first rung the first callback: 99.9975
            ack
            bar 101    move 100.5          # gain 1.0: 0.5 % → 100.495
            ack
            bar 102    move 101.7          # gain 2.0: 0.3 % → 101.694
            ack
            bar 103    move 102.8          # gain 3.0: 0.2 % → 102.794
            """,
            id="steps, long",
        ),
        pytest.param(
            Steps((Rung(D(1), D("0.5")), Rung(D(2), D("0.3")))),
            """
            open short 100
            bar 99.5   place 99.99 trail   # 99.9975
            ack
            bar 98     move 98.29          # gain 2.0: 0.3 % → 98.294
            """,
            id="steps, short",
        ),
        pytest.param(
            Absolute(D("2.5")),
            "open long 100\n bar 110  place 107.5 trail",
            id="absolute, long",
        ),
        pytest.param(
            Absolute(D("2.5")),
            "open short 100\n bar 90  place 92.5 trail",
            id="absolute, short",
        ),
    ],
)
def test_distance(distance: Distance, story: str) -> None:
    settings = policy(
        distance=distance, min_improvement_percent="0", update_interval_seconds="0", **BARE
    )
    check(story, settings)


def test_a_profit_share_has_no_stop_until_the_share_kept_pays_the_fees() -> None:
    settings = policy(distance=ProfitShare(D("0.5")), **BARE)
    # X = 100.10005: half of 0.20 is below it, half of 0.21 is not.
    check(
        "open long 100\n price 100.20  place 98\n ack\n price 100.21  move 100.11",
        settings,
        fees=TAKER,
    )
    # X = 99.90005: half of 0.19 is above it, half of 0.20 is not.
    check(
        "open short 100\n price 99.81  place 102\n ack\n price 99.80  move 99.9",
        settings,
        fees=TAKER,
    )


def test_a_net_profit_share_keeps_a_share_of_what_is_left_after_costs() -> None:
    # Net gain at 110: 10 − 0.05 − 0.055 = 9.895; half kept: stop − fees = 100 + 4.9475 net.
    # stop = (100 + 4.9475 + 0.05) / 0.9995 = 105.050025.
    check(
        "open long 100\n bar 110  place 105.06",
        policy(distance=ProfitShare(D("0.5")), gain_basis="net", **BARE),
        fees=TAKER,
    )
    # Short at 90: 10 − 0.05 − 0.045 = 9.905; stop = (100 − 4.9525 − 0.05) / 1.0005 = 94.950025.
    check(
        "open short 100\n bar 90  place 94.95",
        policy(distance=ProfitShare(D("0.5")), gain_basis="net", **BARE),
        fees=TAKER,
    )


def test_steps_on_a_net_basis_climb_later() -> None:
    # The gain of 2.0 gross is 1.899 net: still the first callback.
    check(
        "open long 100\n bar 102  place 101.49",
        policy(distance=Steps(), gain_basis="net", **BARE),
        fees=TAKER,
    )


ATR = Atr(length=3, timeframe_minutes=15, multiplier=D(2), callback_percent=D("0.5"))


def test_atr_until_enough_candles_are_there_the_callback_holds() -> None:
    check(
        """
        open long 100
        price 100     place 99.5 trail
        ack
        candle 101 99 100
        candle 101 99 100
        bar 101       move 100.5
        """,
        policy(distance=ATR, **BARE),
    )


def test_atr_is_wilders_average() -> None:
    # True ranges 2, 3 (gap from the close at 100 to a low of 98), 4: the average is 3.
    # Then a range of 1: (3 · 2 + 1) / 3 = 7/3, twice that is 4.666….
    check(
        """
        open long 100
        candle 101 99 100
        candle 101 98 101
        candle 105 101 104
        bar 110       place 104 trail
        ack
        candle 105 104 104.5
        bar 111       move 106.34
        """,
        policy(distance=ATR, **BARE),
    )
    check(
        """
        open short 100
        candle 101 99 100
        candle 101 98 99
        candle 99 95 96
        bar 90        place 96 trail
        """,
        policy(distance=ATR, **BARE),
    )


def test_atr_is_never_under_three_ticks() -> None:
    check(
        """
        open long 100
        candle 100 100 100
        candle 100 100 100
        candle 100 100 100
        price 100     place 99.97 trail
        """,
        policy(distance=ATR, **BARE),
    )


def test_a_candle_nobody_asked_for_changes_nothing() -> None:
    trail = check("open long 100\n price 100  place 99.5\n ack\n candle 101 99 100", policy(**BARE))
    assert trail.atr is None


def test_another_distance_starts_its_average_anew() -> None:
    story = Story(policy(distance=ATR, **BARE), TAKER, "0.01")
    for line in ("open long 100", "price 100  place 99.5", "ack", "candle 101 99 100"):
        story.tell(line)
    story.change(distance=Atr(length=5))
    assert story.trail is not None
    assert story.trail.atr is None


@pytest.mark.parametrize(
    ("rounding", "long_stop", "short_stop"),
    [
        # 100.3 − 0.5 % = 99.7985 and 99.7 + 0.5 % = 100.1985 on a grid of 0.01.
        (Rounding.MARKET, "99.8", "100.19"),
        (Rounding.NEAREST, "99.8", "100.2"),
        (Rounding.HALF_EVEN, "99.8", "100.2"),
    ],
)
def test_roundings_carry_the_dialects(rounding: Rounding, long_stop: str, short_stop: str) -> None:
    settings = policy(rounding=rounding, **BARE)
    check(f"open long 100.3\n price 100.3  place {long_stop}", settings)
    check(f"open short 99.7\n price 99.7  place {short_stop}", settings)


def test_a_stop_that_would_touch_the_price_goes_one_tick_back() -> None:
    settings = policy(distance=Absolute(D("0.4")), min_distance_ticks=0, **BARE)
    check("open long 100\n price 100  place 99 trail", settings, tick="1")  # 99.6 → 100 → 99
    check("open short 100\n price 100  place 101 trail", settings, tick="1")


def test_a_stop_one_tick_back_comes_forward_when_the_price_allows_it() -> None:
    settings = policy(distance=Absolute(D("0.5")), min_distance_ticks=0, pacing="none", **BARE)
    check(
        """
        open long 100
        price 100    place 99
        ack
        price 101.5  move 101      # exactly on the grid
        ack
        price 102    exact 101     # 101.5 → 102 touches the price → 101
        price 101.9
        """,
        settings,
        tick="1",
    )


def test_a_distance_wider_than_the_price_gives_no_stop() -> None:
    check(
        "open long 100\n price 100  backstop 95 hold not_better exact none",
        policy(
            distance=Absolute(D(200)), initial_stop_percent=None, activation_percent="0",
            breakeven_at_percent=None,
        ),
    )  # fmt: skip
