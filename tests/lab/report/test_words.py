"""What was tested, in sentences that a trader reads."""

from decimal import Decimal

import pytest

from tests.lab.report.hand import bars
from trailstop.domain.policy import Absolute, Atr, Callback, Policy, ProfitShare, Rung, Steps
from trailstop.domain.price import Rounding
from trailstop.lab.report.words import (
    RULES,
    costs_words,
    distance_words,
    interval_words,
    policy_words,
    rule_words,
)
from trailstop.lab.terms import Costs, FillRule

D = Decimal


def test_the_default_policy():
    assert policy_words(Policy()) == [
        "initial stop 2 % from the entry",
        "at 0.5 % gain the stop moves to what pays fees",
        "trailing begins at 1.5 % gain",
        "it trails 0.5 % behind the peak",
        "a stop moves at most every 60 s and by at least 0.1 %, at once by 1 %",
    ]


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        pytest.param(Policy(initial_stop_percent=None), "no initial stop", id="no initial"),
        pytest.param(Policy(breakeven_at_percent=None), "no breakeven stop", id="no breakeven"),
        pytest.param(
            Policy(breakeven_offset_percent=D("0.10")),
            "at 0.5 % gain the stop moves to what pays fees and 0.1 % more",
            id="offset",
        ),
        pytest.param(
            Policy(activation_percent=D(0)), "trailing begins with the first price", id="at once"
        ),
        pytest.param(
            Policy(activation_price=D(65000)), "trailing begins at 65 000", id="at a price"
        ),
        pytest.param(
            Policy(activation_after_minutes=D(10), gain_basis="net"),
            "trailing begins at 1.5 % gain, or after 10 min with more than 0 % gain "
            "(gains after fees and funding)",
            id="by time",
        ),
        pytest.param(
            Policy(momentum_percent_per_minute=D("0.1")),
            "a move of 0.1 % a minute narrows that once to 0.7 of it",
            id="momentum",
        ),
        pytest.param(Policy(pacing="none"), "every move goes out at once", id="unpaced"),
        pytest.param(
            Policy(emergency_percent=None),
            "a stop moves at most every 60 s and by at least 0.1 %",
            id="no emergency",
        ),
        pytest.param(
            Policy(rounding=Rounding.NONE), "stops are rounded: none", id="another rounding"
        ),
        pytest.param(Policy(strict=True), "a touch does not fire", id="strict"),
        pytest.param(
            Policy(on_cross="hold"), "a crossed exact stop is left to the resting one", id="hold"
        ),
        pytest.param(Policy(basis="bid_ask"), "the distance is taken from bid and ask", id="basis"),
    ],
)
def test_what_differs_is_said(policy, words):
    assert words in policy_words(policy)


@pytest.mark.parametrize(
    ("distance", "words"),
    [
        (Callback(D("0.80")), "0.8 % behind the peak"),
        (ProfitShare(D("0.5")), "so that 50 % of the best gain is kept"),
        (Absolute(D(1500)), "1 500 behind the peak"),
        (
            Atr(),
            "2 × ATR(14 candles of 15 min) behind the peak, 0.5 % until these are there",
        ),
        (
            Steps((Rung(D(1), D("0.5")), Rung(D(2), D("0.3")))),
            "behind the peak by a ladder: 0.5 % from 1 % gain, 0.3 % from 2 % gain",
        ),
    ],
)
def test_distances(distance, words):
    assert distance_words(distance) == words


def test_every_rule_is_named_with_what_it_assumes():
    assert set(RULES) == set(FillRule)
    assert rule_words(bars(), FillRule.WORST_CASE).startswith("worst_case: open, against")


def test_costs():
    costs = Costs(Decimal("0.0002"), Decimal("0.00055"), Decimal("0.010"), 100)
    assert costs_words(costs) == ("fees 0.02 % in and 0.055 % out, slippage 0.01 %, latency 100 ms")


@pytest.mark.parametrize(
    ("interval_ms", "words"),
    [
        (60_000, "1 min"),
        (14_400_000, "4 h"),
        (90_000, "90 s"),
        (86_400_000, "1 d"),
        (250, "250 ms"),
    ],
)
def test_lengths_of_candles(interval_ms, words):
    assert interval_words(interval_ms) == words
