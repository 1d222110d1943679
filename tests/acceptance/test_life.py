"""The life of a guarded position, seen from the exchange: adopted, protected, trailed, closed."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trailstop.domain.position import Cause, Phase


def test_a_new_position_has_its_stop_within_two_seconds(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        working = table.working(side)
        assert table.gain_of(side, working.price) == Decimal("-2.00")
        assert working.quantity == Decimal("0.1")
        assert len(table.stops(side)) == table.layers
        status = table.status(side)
        assert (status.phase, status.protection) == (Phase.WAITING, "held")
        assert status.live_stop == working.price
        table.assert_never_bare()

    sit(story)


@pytest.mark.usefixtures("two_layers")
def test_a_backstop_for_the_whole_position_rests_behind_the_working_stop(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        (backstop,) = table.backstops(side)
        assert table.gain_of(side, backstop.price) == Decimal("-5.00")
        assert table.status(side).backstop == backstop.price

    sit(story)


def test_a_position_from_before_the_start_is_adopted(sit_both, side):
    async def story(table):
        table.open(side)
        await table.start()
        await table.wait(2)
        assert table.gain_of(side, table.working(side).price) == Decimal("-2.00")
        assert len(table.stops(side)) == table.layers

    sit_both(story, guard_first=False)


def test_a_position_far_in_profit_gets_its_trailing_stop_in_one_order(sit_both, side):
    async def story(table):
        table.open(side)
        peak = table.up(side, "3")
        table.price(peak)
        await table.start()
        await table.wait(2)
        assert [stop.price for stop in table.sent(side)] == [table.behind(side, peak, "0.5")]
        assert table.status(side).phase is Phase.ACTIVE

    sit_both(story, guard_first=False)


def test_from_the_initial_stop_over_breakeven_and_trailing_to_the_exit(sit, side, overlap):
    async def story(table):
        table.open(side)
        await table.wait(2)
        initial = table.working(side)
        table.price(table.up(side, "0.7"))
        await table.wait(2)
        breakeven = table.working(side)
        assert table.gain_of(side, breakeven.price) == Decimal("0.10"), "fees both ways"
        table.price(table.up(side, "2"))
        await table.wait(2)
        trailing = table.working(side)
        assert trailing.price == table.behind(side, table.up(side, "2"), "0.5")
        assert table.status(side).phase is Phase.ACTIVE
        table.price(table.up(side, "4"))
        await table.wait(2)
        assert table.working(side).price == table.behind(side, table.up(side, "4"), "0.5")
        names = {stop.number for stop in (initial, breakeven, trailing)}
        assert len(names) == (1 if table.exchange.one_layer else 3), "moved in place, or replaced"
        table.price(table.up(side, "3.4"))
        await table.wait(5)
        assert table.amount(side) == 0
        assert table.stops(side) == []
        (epoch,) = await table.epochs(side)
        assert (epoch.cause, epoch.moves) == (Cause.TRAIL, 3)
        assert epoch.phases == (Phase.INACTIVE, Phase.WAITING, Phase.ACTIVE, Phase.TRIGGERED)
        assert not table.guarded(side)
        clocks = table.clocks()
        assert (clocks.unprotected_ms, clocks.loosened, clocks.duplicates) == (0, 0, 0)
        assert (clocks.loosened_ms == 0) is overlap

    sit(story, overlap=overlap)


@pytest.mark.parametrize(
    ("gains", "cause"),
    [
        (("-2.5",), Cause.INITIAL_STOP),
        (("0.7", "0.05"), Cause.BREAKEVEN),
        (("2", "1.4"), Cause.TRAIL),
    ],
    ids=lambda value: value.value if isinstance(value, Cause) else None,
)
def test_the_cause_of_an_exit_is_the_part_of_the_rule_that_set_the_stop(
    sit_both, side, gains, cause
):
    async def story(table):
        table.open(side)
        await table.wait(2)
        prices = [table.up(side, gain) for gain in gains]
        for price in prices:
            table.price(price)
            await table.wait(3)
        assert table.amount(side) == 0
        (epoch,) = await table.epochs(side)
        assert epoch.cause is cause
        assert epoch.exit_price is not None
        table.assert_never_bare()

    sit_both(story)


def test_every_fact_of_a_life_is_told_once_and_in_order(sit_both, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        prices = [table.up(side, gain) for gain in ("0.7", "2", "4", "3.4")]
        for price in prices:
            table.price(price)
            await table.wait(3)
        facts = await table.facts("adopted", "moved", "phase_changed", "ended")
        assert [fact.kind for fact in facts] == [
            "adopted", "moved", "phase_changed", "moved", "phase_changed", "moved", "moved",
            "phase_changed", "ended",
        ]  # fmt: skip
        assert facts == sorted(facts, key=lambda fact: fact.sequence)

    sit_both(story)
