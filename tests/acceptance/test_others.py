"""The user, other programs and the exchange's own whims on the same account."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trailstop.daemon.talk.status import ControlRefused
from trailstop.domain.position import Cause, Phase, StopKind


@pytest.mark.parametrize("told", [True, False], ids=["told", "silent"])
def test_a_stop_that_the_exchange_drops_is_restored(sit_both, side, told):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.price(table.up(side, "2"))
        await table.wait(3)
        stop = table.working(side)
        if not told:
            table.fault("silence", stream="private", until_ms=table.now_ms + 5_500)
        table.remove(stop)
        await table.wait(1 if told else 5.6)
        assert table.working(side).price == stop.price
        clocks = table.clocks()
        assert clocks.unprotected_ms == 0 or table.layers == 1, "the backstop stands"
        assert clocks.unprotected_ms + clocks.loosened_ms < (1_000 if told else 5_600)

    sit_both(story)


@pytest.mark.usefixtures("two_layers")
def test_a_backstop_that_the_exchange_drops_is_restored(sit_both, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        (backstop,) = table.backstops(side)
        table.remove(backstop)
        await table.wait(1)
        (again,) = table.backstops(side)
        assert again.price == backstop.price
        assert again.client_id != backstop.client_id
        table.assert_never_bare()

    sit_both(story)


def test_a_foreign_stop_is_the_initial_one_and_is_never_touched(sit, side):
    async def story(table):
        table.open(side)
        foreign = table.place_by_hand(side, table.up(side, "-3"), "0.1")
        await table.start()
        await table.wait(2)
        assert table.ours(side) == [], "theirs is the initial stop"
        assert table.status(side).live_kind is StopKind.FOREIGN
        assert len(table.backstops(side)) == table.layers - 1
        for gain in ("0.7", "2", "4"):
            table.price(table.up(side, gain))
            await table.wait(3)
        assert table.working(side).price == table.behind(side, table.up(side, "4"), "0.5")
        await table.control("close", side)
        await table.wait(6)
        assert [stop.client_id for stop in table.stops(side)] in ([], ["mine"])
        rows = table.world.all_conditionals(table.key(side), table.exchange.symbol)
        (mine,) = [row for row in rows if row.client_id == "mine"]
        assert (mine.algo_id, mine.trigger_price) == (foreign.algo_id, foreign.trigger_price)
        table.assert_never_bare()

    sit(story, guard_first=False)


def test_a_wider_foreign_stop_gets_ours_beside_it_where_the_trader_wants_that(sit, side):
    async def story(table):
        table.open(side)
        table.place_by_hand(side, table.up(side, "-3"), "0.1")
        await table.start()
        await table.wait(2)
        assert table.gain_of(side, table.working(side).price) == Decimal("-2.00")

    sit(story, guard_first=False, policy='existing_stop = "tighten"')


def test_a_tighter_foreign_stop_is_the_floor(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.place_by_hand(side, table.up(side, "-1"), "0.1")
        await table.wait(2)
        status = table.status(side)
        assert (status.live_stop, status.live_kind) == (table.up(side, "-1"), StopKind.FOREIGN)
        table.price(table.up(side, "-1.2"))
        await table.wait(5)
        assert table.amount(side) == 0
        (epoch,) = await table.epochs(side)
        assert epoch.cause is Cause.FOREIGN_STOP

    sit(story)


@pytest.mark.usefixtures("two_layers")
def test_a_foreign_whole_position_stop_serves_as_the_backstop(sit, side):
    async def story(table):
        table.open(side)
        table.place_by_hand(side, table.up(side, "-6"), None)
        await table.start()
        await table.wait(2)
        assert [stop.client_id for stop in table.backstops(side)] == ["mine"]

    sit(story, guard_first=False, policy='existing_stop = "tighten"')


def test_orphans_of_a_position_closed_while_we_were_away_are_removed(sit_both, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        await table.stop()
        assert len(table.stops(side)) == table.layers, "the stops stay when the guard ends"
        table.close(side)
        await table.start()
        await table.wait(3)
        assert table.stops(side) == []
        (epoch,) = await table.epochs(side)
        assert epoch.cause is Cause.CLOSED_ELSEWHERE

    sit_both(story)


def test_a_guard_with_a_lost_database_takes_its_positions_up_again(sit_both, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        await table.stop()
        table.folder = table.folder / "elsewhere"
        table.folder.mkdir()
        await table.start()
        await table.wait(3)
        assert table.status(side).protection == "held"
        assert abs(table.amount(side)) == Decimal("0.1")
        assert table.clocks().unprotected_ms == 0

    sit_both(story)


def test_what_is_not_guarded_is_listed_and_left_alone(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(65)
        assert table.stops(side) == []
        assert table.account_status(side).not_guarded == (str(table.leg(side)),)
        assert not table.guarded(side)

    sit(story, lines=["[guard]", 'ignore = ["BTCUSDT"]'])


def test_pause_keeps_the_stop_and_resume_trails_on(sit_both, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.price(table.up(side, "2"))
        await table.wait(3)
        stop = table.working(side)
        await table.control("pause", side)
        table.price(table.up(side, "4"))
        await table.wait(70)
        assert table.working(side) == stop
        assert table.status(side).paused
        await table.control("resume", side)
        await table.wait(3)
        assert table.working(side).price == table.behind(side, table.up(side, "4"), "0.5")
        table.assert_never_bare()

    sit_both(story)


def test_a_trader_may_tighten_and_never_loosen(sit_both, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        await table.control("tighten", side, table.up(side, "-1"))
        await table.wait(2)
        assert table.working(side).price == table.up(side, "-1")
        with pytest.raises(ControlRefused):
            await table.control("tighten", side, table.up(side, "-1.5"))
        await table.wait(2)
        assert table.working(side).price == table.up(side, "-1")
        table.price(table.up(side, "-1.2"))
        await table.wait(4)
        (epoch,) = await table.epochs(side)
        assert epoch.cause is Cause.USER_STOP
        table.assert_never_bare()

    sit_both(story)


def test_a_trader_may_close(sit_both, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        await table.control("close", side)
        await table.wait(1)
        assert table.amount(side) == 0
        await table.wait(5)
        assert table.stops(side) == []
        (epoch,) = await table.epochs(side)
        assert epoch.cause is Cause.USER_CLOSE
        assert epoch.phases[-1] is Phase.TRIGGERED

    sit_both(story)


def test_a_leg_that_is_not_there_is_said_to_be_not_guarded(sit, side):
    async def story(table):
        with pytest.raises(ControlRefused, match="not guarded"):
            await table.control("pause", side)

    sit(story)
