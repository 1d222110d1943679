"""Changes in place, stated directions, limits of a symbol and bands."""

from __future__ import annotations

from typing import Any

import pytest

from tests.paper.world.scene import SYMBOL, D, Scene, plain, ticks
from trailstop.paper.facts import ConditionalChanged, OrderChanged
from trailstop.paper.model import ConditionalRequest, Rejection, RejectKind


def still(**settings: Any) -> Scene:
    return Scene(ticks(*[100] * 60), plain(**settings))


def amend(scene: Scene, number: int, **changes: Any) -> Any:
    values = {name: D(value) for name, value in changes.items() if name != "working_type"}
    if "working_type" in changes:
        values["working_type"] = changes["working_type"]
    return scene.world.amend_conditional(scene.key, number, **values)


def test_a_stop_keeps_its_id_and_fires_at_its_new_level():
    scene = Scene(ticks(100, 96.5, 96))
    scene.long(2)
    stop = scene.stop(90, 1, client_id="mine")
    scene.world.facts.clear()
    amended = scene.world.amend_conditional(
        scene.key, client_id="mine", trigger_price=D(96), quantity=D(2)
    )
    assert amended is stop
    (fact,) = scene.world.facts
    assert isinstance(fact, ConditionalChanged)
    assert (fact.conditional.trigger_price, fact.conditional.quantity) == (96, 2)
    scene.after(1)
    assert stop.status == "NEW"
    scene.after(2)
    assert (stop.status, stop.filled) == ("FINISHED", 2)


def test_the_watched_price_can_be_changed():
    scene = Scene(ticks(100, 94, 94))
    scene.long(1)
    stop = scene.stop(95)
    amend(scene, stop.algo_id, working_type="mark")
    scene.after(1)
    assert stop.status == "NEW", "the mark is far above the last price"


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, RejectKind.NOT_MODIFIED),
        ({"trigger_price": 95}, RejectKind.NOT_MODIFIED),
        ({"trigger_price": 95, "quantity": 1, "working_type": "last"}, RejectKind.NOT_MODIFIED),
        ({"trigger_price": 100}, RejectKind.WOULD_TRIGGER),
        ({"trigger_price": 95.05}, RejectKind.TICK),
        ({"quantity": 0.0005}, RejectKind.PRECISION),
        ({"price": 94}, RejectKind.BAD_PARAMETER),
        ({"working_type": "book"}, RejectKind.BAD_PARAMETER),
    ],
)
def test_a_refused_change_leaves_the_stop_as_it_was(changes, kind):
    scene = still()
    scene.long(1)
    stop = scene.stop(95)
    with pytest.raises(Rejection) as refused:
        amend(scene, stop.algo_id, **changes)
    assert refused.value.kind is kind
    assert (stop.trigger_price, stop.quantity, stop.working_type) == (95, 1, "last")


def test_what_has_ended_cannot_be_changed():
    scene = still()
    scene.long(1)
    stop = scene.stop(95)
    scene.world.cancel_conditional(scene.key, stop.algo_id)
    for number in (stop.algo_id, stop.algo_id + 1):
        with pytest.raises(Rejection) as refused:
            amend(scene, number, trigger_price=96)
        assert refused.value.kind is RejectKind.ORDER_NOT_FOUND


def test_a_stop_for_the_whole_position_has_no_quantity_to_change():
    scene = still()
    scene.long(1)
    (stop,) = scene.stops(stop_loss=95)
    assert amend(scene, stop.algo_id, trigger_price=96).trigger_price == 96
    with pytest.raises(Rejection) as refused:
        amend(scene, stop.algo_id, quantity=1)
    assert refused.value.kind is RejectKind.BAD_PARAMETER


def test_a_resting_limit_order_is_changed_and_filled_at_its_own_price():
    scene = Scene(ticks(100, 97, 96.5, 96.5))
    order = scene.order("BUY", 1, 90)
    scene.world.facts.clear()
    scene.world.amend_order(scene.key, SYMBOL, order.order_id, quantity=D(2), price=D(97))
    (fact,) = scene.world.facts
    assert isinstance(fact, OrderChanged)
    assert (fact.execution, fact.order.price, fact.order.quantity) == ("AMENDMENT", 97, 2)
    scene.after(1)
    assert order.live, "touching is not enough"
    scene.run_out()
    assert (order.status, order.average_price, scene.position.amount) == ("FILLED", 97, 2)


