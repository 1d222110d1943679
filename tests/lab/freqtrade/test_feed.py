"""The rule `FREQTRADE` for any policy and any entry, in the exact backtest."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from tests.lab.freqtrade.tables import HOUR_MS, D, Row, bars, deal
from trailstop.dialects.freqtrade import Stops, stoploss
from trailstop.domain.policy import Policy
from trailstop.domain.price import Instrument, Side
from trailstop.lab.exact.agenda import make_agenda
from trailstop.lab.exact.drive import Drive, Opening
from trailstop.lab.exact.outcome import trade_of
from trailstop.lab.peers.freqtrade.feed import FreqtradeFeed
from trailstop.lab.terms import NO_COSTS, Costs, ExitCause
from trailstop.lab.trades import Trade

GRID = Instrument("TESTUSDT", D(1), D("1E-8"))


def judge(
    rows: list[Row],
    policy: Policy,
    *,
    side: Side = Side.LONG,
    costs: Costs = NO_COSTS,
    every: bool = False,
) -> Trade:
    """One position at the open of row 1."""
    series = bars(rows)
    opening = Opening(0, "", side, Decimal(rows[1][0]), D(1), HOUR_MS)
    agenda = make_agenda(policy, series, None)
    drive = Drive(opening, GRID, policy, costs, agenda, at_level=True, moves=True)
    feed = FreqtradeFeed(series, every=every)
    feed.open(drive)
    feed.run(drive, 1, len(rows) - 1, ExitCause.END_OF_DATA, opened=True)
    return trade_of(drive, costs, GRID)


def walk(seed: int) -> list[Row]:
    rng, price, rows = random.Random(seed), 10_000, []
    for _ in range(40):
        high, low = price + rng.randint(0, 300), price - rng.randint(0, 300)
        close = rng.randint(low, high)
        rows.append((price, high, low, close))
        price = close
    return rows


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    "stops",
    [
        Stops(stoploss=D("-0.05")),
        Stops(stoploss=D("-0.05"), trailing_stop=True),
        Stops(
            stoploss=D("-0.05"),
            trailing_stop=True,
            trailing_stop_positive=D("0.02"),
            trailing_stop_positive_offset=D("0.03"),
            trailing_only_offset_is_reached=True,
        ),
    ],
    ids=["fixed", "trailing", "waiting"],
)
def test_the_same_stops_and_exits_as_with_the_strategys_orders(side: Side, stops: Stops) -> None:
    stopped = 0
    for seed in range(60):
        rows = walk(seed)
        told = {f"enter_{side.value}": [0]}
        (theirs,) = deal(rows, stops, told=told).result.trades[:1]
        mine = judge(rows, stoploss(stops), side=side)
        if theirs.cause is ExitCause.END_OF_DATA:
            assert mine.cause is ExitCause.END_OF_DATA
            continue
        stopped += 1
        assert mine == judge(rows, stoploss(stops), side=side, every=True)
        assert (mine.exit_ms, mine.exit_price, mine.cause) == (
            theirs.exit_ms, theirs.exit_price, theirs.cause,
        )  # fmt: skip
        assert [move.to_price for move in mine.moves] == [move.to_price for move in theirs.moves]
    assert stopped > 10


def test_the_default_policy_runs_with_its_costs() -> None:
    rows: list[Row] = [
        (1_000, 1_000, 1_000, 1_000),
        (1_000, 1_002, 999, 1_002),
        (1_002, 1_030, 1_000, 1_028),
        (1_028, 1_029, 900, 910),
    ]
    trade = judge(rows, Policy(), costs=Costs())
    assert trade.cause is ExitCause.TRAIL
    assert trade.exit_price == D(1_025)
    assert trade.net > 0
