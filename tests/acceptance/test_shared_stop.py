"""The position's one stop, which the guard takes over and everybody else can move too."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trailstop.domain.position import Cause, StopKind
from trailstop.paper.model import PositionStopRequest

pytestmark = pytest.mark.usefixtures("one_layer")


async def _trailing(table, side, gain="2"):
    table.open(side)
    await table.wait(2)
    table.price(table.up(side, gain))
    await table.wait(3)
    return table.working(side)


async def _put_back(table):
    facts = await table.facts("alarmed")
    return [fact for fact in facts if "put back" in fact.text]


def test_a_stop_moved_tighter_by_hand_is_the_floor_and_ours_goes_on_from_there(sit, side):
    async def story(table):
        await _trailing(table, side)
        floor = table.up(side, "1.8")
        table.move_by_hand(side, floor)
        await table.wait(2)
        status = table.status(side)
        assert (status.live_stop, status.live_kind) == (floor, StopKind.FOREIGN)
        await table.wait(70)
        (stop,) = table.stops(side)
        assert stop.price == floor, "it is left alone"
        table.price(table.up(side, "4"))
        await table.wait(3)
        assert table.working(side).price == table.behind(side, table.up(side, "4"), "0.5")
        table.assert_never_bare()
        assert await _put_back(table) == []

    sit(story)


def test_a_hand_made_floor_that_fires_is_told_as_a_stop_that_is_not_ours(sit, side):
    async def story(table):
        await _trailing(table, side)
        table.move_by_hand(side, table.up(side, "1.8"))
        await table.wait(2)
        table.price(table.up(side, "1.7"))
        await table.wait(5)
        assert table.amount(side) == 0
        (epoch,) = await table.epochs(side)
        assert epoch.cause is Cause.FOREIGN_STOP

    sit(story)


def test_what_is_added_never_loosens_a_hand_made_floor(sit, side):
    async def story(table):
        await _trailing(table, side)
        floor = table.up(side, "1.8")
        table.move_by_hand(side, floor)
        await table.wait(2)
        table.open(side)
        await table.wait(70)
        (stop,) = table.stops(side)
        assert (stop.price, stop.quantity) == (floor, Decimal("0.2"))
        table.assert_never_bare()

    sit(story)


@pytest.mark.parametrize("act", ["loosened", "removed"])
def test_a_stop_loosened_or_removed_by_hand_is_put_back_and_reported(sit, side, act):
    async def story(table):
        ours = await _trailing(table, side)
        table.move_by_hand(side, table.up(side, "0.5") if act == "loosened" else 0)
        await table.wait(3)
        assert table.working(side).price == ours.price
        assert table.status(side).protection == "held"
        (alarm,) = await _put_back(table)
        assert str(ours.price.normalize()) in alarm.text

    sit(story)


def test_a_tug_of_war_is_one_correction_a_minute_and_the_stop_stands_in_the_end(sit, side):
    async def story(table):
        ours = await _trailing(table, side)
        began_ms, sent = table.now_ms, len(table.sent(side))
        for number in range(10):
            table.move_by_hand(side, table.up(side, f"0.{50 + number}"))
            await table.wait(6)
        minutes = (table.now_ms - began_ms) / 60_000
        assert 1 <= len(table.sent(side)) - sent <= minutes + 1
        await table.wait(70)
        assert table.working(side).price == ours.price
        assert len(await _put_back(table)) <= minutes + 2

    sit(story)


def test_while_it_waits_to_be_put_back_the_status_does_not_say_held(sit, side):
    async def story(table):
        await _trailing(table, side)
        table.move_by_hand(side, table.up(side, "0.5"))
        await table.wait(3)
        table.move_by_hand(side, 0)
        await table.wait(7)
        assert table.stops(side) == [], "corrected once a minute only"
        assert table.status(side).protection == "none"
        await table.wait(60)
        assert table.status(side).protection == "held"

    sit(story)


def test_a_floor_that_its_maker_takes_away_comes_back_as_ours(sit, side):
    async def story(table):
        await _trailing(table, side)
        floor = table.up(side, "1.8")
        table.move_by_hand(side, floor)
        await table.wait(2)
        table.move_by_hand(side, 0)
        await table.wait(3)
        assert table.working(side).price == floor, "what was promised stays promised"

    sit(story)


def test_take_profit_and_trailing_stop_of_others_are_never_touched(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        others = PositionStopRequest(
            symbol=table.exchange.symbol,
            position_side=table.position_side(side),
            take_profit=table.up(side, "9"),
            trailing_distance=Decimal(900),
        )
        table.world.set_position_stops(table.key(side), others, author="user")
        table.paper.exchange.tell()
        before = {row.slot: row for row in _slots(table, side) if row.slot != "stop_loss"}
        for gain in ("2", "4"):
            table.price(table.up(side, gain))
            await table.wait(3)
        after = {row.slot: row for row in _slots(table, side) if row.slot != "stop_loss"}
        assert len(before) == 2
        assert [row.updated_us for row in before.values() if row.slot == "take_profit"] == [
            row.updated_us for row in after.values() if row.slot == "take_profit"
        ]
        assert after["trailing_stop"].distance == Decimal(900)
        table.assert_never_bare()

    sit(story)


def _slots(table, side):
    rows = table.world.open_conditionals(table.key(side), table.exchange.symbol)
    leg = table.position_side(side)
    return [row for row in rows if row.slot and row.position_side == leg]


def test_a_stop_set_with_the_entry_is_the_initial_one_until_ours_is_better(sit, side):
    async def story(table):
        table.open(side)
        table.move_by_hand(side, table.up(side, "-3"))
        await table.start()
        await table.wait(2)
        (stop,) = table.stops(side)
        assert table.gain_of(side, stop.price) == Decimal("-3.00")
        assert table.status(side).live_kind is StopKind.FOREIGN
        table.price(table.up(side, "2"))
        await table.wait(3)
        assert table.working(side).price == table.behind(side, table.up(side, "2"), "0.5")
        assert await _put_back(table) == []

    sit(story, guard_first=False)


def test_a_stop_is_not_asked_for_again_at_the_same_price(sit, side):
    async def story(table):
        await _trailing(table, side)
        before = table.served(table.exchange.place_stop)
        await table.wait(600)
        assert table.served(table.exchange.place_stop) == before

    sit(story)


def test_right_after_the_entry_the_exchange_may_not_know_the_position_yet(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        assert table.gain_of(side, table.working(side).price) == Decimal("-2.00")
        table.assert_never_bare()

    sit(story, world={"zero_position_ms": 900})


@pytest.mark.parametrize("kind", ["lost_request", "lost_answer"])
def test_a_move_of_unknown_outcome_is_found_by_its_price(sit, side, kind):
    async def story(table):
        await _trailing(table, side)
        table.fault(kind, table.exchange.place_stop, count=1)
        table.price(table.up(side, "4"))
        await table.wait(8)
        wanted = table.behind(side, table.up(side, "4"), "0.5")
        assert table.working(side).price == wanted
        assert [stop.price for stop in table.sent(side)].count(wanted) == 1
        table.assert_never_bare()

    sit(story)


def test_a_tighter_price_set_while_ours_is_on_its_way_is_the_floor_all_the_same(sit, side):
    async def story(table):
        await _trailing(table, side)
        table.price(table.up(side, "4"))
        await table.wait(0.03)
        floor = table.up(side, "3.8")
        table.move_by_hand(side, floor)
        await table.wait(10)
        (stop,) = table.stops(side)
        assert stop.price == floor
        clocks = table.clocks()
        assert (clocks.unprotected_ms, clocks.duplicates) == (0, 0)

    sit(story)