def test_a_limit_order_that_crosses_after_its_change_is_filled_at_once():
    scene = still()
    order = scene.order("BUY", 1, 90)
    scene.world.amend_order(scene.key, SYMBOL, order.order_id, price=D(101))
    assert order.status == "FILLED"
    assert order.average_price <= 101


@pytest.mark.parametrize(
    ("order", "changes", "kind"),
    [
        ({}, {}, RejectKind.NOT_MODIFIED),
        ({}, {"price": 90, "quantity": 1}, RejectKind.NOT_MODIFIED),
        ({}, {"price": 90.05}, RejectKind.TICK),
        ({}, {"quantity": 5_900}, RejectKind.MARGIN),
        ({"time_in_force": "GTX"}, {"price": 101}, RejectKind.POST_ONLY),
    ],
)
def test_a_refused_change_leaves_the_order_on_the_book(order, changes, kind):
    scene = still()
    resting = scene.order("BUY", 1, 90, **order)
    values = {name: D(value) for name, value in changes.items()}
    with pytest.raises(Rejection) as refused:
        scene.world.amend_order(scene.key, SYMBOL, resting.order_id, **values)
    assert refused.value.kind is kind
    assert (resting.price, resting.quantity, resting.status) == (90, 1, "NEW")


def test_a_filled_order_cannot_be_changed():
    scene = still()
    order = scene.order("BUY", 1)
    with pytest.raises(Rejection) as refused:
        scene.world.amend_order(scene.key, SYMBOL, order.order_id, price=D(90))
    assert refused.value.kind is RejectKind.ORDER_NOT_FOUND


@pytest.mark.parametrize(
    ("side", "rises", "trigger", "price", "fires"),
    [
        ("SELL", False, 95, 94, True),
        ("SELL", True, 105, 106, True),
        ("BUY", False, 95, 94, True),
        ("BUY", True, 105, 106, True),
        ("SELL", True, 105, 94, False),
    ],
)
def test_a_stated_direction_goes_before_side_and_type(side, rises, trigger, price, fires):
    scene = Scene(ticks(100, price, price))
    order = scene.stop(trigger, 1, side, reduce_only=False, trigger_rises=rises)
    scene.run_out()
    assert (order.status == "FINISHED") == fires


@pytest.mark.parametrize(("rises", "direction"), [(True, "rises"), (False, "falls")])
def test_a_reached_trigger_is_refused_with_the_parts_of_its_text(rises, direction):
    scene = still()
    with pytest.raises(Rejection) as refused:
        scene.stop(100, 1, reduce_only=False, trigger_rises=rises)
    assert refused.value.kind is RejectKind.WOULD_TRIGGER
    assert refused.value.values == {
        "direction": direction,
        "trigger_price": "100",
        "reference_price": "100",
        "source": "last",
    }


def test_an_index_trigger_watches_the_mark():
    scene = Scene(ticks(100, *[94] * 40))
    scene.long(1)
    stop = scene.stop(95, working_type="index")
    scene.after(5)
    assert stop.status == "NEW"
    scene.after(39)
    assert scene.world.mark(SYMBOL) < 95
    assert stop.status == "FINISHED"


def test_an_absolute_distance_trails_like_a_callback():
    scene = Scene(ticks(100, 110, 105.1, 105))
    scene.long(1)
    stop = scene.world.place_conditional(
        scene.key,
        ConditionalRequest(
            symbol=SYMBOL,
            side="SELL",
            type="TRAILING_STOP_MARKET",
            quantity=D(1),
            reduce_only=True,
            distance=D(5),
        ),
    )
    scene.after(2)
    assert stop.status == "NEW"
    scene.after(3)
    assert stop.status == "FINISHED"


def test_close_on_trigger_never_opens():
    scene = Scene(ticks(100, 94, 94))
    order = scene.stop(95, 1, reduce_only=False, close_on_trigger=True)
    scene.run_out()
    assert order.status == "REJECTED"
    assert scene.position.amount == 0


