"""`pacing = budget`: stops follow as soon as the exchange's limits allow, and no sooner."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trailstop.engine.begin import begin
from trailstop.engine.events import MovePermitted
from trailstop.engine.step import step

BUDGET = 'pacing = "budget"'
OTHERS_WEIGHT = 1_800
"""Of 2 400 a minute: reads still fit outside the reserve, moves do not."""
MINUTE_S = 60
PASS_S = 5
GAINS = ("1.6", "1.65", "1.7", "1.9", "2.0")
"""Steps that are less than the least move of `fixed`, and sooner."""


async def _trailing(table, side):
    table.open(side)
    await table.wait(2)
    table.price(table.up(side, "1.5"))
    await table.wait(2)


def _follows(table, side):
    price = table.world.last(table.exchange.symbol)
    return table.working(side).price == table.behind(side, price, "0.5")


def test_with_a_budget_the_stop_follows_every_better_price(sit_both, side):
    async def story(table):
        await _trailing(table, side)
        for gain in GAINS:
            table.price(table.up(side, gain))
            await table.wait(1)
            assert _follows(table, side)
        table.price(table.up(side, "1.8"))
        await table.wait(1)
        assert table.working(side).price == table.behind(side, table.up(side, "2.0"), "0.5")
        assert table.status(side).hold_reason == "not_better"
        assert not any("budget" in fact.text for fact in await table.facts("held"))
        table.assert_never_bare()

    sit_both(story, policy=BUDGET)


def test_with_a_budget_a_move_that_is_lost_is_looked_up_before_the_next(sit_both, side):
    async def story(table):
        await _trailing(table, side)
        table.fault("lost_answer", table.exchange.place_stop, count=1)
        for gain in GAINS:
            table.price(table.up(side, gain))
            await table.wait(0.5)
        await table.until(lambda: len(table.ours(side)) == 1 and _follows(table, side), 15)
        clocks = table.clocks()
        assert (clocks.unprotected_ms, clocks.loosened) == (0, 0)

    sit_both(story, policy=BUDGET)


@pytest.mark.usefixtures("two_layers")
def test_with_a_budget_a_move_waits_while_others_use_the_limits_and_no_pass_goes_around_it(
    sit, side
):
    async def story(table):
        await _trailing(table, side)
        before = table.working(side).price
        await table.wait(MINUTE_S - table.now_ms // 1_000 % MINUTE_S + 1)
        table.fault("foreign_use", weight=OTHERS_WEIGHT, until_ms=table.now_ms + 1_000)
        await table.wait(PASS_S + 1)  # By then a read has shown it.
        table.price(table.up(side, "2"))
        await table.wait(2 * PASS_S)
        status = table.status(side)
        assert table.working(side).price == before
        assert (status.hold_reason, status.protection) == ("budget", "held")
        assert "most money at risk first" in status.hold_text
        assert sum("waits its turn" in fact.text for fact in await table.facts("held")) == 1
        await table.wait(MINUTE_S)
        assert _follows(table, side)
        table.assert_never_bare()

    sit(story, policy=BUDGET)


def test_with_a_budget_a_restart_trails_on_and_a_replay_decides_the_same(sit, side):
    async def story(table):
        await _trailing(table, side)
        await table.stop()
        table.price(table.up(side, "1.9"))
        await table.start()
        await table.until(lambda: _follows(table, side))
        table.price(table.up(side, "2.05"))
        await table.wait(2)
        assert _follows(table, side)
        await table.store.durable()
        (adopted,) = [row.record for row in await table.store.events(kinds=["adopted"])]
        inputs = await table.store.inputs(adopted.leg, adopted.epoch)
        trail = begin(
            leg=adopted.leg,
            epoch=adopted.epoch,
            position=adopted.position,
            instrument=adopted.instrument,
            policy=adopted.policy,
            fees=adopted.fees,
            at_ms=adopted.at_ms,
            foreign_stop=adopted.foreign_stop,
        )
        decided = []
        for event in inputs:
            trail, commands = step(trail, event)
            decided += [commands] if commands else []
        rows = await table.store.events(kinds=["decided"], limit=1_000)
        assert decided == [row.record.commands for row in rows]
        assert sum(isinstance(event, MovePermitted) for event in inputs) >= 3
        assert trail.live_stop == table.working(side).price != Decimal(0)
        table.assert_never_bare()

    sit(story, policy=BUDGET)
