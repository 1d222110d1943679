"""Hedge mode: a long and a short of one symbol on one account, each with its own protection."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trailstop.domain.position import Cause

pytestmark = pytest.mark.usefixtures("hedge")


def _other(side):
    return "short" if side == "long" else "long"


async def _both_legs(table, account):
    """A position on each side of the account, the other one twice as large."""
    table.open(account)
    table.open(_other(account), "0.2", account=account)
    await table.wait(2)


def test_both_legs_have_stops_of_their_own(sit_both, side):
    async def story(table):
        await _both_legs(table, side)
        for leg, quantity in ((side, "0.1"), (_other(side), "0.2")):
            stop = table.working(side, side=leg)
            assert stop.quantity == Decimal(quantity) == abs(table.amount(side, side=leg))
            assert table.gain_of(leg, stop.price, account=side) == Decimal("-2.00")
            assert len(table.stops(side, side=leg)) == table.layers
            assert table.status(side, side=leg).protection == "held"
        table.assert_never_bare()

    sit_both(story)


def test_one_leg_trails_and_leaves_the_other_alone(sit_both, side):
    async def story(table):
        await _both_legs(table, side)
        table.price(table.up(side, "1.6"))
        await table.wait(3)
        peak = table.up(side, "1.6")
        other = table.working(side, side=_other(side))
        assert table.working(side).price == table.behind(side, peak, "0.5")
        assert table.gain_of(_other(side), other.price, account=side) == Decimal("-2.00")
        assert table.status(side, side=_other(side)).moves == 0
        assert table.clocks().unprotected_ms == 0

    sit_both(story)


def test_one_leg_stopped_out_leaves_the_other_with_its_stop(sit_both, side):
    async def story(table):
        await _both_legs(table, side)
        table.price(table.up(side, "2.2"))
        await table.wait(8)
        assert table.amount(side, side=_other(side)) == 0
        assert table.stops(side, side=_other(side)) == []
        (ended,) = await table.epochs(side, side=_other(side))
        assert ended.cause is Cause.INITIAL_STOP
        assert table.amount(side) != 0
        assert len(table.stops(side)) == table.layers
        (going,) = await table.epochs(side)
        assert going.cause is None
        table.assert_never_bare()

    sit_both(story)


def test_what_is_done_to_one_leg_changes_nothing_of_the_other(sit_both, side):
    async def story(table):
        await _both_legs(table, side)
        other = table.stops(side, side=_other(side))
        table.open(side, "0.3")
        await table.wait(3)
        table.reduce(side, "0.25")
        await table.wait(3)
        assert table.working(side).quantity == Decimal("0.15")
        await table.control("tighten", side, table.up(side, "-1"))
        await table.wait(3)
        assert table.working(side).price == table.up(side, "-1")
        table.close(side)
        await table.wait(8)
        assert table.stops(side) == []
        assert not table.guarded(side)
        assert table.stops(side, side=_other(side)) == other
        assert table.guarded(side, side=_other(side))
        assert table.clocks().unprotected_ms == 0

    sit_both(story)


def test_a_close_of_one_leg_closes_that_leg_alone(sit_both, side):
    async def story(table):
        await _both_legs(table, side)
        await table.control("close", side)
        await table.wait(8)
        assert table.amount(side) == 0
        assert table.stops(side) == []
        assert abs(table.amount(side, side=_other(side))) == Decimal("0.2")
        assert len(table.stops(side, side=_other(side))) == table.layers
        (epoch,) = await table.epochs(side)
        assert epoch.cause is Cause.USER_CLOSE
        table.assert_never_bare()

    sit_both(story)


def test_both_legs_survive_a_restart(sit_both, side):
    async def story(table):
        await _both_legs(table, side)
        before = [table.stops(side, side=leg) for leg in ("long", "short")]
        await table.stop()
        await table.wait(20)
        await table.start()
        await table.wait(10)
        assert [table.stops(side, side=leg) for leg in ("long", "short")] == before
        assert len(await table.facts("adopted")) == 2
        table.assert_never_bare()

    sit_both(story)


def test_a_leg_closed_while_we_were_away_leaves_no_stop_and_keeps_the_other(sit_both, side):
    async def story(table):
        await _both_legs(table, side)
        other = table.stops(side, side=_other(side))
        await table.stop()
        table.close(side)
        await table.start()
        await table.wait(3)
        assert table.stops(side) == []
        assert table.stops(side, side=_other(side)) == other
        (epoch,) = await table.epochs(side)
        assert epoch.cause is Cause.CLOSED_ELSEWHERE

    sit_both(story)
