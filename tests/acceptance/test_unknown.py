"""Answers that never come: looked up, never repeated blindly, and one stop in the end."""

from __future__ import annotations

import pytest

KINDS = pytest.mark.parametrize(
    ("kind", "executed"),
    [
        ("lost_request", False),
        ("lost_answer", True),
        ("unknown", True),
        ("unknown", False),
        ("internal", True),
        ("timeout", True),
    ],
)


@KINDS
def test_a_first_stop_of_unknown_outcome_ends_as_one_stop(sit, side, kind, executed):
    async def story(table):
        table.fault(kind, table.exchange.place_stop, count=1, executed=executed)
        table.open(side)
        await table.wait(6)
        assert len(table.sent(side)) == 1, "what rests was found, not sent again"
        assert table.working(side).price == table.status(side).live_stop
        assert len(table.stops(side)) == table.layers
        table.assert_never_bare()

    sit(story)


@KINDS
def test_a_move_of_unknown_outcome_ends_as_one_stop(sit, side, kind, executed, overlap):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.price(table.up(side, "2"))
        await table.wait(3)
        table.fault(kind, table.exchange.place_stop, count=1, executed=executed)
        table.price(table.up(side, "4"))
        await table.wait(6)
        assert table.working(side).price == table.behind(side, table.up(side, "4"), "0.5")
        prices = [stop.price for stop in table.sent(side)]
        assert prices.count(table.working(side).price) == 1, "found, or sent anew, never both"
        clocks = table.clocks()
        assert (clocks.unprotected_ms, clocks.loosened, clocks.duplicates) == (0, 0, 0)
        assert overlap is (clocks.loosened_ms == 0)

    sit(story, overlap=overlap)


@pytest.mark.usefixtures("two_layers")
def test_nothing_is_sent_again_before_the_look_up_has_an_answer(sit, side):
    async def story(table):
        until_ms = table.now_ms + 8_000
        table.fault("lost_answer", table.exchange.place_stop, count=1)
        table.fault("unavailable", table.exchange.look_up_stop, until_ms=until_ms)
        table.open(side)
        await table.wait(5)
        assert len(table.sent(side)) == 1
        assert table.status(side).protection == "unknown"
        await table.wait(8)
        assert len(table.sent(side)) == 1
        assert table.status(side).protection == "held"

    sit(story)


@pytest.mark.usefixtures("one_layer")
@pytest.mark.parametrize("kind", ["lost_request", "lost_answer"])
def test_in_place_the_same_price_is_set_again_at_once_and_another_only_after_the_first_is_dead(
    sit, side, kind
):
    async def story(table):
        table.open(side)
        await table.wait(3)
        table.fault(kind, table.exchange.place_stop, count=1)
        table.price(table.up(side, "2"))
        await table.wait(0.3)
        table.price(table.up(side, "4"))
        await table.wait(8)
        assert table.working(side).price == table.behind(side, table.up(side, "4"), "0.5")
        prices = [stop.price for stop in table.sent(side)]
        assert prices == sorted(prices, reverse=side == "short"), "never back to an older one"
        table.assert_never_bare()

    sit(story)


@KINDS
def test_a_close_of_unknown_outcome_closes_once(sit, side, kind, executed):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.fault(kind, table.exchange.close, count=1, executed=executed)
        await table.control("close", side)
        await table.wait(12)
        assert table.amount(side) == 0
        assert table.stops(side) == []
        assert not table.guarded(side)

    sit(story)


def test_a_move_whose_answer_is_lost_is_not_sent_again(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.price(table.up(side, "2"))
        await table.wait(3)
        # Only the look-up can tell: lists of stops cannot be read meanwhile.
        table.fault("unavailable", table.exchange.read_stops, until_ms=table.now_ms + 4_000)
        table.fault("lost_answer", table.exchange.place_stop, count=1)
        table.price(table.up(side, "4"))
        await table.wait(8)
        assert len(table.sent(side)) == 3, "initial, activation, and this one once"
        assert table.working(side).price == table.behind(side, table.up(side, "4"), "0.5")
        table.assert_never_bare()

    sit(story)
