"""Moving a stop: new first; or beneath the backstop where only one stop may rest."""

from __future__ import annotations

from decimal import Decimal

import pytest

LATENCY_MS = 50


async def _climb(table, side, steps):
    table.open(side)
    await table.wait(2)
    for step in range(steps):
        table.price(table.up(side, Decimal(step) * Decimal("1.5")))
        await table.wait(3)


def test_a_stop_is_replaced_new_first_and_never_missing(sit, side):
    async def story(table):
        await _climb(table, side, 8)
        assert table.status(side).moves >= 7
        assert len(table.sent(side)) == table.status(side).moves + 1
        assert len(table.ours(side)) == 1
        table.assert_never_bare()

    sit(story)


@pytest.mark.usefixtures("two_layers")
def test_where_one_stop_may_rest_it_moves_beneath_the_backstop(sit, side):
    async def story(table):
        await _climb(table, side, 8)
        moves = table.status(side).moves
        assert moves >= 7
        assert len(table.ours(side)) == 1
        clocks = table.clocks()
        assert (clocks.unprotected_ms, clocks.loosened, clocks.duplicates) == (0, 0, 0)
        per_move_ms = clocks.loosened_ms / moves
        assert 1.9 * LATENCY_MS <= per_move_ms <= 2.1 * LATENCY_MS, "about two latencies a move"

    sit(story, overlap=False, latency_ms=LATENCY_MS, latency_spread=0.0)


@pytest.mark.usefixtures("two_layers")
def test_a_move_that_fails_puts_the_old_price_back_at_once(sit, side):
    async def story(table):
        await _climb(table, side, 3)
        old = table.working(side)
        table.fault("overloaded", table.exchange.place_stop, count=1)
        table.price(table.up(side, "6"))
        await table.until(lambda: table.working(side) != old if table.ours(side) else False, 2)
        assert table.working(side).price == old.price
        await table.wait(3)
        assert table.working(side).price == table.behind(side, table.up(side, "6"), "0.5")
        clocks = table.clocks()
        assert (clocks.unprotected_ms, clocks.loosened) == (0, 0)

    sit(story, overlap=False)


def test_a_move_whose_create_fails_leaves_the_old_stop_resting(sit, side):
    async def story(table):
        await _climb(table, side, 3)
        old = table.working(side)
        table.fault("overloaded", table.exchange.place_stop, count=1)
        table.price(table.up(side, "6"))
        await table.wait(0.5)
        # What moves in place may be asked for again at once: the same price twice is one stop.
        assert table.working(side) == old or table.exchange.one_layer
        await table.wait(3)
        assert table.working(side).price == table.behind(side, table.up(side, "6"), "0.5")
        table.assert_never_bare()

    sit(story)


@pytest.mark.usefixtures("two_layers")
@pytest.mark.parametrize(
    ("kind", "executed"),
    [("lost_request", False), ("lost_answer", True), ("unknown", False), ("unknown", True)],
)
def test_a_cancel_of_unknown_outcome_is_done_until_one_stop_is_left(sit_both, side, kind, executed):
    async def story(table):
        await _climb(table, side, 2)
        table.fault(kind, table.exchange.cancel_stop, count=1, executed=executed)
        table.price(table.up(side, "4"))
        await table.wait(3)
        assert table.working(side).price == table.behind(side, table.up(side, "4"), "0.5")
        table.assert_never_bare()

    sit_both(story)


@pytest.mark.usefixtures("two_layers")
def test_a_backstop_that_cannot_rest_yet_is_asked_for_once_a_second_at_most(sit, side):
    async def story(table):
        # The mark is still where the price was half a minute ago: beyond the backstop.
        table.price("9100" if side == "long" else "10900")
        await table.wait(60)
        table.price("10000")
        table.open(side)
        await table.wait(10)
        assert table.working(side)
        assert 2 <= table.served(table.exchange.place_stop) <= 13
        table.assert_never_bare()

    sit(story)
