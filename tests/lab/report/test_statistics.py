"""Every key figure of four positions, worked out by hand."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.lab.report.hand import EVEN, LOST, MINUTE_MS, SHORT, TRADES, WON, at
from trailstop.lab.report.statistics import describe, equity

FIGURES = describe(TRADES)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("trades", 4),
        ("wins", 2),
        ("win_percent", 50.0),
        # +2.95, −2.1, +0.88, 0
        ("sum_net_percent", 1.73),
        ("mean_net_percent", 0.4325),
        ("median_net_percent", 0.44),
        ("mean_win_percent", 1.915),
        ("evens", 1),
        ("even_percent", 25.0),
        ("mean_loss_percent", -2.1),
        ("best_net_percent", 2.95),
        ("worst_net_percent", -2.1),
        ("profit_factor", 3.83 / 2.1),
        ("max_drawdown_percent", 2.1),
        # From the peak after 11 minutes to the end: it was never reached again.
        ("longest_under_water_ms", 29 * MINUTE_MS),
        # Back from 104 to 103, 100.4 to 98, 196 to 198 of 200, 101 to 100.1.
        ("mean_left_percent", (1.0 + 2.4 + 1.0 + 0.9) / 4),
        ("median_left_percent", 1.0),
        # 30 of 40 and 10 of 20 of those that trailed.
        ("kept_percent", 100 * 40 / 60),
        ("activated_percent", 50.0),
        ("sum_at_risk_ms", (2 + 18 + 2 + 4) * MINUTE_MS),
        ("mean_at_risk_ms", 6.5 * MINUTE_MS),
        ("at_risk_percent", 100 * 26 / 55),
        ("mean_held_ms", 55 / 4 * MINUTE_MS),
        ("median_held_ms", 14 * MINUTE_MS),
        ("moves", 4),
        ("mean_moves", 1.0),
        ("most_moves", 3),
        ("crossed", 1),
        ("crossed_percent", 25.0),
        ("alarmed", 1),
        ("first_ms", at(1)),
        ("last_ms", at(40)),
    ],
)
def test_figure(name, expected):
    assert getattr(FIGURES, name) == pytest.approx(expected)


def test_money_is_exact():
    assert (FIGURES.net, FIGURES.fees) == (Decimal("17.3"), Decimal("4.0"))
    assert FIGURES.funding == Decimal("-0.3")
    assert FIGURES.left == Decimal(10 + 24 + 10 + 9)


def test_causes_come_most_frequent_first_with_their_results():
    trail, initial, breakeven = FIGURES.causes
    assert (trail.name, trail.trades, trail.share_percent, trail.crossed) == ("trail", 2, 50.0, 1)
    assert trail.mean_net_percent == pytest.approx(1.915)
    assert (initial.name, initial.win_percent) == ("initial_stop", 0.0)
    assert (breakeven.name, breakeven.sum_net_percent) == ("breakeven", 0.0)
    assert (breakeven.win_percent, breakeven.even_percent) == (0.0, 100.0)


def test_sides_are_told_apart():
    assert [(side.name, side.trades) for side in FIGURES.sides] == [("long", 3), ("short", 1)]


def test_equity_has_one_point_for_all_that_end_together():
    together = [replace(trade, exit_ms=at(50)) for trade in (WON, LOST)]
    points = equity([*together, SHORT, replace(EVEN, exit_ms=at(60))])
    assert [point.at_ms for point in points] == [at(30), at(50), at(60)]
    assert [point.sum_net_percent for point in points] == pytest.approx([0.88, 1.73, 1.73])
    assert [point.under_percent for point in points] == pytest.approx([0, 0, 0])


def test_time_under_water_ends_when_the_peak_is_reached_again():
    again = replace(WON, exit_ms=at(35))
    assert describe([LOST, again]).longest_under_water_ms == at(35) - at(1)
    assert describe([WON, replace(SHORT, exit_ms=at(13))]).longest_under_water_ms == 0


def test_nothing_is_figured_of_no_trades():
    nothing = describe([])
    assert (nothing.trades, nothing.mean_net_percent, nothing.profit_factor) == (0, None, None)
    assert (nothing.first_ms, nothing.causes, nothing.max_drawdown_percent) == (None, (), 0.0)


def test_no_profit_factor_without_a_loss():
    assert describe([WON]).profit_factor is None
