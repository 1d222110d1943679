"""Pacing, activation and rounding as the exchange sees them: which stops come, and when."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trailstop.domain.position import Cause, Phase

MINUTE_MS = 60_000


async def _trailing(table, side, *, patience_s=2):
    """A position that trails, its first moves behind it."""
    table.open(side)
    await table.wait(patience_s)
    for step in ("0.7", "2"):
        table.price(table.up(side, step))
        await table.wait(patience_s)
    return table.working(side)


def test_a_held_move_goes_out_when_the_interval_ends_without_another_price(sit, side):
    async def story(table):
        moved = await _trailing(table, side)
        table.price(table.up(side, "2.5"))
        table.printing = False
        await table.wait(20)
        assert table.working(side) == moved
        assert table.status(side).hold_reason == "interval"
        await table.wait(45)
        assert table.working(side).price == table.behind(side, table.up(side, "2.5"), "0.5")
        assert table.working(side).created_ms - moved.created_ms < MINUTE_MS + 1_000
        table.assert_never_bare()

    sit(story)


def test_the_interval_counts_from_the_time_that_the_exchange_states(sit, side):
    async def story(table):
        await table.wait(30)
        moved = await _trailing(table, side, patience_s=10)
        for step in range(120):
            table.price(table.up(side, Decimal(2) + Decimal(step) / 200))
            await table.wait(1)
        first, second = table.sent(side)[2:4]
        assert first == moved
        # The next request leaves a minute after the acknowledgement and travels 1 s.
        assert second.created_ms - first.created_ms >= MINUTE_MS + 1_000
        assert second.created_ms - first.created_ms < MINUTE_MS + 2_000

    sit(story, latency_ms=1_000, latency_spread=0.0)


def test_passes_never_bypass_pacing(sit, side):
    async def story(table):
        await _trailing(table, side)
        sent = len(table.sent(side))
        table.price(table.up(side, "2.5"))
        await table.wait(50)
        assert len(table.sent(side)) == sent, "ten passes have compared it with the target"

    sit(story)


def test_a_small_improvement_waits_for_more(sit, side):
    async def story(table):
        moved = await _trailing(table, side)
        table.price(table.up(side, "2.05"))
        await table.wait(130)
        assert table.working(side) == moved
        assert table.status(side).hold_reason == "min_improvement"

    sit(story)


@pytest.mark.parametrize(
    ("more", "moves"), [("0.0", True), ("-0.1", False)], ids=["exactly", "a-tick-less"]
)
def test_an_improvement_of_one_percent_goes_out_at_once(sit, side, more, moves):
    async def story(table):
        sign = 1 if side == "long" else -1
        table.open(side)
        await table.wait(2)
        # An absolute distance of 50 puts the stops on round figures.
        table.price(Decimal(10_000 + sign * 200))
        await table.wait(2)
        live = table.working(side).price
        assert live == 10_000 + sign * 150
        better = live * Decimal("0.01") + Decimal(more)
        table.price(live + sign * (50 + better))
        await table.wait(2)
        assert (table.working(side).price == live + sign * better) is moves
        assert table.status(side).exact_stop == live + sign * better

    sit(story, policy='distance = "absolute"\nabsolute_distance = 50')


def test_the_first_stop_after_activation_is_not_paced(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.price(table.up(side, "1.4"))
        await table.wait(2)
        breakeven = table.working(side)
        table.price(table.up(side, "1.51"))
        await table.wait(2)
        assert table.status(side).phase is Phase.ACTIVE
        assert table.working(side).price == table.behind(side, table.up(side, "1.51"), "0.5")
        assert table.working(side).created_ms - breakeven.created_ms < MINUTE_MS
        table.assert_never_bare()

    sit(story)


def test_activation_by_time_trails_from_the_price_of_that_moment(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.price(table.up(side, "1.4"))
        await table.wait(30)
        table.price(table.up(side, "0.9"))
        await table.wait(60)
        assert table.status(side).phase is Phase.ACTIVE
        assert table.status(side).peak == table.up(side, "0.9")
        assert table.working(side).price == table.behind(side, table.up(side, "0.9"), "0.5")
        assert table.amount(side) != 0

    sit(story, policy="activation_after_minutes = 1")


def test_stops_are_rounded_towards_the_market(sit, side):
    async def story(table):
        await _trailing(table, side)
        for step in range(6):
            peak = table.up(side, Decimal(4) + Decimal(step) * 2) + Decimal("0.1") * step
            table.price(peak)
            await table.wait(2)
            exact = peak * (Decimal("0.995") if side == "long" else Decimal("1.005"))
            nearer = table.working(side).price - exact
            assert 0 <= nearer * (1 if side == "long" else -1) < Decimal("0.1")
        table.assert_never_bare()

    sit(story)


def test_a_cross_of_the_held_stop_closes_at_market(sit, side):
    async def story(table):
        moved = await _trailing(table, side)
        prices = [table.up(side, gain) for gain in ("2.5", "1.9")]
        table.price(prices[0])
        await table.wait(5)
        assert table.working(side) == moved, "the better stop is held"
        table.price(prices[1])
        await table.wait(3)
        assert table.amount(side) == 0
        assert table.stops(side) == []
        (epoch,) = await table.epochs(side)
        assert epoch.cause is Cause.CROSSED
        table.assert_never_bare()

    sit(story)


def test_a_cross_is_left_to_the_live_stop_where_the_trader_wants_that(sit, side):
    async def story(table):
        moved = await _trailing(table, side)
        prices = [table.up(side, gain) for gain in ("2.5", "1.9")]
        table.price(prices[0])
        await table.wait(5)
        table.price(prices[1])
        await table.wait(70)
        assert table.working(side) == moved
        status = table.status(side)
        assert (status.phase, status.hold_reason) == (Phase.ACTIVE, "crossed")

    sit(story, policy='on_cross = "hold"')


def test_a_stray_print_moves_nothing(sit, side):
    async def story(table):
        moved = await _trailing(table, side)
        sign = 1 if side == "long" else -1
        table.price(table.up(side, "2") * (1 + sign * Decimal("0.05")), book=False)
        await table.wait(3)
        assert table.working(side) == moved
        assert table.status(side).peak == table.up(side, "2")

    sit(story)
