"""Faults of the true state: orders that end by themselves, triggers that wait, the past."""

from __future__ import annotations

import pytest

from tests.paper.world.scene import SYMBOL, D, Scene, ticks
from trailstop.paper.facts import ConditionalChanged, OrderChanged
from trailstop.paper.trouble.standstill import Standstill


def scene(*prices):
    return Scene(ticks(*(prices or [100] * 20)))


@pytest.mark.parametrize("told", [True, False])
def test_a_stop_ends_by_itself_and_says_so_or_not(told):
    played = scene()
    played.long()
    stop = played.stop(98)
    played.world.facts.clear()
    assert played.world.end_stop(stop.algo_id, "CANCELED", told=told)
    facts = [row for row in played.world.facts if isinstance(row, ConditionalChanged)]
    assert len(facts) == told
    assert played.world.open_conditionals(played.key) == []
    assert not played.world.end_stop(stop.algo_id, "CANCELED")
    played.after(3)
    assert played.clocks.unprotected_ms == 3_000


def test_a_stalled_order_lives_without_a_fill_until_it_is_ended_or_cancelled():
    played = scene()
    played.long()
    played.world.stalls = lambda order: order.type == "MARKET"
    order = played.order("SELL", 1, reduce_only=True)
    assert (order.status, played.position.amount) == ("NEW", 1)
    played.world.facts.clear()
    assert played.world.end_order(order.order_id, "EXPIRED")
    assert [row.execution for row in played.world.facts if isinstance(row, OrderChanged)] == [
        "EXPIRED"
    ]
    assert not played.world.end_order(order.order_id, "EXPIRED")
    other = played.order("SELL", 1, reduce_only=True)
    assert played.world.cancel_order(played.key, SYMBOL, other.order_id).status == "CANCELED"
    played.world.stalls = None
    played.order("SELL", 1, reduce_only=True)
    assert played.position.amount == 0


def test_a_held_trigger_fires_when_it_is_let_go():
    played = scene(100, 97, 97, 97, 97, 97)
    played.long()
    played.stop(98)
    played.world.holds_trigger = lambda _: True
    played.after(3)
    assert played.position.amount == 1
    played.world.holds_trigger = None
    played.after(4)
    assert played.position.amount == 0


def test_the_past_stays_as_it_was_and_changes_nothing():
    played = scene()
    played.long()
    kept = played.stop(98)
    past = played.world.past()
    played.world.cancel_conditional(played.key, kept.algo_id)
    played.order("SELL", 1)
    later = played.stop(97)
    key = played.key
    assert [row.algo_id for row in past.open_conditionals(key)] == [kept.algo_id]
    assert past.conditional(key, algo_id=kept.algo_id).status == "NEW"
    assert [row.amount for row in past.positions(key)] == [1]
    assert len(past.fills(key)) == 1
    assert past.accounts[key].epochs == []
    assert [row.algo_id for row in played.world.open_conditionals(key)] == [later.algo_id]
    assert len(played.world.fills(key)) == 2
    assert past.liquidation_price(past.positions(key)[0]) >= D(0)


def test_prices_stand_still_by_stream_market_and_place():
    still = Standstill()
    name = (1, "!bookTicker")
    still.remember(name, {"s": "A", "b": "10", "E": 1})
    still.remember(name, {"s": "B", "b": "20", "E": 1})
    assert still.hold(name, {"s": "A", "b": "11", "E": 2}) == {"s": "A", "b": "10", "E": 2}
    assert still.hold(name, {"s": "B", "b": "21", "E": 3}) == {"s": "B", "b": "20", "E": 3}
    assert still.hold(name, {"s": "C", "b": "30", "E": 3})["b"] == "30"
    assert still.hold(name, {"s": "C", "b": "31", "E": 4})["b"] == "30"
    assert still.hold((2, "!bookTicker"), {"s": "A", "b": "12"})["b"] == "12"
    rows = still.hold((1, "!ticker@arr"), [{"s": "A", "c": "1"}, {"s": "B", "c": "2"}])
    assert [row["c"] for row in rows] == ["1", "2"]


def test_a_book_that_stands_still_has_no_changes():
    still = Standstill()
    delta = {"type": "delta", "ts": 5, "data": {"s": "A", "b": [["1", "2"]], "a": [], "u": 9}}
    held = still.hold((1, "orderbook.50.A"), delta)
    assert (held["data"]["b"], held["data"]["u"], held["ts"]) == ([], 9, 5)
