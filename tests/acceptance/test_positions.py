"""Positions that change under the guard: added to, partly closed, flipped, closed by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trailstop.domain.position import Cause, Phase


def _other(side):
    return "short" if side == "long" else "long"


def test_what_is_added_is_covered_within_two_seconds_at_the_same_price(sit, side, overlap):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.price(table.up(side, "2"))
        await table.wait(3)
        before = table.working(side)
        for _ in range(3):
            table.open(side)
            await table.wait(2)
        assert table.working(side).quantity == Decimal("0.4") == abs(table.amount(side))
        assert table.working(side).price == before.price
        clocks = table.clocks()
        assert (clocks.unprotected_ms, clocks.loosened, clocks.duplicates) == (0, 0, 0)
        assert clocks.size_lag_ms < 2_000

    sit(story, overlap=overlap)


def test_averaging_never_loosens_a_stop(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        for gain in ("2", "4"):
            table.price(table.up(side, gain))
            await table.wait(65)
        stop = table.working(side).price
        assert table.gain_of(side, stop) == Decimal("2.00")
        table.price(table.up(side, "2.1"))
        await table.wait(1)
        # Half of the gain from the new average would be a stop further away.
        table.open(side, "0.05")
        await table.wait(70)
        assert table.working(side).quantity == Decimal("0.15")
        assert table.working(side).price == stop
        assert table.status(side).exact_stop == stop
        table.assert_never_bare()

    sit(story, policy='distance = "profit_share"\nprofit_share = 0.5')


def test_a_part_closed_makes_the_stop_smaller_at_the_same_price(sit, side, overlap):
    async def story(table):
        table.open(side)
        await table.wait(2)
        before = table.working(side)
        table.reduce(side, "0.04")
        await table.wait(3)
        assert table.working(side).quantity == Decimal("0.06") == abs(table.amount(side))
        assert table.working(side).price == before.price
        clocks = table.clocks()
        assert (clocks.unprotected_ms, clocks.loosened, clocks.duplicates) == (0, 0, 0)

    sit(story, overlap=overlap)


@pytest.mark.usefixtures("one_way")
def test_a_flip_is_a_new_epoch_with_its_stop_on_the_right_side(sit, side, overlap):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.price(table.up(side, "2"))
        await table.wait(3)
        table.open(_other(side), "0.3", account=side)
        await table.wait(2)
        stop = table.working(side)
        assert stop.quantity == Decimal("0.2")
        worse = table.entry(side) - stop.price
        assert (worse > 0) is (side == "short"), "a stop loses, from either side"
        await table.wait(6)
        assert len(table.stops(side)) == table.layers
        assert table.status(side).phase is Phase.WAITING
        first, second = await table.epochs(side)
        assert first.cause is not None
        assert second.cause is None
        clocks = table.clocks()
        assert (clocks.unprotected_ms, clocks.loosened, clocks.duplicates) == (0, 0, 0)

    sit(story, overlap=overlap)


def test_a_position_closed_by_hand_leaves_no_stop_behind(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.close(side)
        await table.wait(5)
        assert table.stops(side) == []
        assert not table.guarded(side)
        (epoch,) = await table.epochs(side)
        assert epoch.cause is Cause.CLOSED_ELSEWHERE

    sit(story)


def test_a_position_closed_by_hand_while_its_stop_moves_leaves_no_stop_behind(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.price(table.up(side, "2"))
        await table.wait(0.06)
        table.close(side)
        await table.wait(8)
        assert table.stops(side) == []
        assert not table.guarded(side)

    sit(story)


def test_closed_and_opened_again_at_once_is_another_epoch(sit, side, overlap):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.price(table.up(side, "2"))
        await table.wait(3)
        table.close(side)
        table.open(side, "0.2")
        await table.wait(2)
        assert table.working(side).quantity == Decimal("0.2")
        assert table.gain_of(side, table.working(side).price) == Decimal("-2.00")
        await table.wait(5)
        assert len(table.stops(side)) == table.layers
        assert table.status(side).peak is None
        assert len(await table.epochs(side)) == 2
        clocks = table.clocks()
        assert (clocks.unprotected_ms, clocks.loosened, clocks.duplicates) == (0, 0, 0)

    sit(story, overlap=overlap)


def test_many_positions_one_after_another_are_each_guarded(sit, side, overlap):
    async def story(table):
        for _ in range(5):
            table.open(side)
            await table.wait(3)
            assert len(table.ours(side)) == 1
            table.close(side)
            await table.wait(3)
        assert table.stops(side) == []
        assert [epoch.cause for epoch in await table.epochs(side)] == [Cause.CLOSED_ELSEWHERE] * 5
        table.assert_never_bare()

    sit(story, overlap=overlap)


@pytest.mark.parametrize("after_s", [0.02, 0.06, 0.11, 0.3])
def test_a_stop_on_its_way_for_a_closed_position_keeps_the_next_one_from_nothing(
    sit_both, side, after_s
):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.price(table.up(side, "2"))
        await table.wait(after_s)
        table.close(side)
        await table.wait(0.4)
        table.open(side, "0.2")
        await table.wait(2)
        (stop,) = [stop for stop in table.ours(side) if stop.quantity == Decimal("0.2")]
        assert table.gain_of(side, stop.price) == Decimal("-2.00")
        clocks = table.clocks()
        assert (clocks.unprotected_ms, clocks.loosened, clocks.duplicates) == (0, 0, 0)
        await table.wait(6)
        assert len(table.stops(side)) == table.layers

    sit_both(story)
