"""What the exchange does of its own accord: liquidation, ADL, halts, ends, changed contracts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.paper.world.scene import START_US, SYMBOL, D, Scene, plain, ticks
from trailstop.paper.facts import AccountChanged, MarketChanged, OrderChanged
from trailstop.paper.model import Rejection, RejectKind
from trailstop.paper.prices.tape import Print
from trailstop.paper.settings import SECOND_US


def still(**settings: Any) -> Scene:
    return Scene(ticks(*[100] * 60), plain(**settings))


def refused_kind(call: Any, *arguments: Any, **more: Any) -> RejectKind:
    with pytest.raises(Rejection) as refused:
        call(*arguments, **more)
    return refused.value.kind


def status(scene: Scene) -> str:
    return scene.world.markets[SYMBOL].status


def test_a_liquidation_cancels_what_rests_and_closes_at_the_mark():
    scene = Scene(ticks(100, 90, every_us=15 * SECOND_US))
    scene.long(2)
    stop, backstop = scene.stop(80, 2), scene.stop(70, None)
    (own,) = scene.stops(stop_loss=75)
    limit = scene.order("SELL", 1, 120, reduce_only=True)
    scene.after(20)
    mark = scene.world.mark(SYMBOL)
    assert 90 < mark < 100
    scene.world.facts.clear()
    fill = scene.world.liquidate(scene.key, SYMBOL)
    assert abs(fill.price - mark) <= D("0.05")
    assert fill.price % D("0.1") == 0
    order = scene.world.order(scene.key, SYMBOL, fill.order_id)
    assert order.source == "liquidation"
    assert order.client_id.startswith("autoclose-")
    executions = [fact.execution for fact in scene.world.facts if isinstance(fact, OrderChanged)]
    assert executions == ["CANCELED", "NEW", "CALCULATED"]
    assert {row.cancel_reason for row in (stop, backstop, own, limit)} == {"liquidation"}
    assert not scene.world.open_conditionals(scene.key)
    assert scene.epochs[-1].closed_kind == "liquidation"
    assert scene.clocks.unprotected_ms == 0


def test_a_liquidation_leaves_the_other_leg_alone():
    scene = still()
    scene.world.set_position_mode(scene.key, True)
    scene.long(1)
    scene.short(1)
    scene.stops(position_side="LONG", stop_loss=95)
    (other,) = scene.stops(position_side="SHORT", stop_loss=105)
    scene.world.liquidate(scene.key, SYMBOL, "LONG")
    assert {p.position_side: p.amount for p in scene.world.positions(scene.key)} == {
        "LONG": 0,
        "SHORT": -1,
    }
    assert scene.world.open_conditionals(scene.key) == [other]


@pytest.mark.parametrize(("quantity", "left"), [(None, 0), (1, 2)])
def test_adl_reduces_at_the_mark_and_leaves_the_orders(quantity, left):
    scene = still()
    scene.long(3)
    stop = scene.stop(95, 3)
    (own,) = scene.stops(stop_loss=94)
    fill = scene.world.deleverage(
        scene.key, SYMBOL, quantity=None if quantity is None else D(quantity)
    )
    assert (fill.price, scene.position.amount) == (100, left)
    assert scene.world.order(scene.key, SYMBOL, fill.order_id).source == "adl"
    assert stop.status == "NEW", "sized stops outlive their position"
    assert own.status == ("NEW" if left else "CANCELED")
    if not left:
        assert scene.epochs[-1].closed_kind == "adl"


def test_there_is_nothing_to_take_from_a_flat_leg():
    world, key = (scene := still()).world, scene.key
    assert refused_kind(world.liquidate, key, SYMBOL) is RejectKind.ZERO_POSITION
    assert refused_kind(world.deleverage, key, SYMBOL) is RejectKind.ZERO_POSITION
    scene.long(1)
    too_much = refused_kind(world.deleverage, key, SYMBOL, quantity=D(2))
    assert too_much is RejectKind.BAD_QUANTITY


def test_a_delisted_market_takes_only_what_reduces():
    scene = Scene(ticks(100, 100, 94, 94))
    scene.long(2)
    opening = scene.stop(95, 1, reduce_only=False, client_id="opens")
    scene.world.facts.clear()
    scene.world.delist(SYMBOL)
    assert status(scene) == "SETTLING"
    assert list(scene.world.facts) == [MarketChanged(SYMBOL, scene.world.now_us)]
    assert refused_kind(scene.long, 1) is RejectKind.MARKET_REDUCE_ONLY
    assert refused_kind(scene.stop, 90, 1, reduce_only=False) is RejectKind.MARKET_REDUCE_ONLY
    scene.order("SELL", 1, reduce_only=True)
    assert scene.stops(stop_loss=95)
    scene.run_out()
    assert scene.position.amount == 0
    assert opening.status == "REJECTED", "its trigger came when nothing could open"


@pytest.mark.parametrize(("price", "closed_at"), [(None, 100), (97.04, 97)])
def test_a_settlement_ends_positions_orders_and_the_market(price, closed_at):
    scene = still()
    scene.long(2)
    stop, own = scene.stop(95, 2), scene.stops(stop_loss=94)[0]
    limit = scene.order("BUY", 1, 90)
    scene.world.settle(SYMBOL, None if price is None else D(price))
    (epoch,) = scene.epochs
    assert (epoch.closed_kind, epoch.exit_price) == ("settlement", closed_at)
    assert {row.status for row in (stop, own, limit)} == {"CANCELED"}
    assert {row.cancel_reason for row in (stop, own, limit)} == {"settlement"}
    assert status(scene) == "CLOSED"
    printed = len(scene.world.trades(SYMBOL))
    scene.run_out()
    assert len(scene.world.trades(SYMBOL)) == printed, "no trade after the end"
    for call in (scene.long, scene.stops, scene.world.delist, scene.world.settle):
        wish = (SYMBOL,) if call in (scene.world.delist, scene.world.settle) else ()
        assert refused_kind(call, *wish) is RejectKind.MARKET_CLOSED


def test_a_halted_market_refuses_every_order_and_keeps_what_rests():
    scene = Scene(ticks(100, 100, 94, 94))
    scene.long(2)
    stop, other = scene.stop(95, 1), scene.stop(93, 1)
    limit = scene.order("BUY", 1, 90)
    scene.world.halt(SYMBOL)
    calls = (
        lambda: scene.long(1),
        lambda: scene.order("SELL", 1, reduce_only=True),
        lambda: scene.stop(94, 1),
        lambda: scene.stops(stop_loss=94),
        lambda: scene.world.amend_conditional(scene.key, stop.algo_id, trigger_price=D(96)),
        lambda: scene.world.amend_order(scene.key, SYMBOL, limit.order_id, price=D(91)),
    )
    for call in calls:
        assert refused_kind(call) is RejectKind.MARKET_HALTED
    scene.world.cancel_conditional(scene.key, other.algo_id)
    scene.after(2)
    assert scene.world.last(SYMBOL) == 94
    assert stop.status == "FINISHED"
    scene.world.resume(SYMBOL)
    scene.long(1)
    assert status(scene) == "TRADING"


def test_a_halt_ends_by_itself_at_its_time_and_tells_of_it():
    scene = Scene(ticks(100, 100, every_us=30 * SECOND_US))
    end_us = START_US + 5_500_000
    scene.world.halt(SYMBOL, end_us)
    scene.world.facts.clear()
    scene.world.advance(end_us - 1)
    assert status(scene) == "HALTED"
    assert scene.world.next_event_us() == end_us
    scene.world.advance(end_us)
    assert status(scene) == "TRADING"
    assert MarketChanged(SYMBOL, end_us) in scene.world.facts
    past = refused_kind(scene.world.halt, SYMBOL, end_us)
    assert past is RejectKind.BAD_PARAMETER


def test_a_halt_without_an_end_goes_before_one_with():
    scene = still()
    scene.world.halt(SYMBOL, START_US + SECOND_US)
    scene.world.halt(SYMBOL)
    scene.after(5)
    assert status(scene) == "HALTED"


def test_a_halted_market_that_was_being_delisted_is_so_again_afterwards():
    scene = still()
    scene.world.delist(SYMBOL)
    scene.world.halt(SYMBOL)
    scene.world.halt(SYMBOL, START_US + SECOND_US)
    scene.after(1)
    assert status(scene) == "SETTLING"


def test_new_filters_bind_new_orders_only():
    scene = still()
    scene.long(2)
    stop = scene.stop(95.5, 2)
    scene.world.facts.clear()
    scene.world.change_market(SYMBOL, tick_size=D(1), step_size=D("0.01"))
    assert MarketChanged(SYMBOL, scene.world.now_us) in scene.world.facts
    assert (stop.status, stop.trigger_price) == ("NEW", D(95.5))
    assert refused_kind(scene.stop, 95.5) is RejectKind.TICK
    assert refused_kind(scene.stop, 95, 0.001) is RejectKind.PRECISION
    assert scene.stop(96).status == "NEW"
    market = scene.world.markets[SYMBOL]
    assert (market.min_quantity, market.quantity_precision) == (D("0.01"), 2)


def test_prices_keep_to_the_new_tick():
    scene = Scene(ticks(100, 101.4, 101.6))
    scene.world.change_market(SYMBOL, tick_size=D(1))
    scene.after(1)
    assert scene.world.last(SYMBOL) == 101
    scene.after(2)
    assert (scene.world.last(SYMBOL), scene.world.book(SYMBOL).bid % 1) == (102, 0)


def test_a_multiplier_converts_prices_positions_and_what_rests():
    scene = Scene(ticks(100, 100, 102, 94, 94))
    scene.long(2)
    scene.stops(stop_loss=95, trailing_distance=20)
    limit = scene.order("SELL", 1, 120, reduce_only=True)
    scene.after(1)
    wallet = scene.world.accounts[scene.key].wallet
    liquidation = scene.world.liquidation_price(scene.position)
    scene.world.facts.clear()
    scene.world.change_market(SYMBOL, multiplier=D(10))
    position = scene.position
    assert (position.amount, position.entry_price) == (20, D("10.01"))
    assert scene.world.last(SYMBOL) == scene.world.mark(SYMBOL) == 10
    assert scene.world.liquidation_price(position) == liquidation / 10
    market = scene.world.markets[SYMBOL]
    assert (str(market.tick_size), str(market.step_size)) == ("0.01", "0.01")
    stop, trailing = scene.world.open_conditionals(scene.key)
    assert stop.trigger_price == D("9.5")
    assert (trailing.distance, trailing.extreme) == (2, 10)
    assert (limit.price, limit.quantity) == (12, 10)
    (changed,) = [fact for fact in scene.world.facts if isinstance(fact, AccountChanged)]
    assert (changed.reason, changed.positions[0].amount) == ("ADJUSTMENT", 20)
    assert scene.world.accounts[scene.key].wallet == wallet
    assert {kline.close for kline in scene.world.klines(SYMBOL, "1m")} == {10}
    assert {trade.price for trade in scene.world.trades(SYMBOL)} == {10}
    book = scene.world.book(SYMBOL)
    assert (book.bid, book.ask, book.bid_quantity) == (10, D("10.01"), 10_000)
    scene.after(2)
    assert scene.world.last(SYMBOL) == D("10.2")
    scene.run_out()
    (epoch,) = scene.epochs
    assert (epoch.quantity, epoch.closed_kind) == (20, "conditional")
    assert scene.clocks.first_stop_ms == 0
    assert (scene.clocks.unprotected_ms, scene.clocks.loosened_ms, scene.clocks.loosened) == (
        0,
        0,
        0,
    )


def test_a_multiplier_works_on_prices_that_come_later_and_twice():
    points = [Print(START_US + n * SECOND_US, D(100), D(1), False) for n in range(4)]
    scene = Scene(points)
    scene.world.change_market(SYMBOL, multiplier=D(4))
    scene.after(1)
    assert scene.world.last(SYMBOL) == 25
    scene.world.change_market(SYMBOL, multiplier=D("0.5"))
    scene.after(3)
    assert scene.world.last(SYMBOL) == 50
    assert scene.world.trades(SYMBOL)[-1].quantity == 2


@pytest.mark.parametrize("change", [{}, {"tick_size": 0}, {"multiplier": -1}])
def test_a_change_must_be_one(change):
    values = {name: D(value) for name, value in change.items()}
    kind = refused_kind(still().world.change_market, SYMBOL, **values)
    assert kind is RejectKind.BAD_PARAMETER


def test_a_withdrawal_brings_the_liquidation_nearer():
    scene = Scene(ticks(100, *[98] * 60), plain(wallet=D(60)))
    scene.long(2)
    before = scene.world.liquidation_price(scene.position)
    scene.world.withdraw(scene.key, D(15))
    after = scene.world.liquidation_price(scene.position)
    assert before < after
    (line,) = scene.world.income(scene.key, kind="TRANSFER")
    assert line.amount == -15
    assert refused_kind(scene.world.withdraw, scene.key, D(15)) is RejectKind.MARGIN
    assert refused_kind(scene.world.withdraw, scene.key, D(0)) is RejectKind.BAD_PARAMETER


def test_a_withdrawal_is_felt_by_a_mark_that_is_already_on_its_way():
    settings = plain(wallet=D(22), leverage=20)
    scene = Scene(ticks(100, 100, 95, every_us=20 * SECOND_US), settings)
    scene.long(2)
    scene.after(41)
    scene.world.withdraw(scene.key, D(11))
    assert scene.position.amount == 2
    scene.run_out()
    assert [epoch.closed_kind for epoch in scene.epochs] == ["liquidation"]
