"""A stop that fires, or should have: the position does not stay open."""

from __future__ import annotations

from trailstop.domain.position import Phase


def test_a_stop_rejected_at_its_trigger_is_answered_with_a_close(sit_both, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.fault("reject_at_trigger", count=1)
        table.price(table.up(side, "-2.1"))
        await table.wait(2)
        assert table.amount(side) == 0
        alarms = await table.facts("alarmed")
        assert any("refused" in alarm.text for alarm in alarms)
        await table.wait(5)
        assert table.stops(side) == []

    sit_both(story)


def test_a_rejection_that_nobody_tells_is_found_by_a_pass(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.fault("reject_at_trigger", count=1)
        table.fault("silence", stream="private")
        table.price(table.up(side, "-2.1"))
        await table.wait(9)
        assert table.amount(side) == 0

    sit(story)


def test_a_price_beyond_the_stop_for_five_seconds_is_chased(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        # The exchange loses the stop and says nothing, and cannot be read either.
        table.fault("silence", stream="private")
        table.fault("unavailable", table.exchange.read_stops)
        table.remove(table.working(side))
        table.price(table.up(side, "-2.1"))
        await table.wait(4)
        assert table.amount(side) != 0
        await table.wait(3)
        assert table.amount(side) == 0
        assert table.status(side).phase is Phase.TRIGGERED
        assert any("5 s" in alarm.text for alarm in await table.facts("alarmed"))

    sit(story)


def test_a_close_overtakes_a_move_in_flight(sit_both, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.fault("delay", table.exchange.place_stop, count=1, delay_ms=3_000)
        table.price(table.up(side, "2"))
        await table.wait(0.3)
        await table.control("close", side)
        await table.wait(0.5)
        assert table.amount(side) == 0
        await table.wait(10)
        assert table.stops(side) == []
        assert not table.guarded(side)

    sit_both(story)
