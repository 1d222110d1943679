"""What a run opens by itself: in one-way mode the accounts take turns, in hedge mode each has both."""

import asyncio
from decimal import Decimal

import pytest

from tests.paper.server.support import SYMBOL, tape
from trailstop.paper.assembly import Build
from trailstop.paper.harness import run_scenario
from trailstop.paper.openings import Leg, Schedule
from trailstop.paper.plan import plan_openings

TWO_VENUES = ("long", "short", "bybit-long", "bybit-short")


@pytest.mark.parametrize(
    ("accounts", "hedge", "legs"),
    [
        (("long", "short"), False, ["long long", "short short"]),
        (
            TWO_VENUES,
            False,
            ["long long", "short short", "bybit-long long", "bybit-short short"],
        ),
        (("one",), False, ["one long"]),
        (("both",), True, ["both long", "both short"]),
    ],
)
def test_which_account_holds_what(accounts, hedge, legs):
    schedule = plan_openings((), ["BTCUSDT"], None, accounts=accounts, hedge=hedge)
    assert [f"{leg.account} {leg.side}" for leg in schedule.legs] == legs
    assert {leg.symbol for leg in schedule.legs} == {"BTCUSDT"}


def _amounts(build, seconds, close=None):
    """Sizes by position side on the account `both` after so many seconds, and the counts."""

    async def scenario(paper, _):
        key = paper.accounts["both"]["key"]
        await asyncio.sleep(seconds)
        if close is not None:
            paper.exchange.sync().close_position(key, SYMBOL, close)
            paper.exchange.tell()
            await asyncio.sleep(seconds)
        rows = paper.exchange.sync().positions(key)
        sizes = {row.position_side: row.amount for row in rows if row.amount}
        return sizes, (paper.openings.opened, paper.openings.skipped)

    return run_scenario(scenario, [tape([100] * 100)], build)


def test_in_hedge_mode_only_the_leg_that_is_flat_is_opened_again():
    legs = tuple(Leg(account="both", symbol=SYMBOL, side=side) for side in ("long", "short"))
    build = Build(accounts=("both",), hedge=True, schedule=Schedule(legs=legs, every_ms=10_000))
    sizes, counts = _amounts(build, 5)
    assert sizes == {"LONG": Decimal(10), "SHORT": Decimal(-10)}
    assert counts == (2, 0)
    sizes, counts = _amounts(build, 8, close="SHORT")
    assert sizes == {"LONG": Decimal(10), "SHORT": Decimal(-10)}
    assert counts == (3, 1)


def test_in_one_way_mode_nothing_is_opened_against_an_open_position():
    legs = tuple(Leg(account="both", symbol=SYMBOL, side=side) for side in ("long", "short"))
    sizes, counts = _amounts(Build(accounts=("both",), schedule=Schedule(legs=legs)), 5)
    assert sizes == {"BOTH": Decimal(10)}
    assert counts == (1, 1)