@pytest.mark.parametrize("by", ["setting", "request"])
def test_a_symbol_has_its_own_limit_of_conditional_orders(by):
    scene = still(max_conditionals_per_symbol=2 if by == "setting" else None)
    more = {"per_symbol_limit": 2} if by == "request" else {}
    scene.long(1)
    scene.stops(stop_loss=90, take_profit=110)
    first = scene.stop(95, **more)
    scene.stop(94, **more)
    with pytest.raises(Rejection) as refused:
        scene.stop(93, **more)
    assert refused.value.kind is RejectKind.TOO_MANY_STOPS
    scene.world.cancel_conditional(scene.key, first.algo_id)
    assert scene.stop(93, **more).status == "NEW", "position stops take no place"


@pytest.mark.parametrize(
    ("side", "trigger", "kind"),
    [
        ("SELL", 94.9, RejectKind.BAND_FLOOR),
        ("SELL", 95, None),
        ("BUY", 105, None),
        ("BUY", 105.1, RejectKind.BAND_CAP),
    ],
)
def test_triggers_lie_in_a_band_around_the_mark(side, trigger, kind):
    scene = still(trigger_band=D("0.05"))
    inside = scene.stop(100.5 if side == "BUY" else 99.5, 1, side)
    if kind is None:
        assert scene.stop(trigger, 1, side).status == "NEW"
        assert amend(scene, inside.algo_id, trigger_price=trigger).trigger_price == D(trigger)
        return
    with pytest.raises(Rejection) as refused:
        scene.stop(trigger, 1, side)
    assert refused.value.kind is kind
    with pytest.raises(Rejection) as refused:
        amend(scene, inside.algo_id, trigger_price=trigger)
    assert refused.value.kind is kind
    assert {"trigger_price", "bound_price"} == set(refused.value.values)


def test_only_sized_stops_are_bound_by_the_largest_market_order():
    scene = still()
    scene.long(2)
    scene.world.change_market(SYMBOL, max_market_quantity=D(1))
    with pytest.raises(Rejection) as refused:
        scene.stop(95, 2)
    assert refused.value.kind is RejectKind.BAD_QUANTITY
    assert scene.stop(95, None).status == "NEW"
    assert scene.stops(stop_loss=94)


def test_the_mode_of_one_market_is_its_own():
    scene = still()
    account = scene.world.accounts[scene.key]
    scene.world.set_position_mode(scene.key, True, SYMBOL)
    assert account.hedge_of(SYMBOL)
    assert not account.hedge_of("ETHUSDT")
    with pytest.raises(Rejection) as refused:
        scene.world.set_position_mode(scene.key, True, SYMBOL)
    assert refused.value.kind is RejectKind.SAME_MODE
    with pytest.raises(Rejection) as refused:
        scene.order("BUY", 1)
    assert refused.value.kind is RejectKind.POSITION_SIDE
    scene.long(1)
    with pytest.raises(Rejection) as refused:
        scene.world.set_position_mode(scene.key, False)
    assert refused.value.kind is RejectKind.MODE_WITH_POSITION
    scene.world.close_position(scene.key, SYMBOL, "LONG")
    scene.world.set_position_mode(scene.key, False)
    assert not account.hedge_of(SYMBOL)


def test_in_hedge_mode_a_reduce_only_order_may_not_open():
    scene = still()
    scene.world.set_position_mode(scene.key, True)
    scene.long(1)
    with pytest.raises(Rejection) as refused:
        scene.order("BUY", 1, position_side="LONG", reduce_only=True)
    assert refused.value.kind is RejectKind.REDUCE_ONLY
    scene.order("SELL", 5, position_side="LONG", reduce_only=True)
    assert scene.position.amount == 0


def test_a_mark_that_is_already_on_its_way_reaches_a_changed_stop():
    scene = Scene(ticks(100, 100, 94, every_us=20_000_000))
    scene.long(1)
    stop = scene.stop(90, working_type="mark")
    scene.after(41)
    amend(scene, stop.algo_id, trigger_price=96)
    scene.run_out()
    assert stop.status == "FINISHED"
