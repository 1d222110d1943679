"""Conditional orders: what is accepted, what is refused, and the way from trigger to child."""

from __future__ import annotations

from typing import Any

import pytest

from tests.paper.world.scene import SYMBOL, D, Scene, bars, plain, ticks
from trailstop.paper.facts import ConditionalChanged, OrderChanged
from trailstop.paper.model import ConditionalRequest, Rejection, RejectKind


def statuses(scene: Scene) -> list[str]:
    return [
        fact.conditional.status
        for fact in scene.world.facts
        if isinstance(fact, ConditionalChanged)
    ]


def test_a_triggered_stop_becomes_an_order_with_a_new_id_and_the_same_client_id():
    scene = Scene(ticks(100, 98))
    scene.long()
    stop = scene.stop(99, client_id="guard-1")
    scene.world.facts.clear()
    scene.after(1)
    assert statuses(scene) == ["TRIGGERING", "TRIGGERED", "FINISHED"]
    told = [f for f in scene.world.facts if isinstance(f, OrderChanged)]
    assert [(f.execution, f.order.client_id) for f in told] == [
        ("NEW", "guard-1"),
        ("TRADE", "guard-1"),
    ]
    assert told[0].order.order_id == stop.child_order_id != stop.algo_id
    assert (stop.filled, stop.average_price) == (1, 98)


@pytest.mark.parametrize(
    ("side", "kind", "trigger"),
    [
        ("SELL", "STOP_MARKET", 100),
        ("BUY", "STOP_MARKET", 100),
        ("SELL", "TAKE_PROFIT_MARKET", 100),
        ("BUY", "TAKE_PROFIT_MARKET", 100),
    ],
)
def test_a_trigger_that_touches_the_price_is_refused(side, kind, trigger):
    scene = Scene(ticks(100, 100))
    with pytest.raises(Rejection) as refused:
        scene.stop(trigger, side=side, type=kind)
    assert refused.value.kind is RejectKind.WOULD_TRIGGER


def test_the_reference_for_an_immediate_trigger_follows_the_working_type():
    scene = Scene(ticks(100, 100, 90, every_us=20_000_000))
    scene.after(40)
    mark = scene.world.mark(SYMBOL)
    assert mark > 95 > scene.world.last(SYMBOL)
    with pytest.raises(Rejection):
        scene.stop(95)
    assert scene.stop(95, working_type="mark").status == "NEW"


def test_close_position_needs_a_position_and_is_alone_in_its_direction():
    scene = Scene(ticks(100, 100))
    with pytest.raises(Rejection) as refused:
        scene.stop(95, None)
    assert refused.value.kind is RejectKind.NO_POSITION_FOR_CLOSE
    scene.long()
    scene.stop(95, None)
    with pytest.raises(Rejection) as refused:
        scene.stop(96, None)
    assert refused.value.kind is RejectKind.TWIN_EXISTS
    assert scene.stop(110, None, type="TAKE_PROFIT_MARKET").status == "NEW"


def test_close_position_is_sized_at_the_trigger():
    scene = Scene(ticks(100, 100, 94))
    scene.long(1)
    stop = scene.stop(95, None)
    scene.long(2)
    scene.after(2)
    assert not scene.position.amount
    assert stop.filled == 3


def test_when_the_position_goes_its_close_orders_expire_and_sized_ones_stay():
    scene = Scene(ticks(100, 100))
    scene.long()
    backstop, working = scene.stop(90, None), scene.stop(95)
    scene.world.close_position(scene.key, SYMBOL)
    assert backstop.status == "EXPIRED"
    assert working.status == "NEW"


def test_a_flip_expires_the_close_order_of_the_old_direction():
    scene = Scene(ticks(100, 100))
    scene.long()
    backstop = scene.stop(90, None)
    scene.order("SELL", 3)
    assert scene.position.amount == -2
    assert backstop.status == "EXPIRED"


def test_an_orphan_is_rejected_at_its_trigger_for_want_of_a_position():
    scene = Scene(ticks(100, 100, 94))
    orphan = scene.stop(95)
    scene.after(2)
    assert (orphan.status, orphan.child_order_id) == ("REJECTED", None)
    assert "ReduceOnly" in orphan.reject_reason


def test_a_reduce_only_stop_is_cut_to_the_position():
    scene = Scene(ticks(100, 100, 94))
    scene.long(1)
    stop = scene.stop(95, 5)
    scene.after(2)
    assert (stop.status, stop.filled) == ("FINISHED", 1)
    assert not scene.position.amount


def test_a_fault_can_reject_the_child_at_the_trigger():
    scene = Scene(ticks(100, 100, 94))
    scene.long()
    stop = scene.stop(95)
    scene.world.reject_at_trigger = lambda _: "Margin is insufficient."
    scene.after(2)
    assert (stop.status, stop.reject_reason) == ("REJECTED", "Margin is insufficient.")
    assert scene.position.amount == 1


@pytest.mark.parametrize(
    ("settings", "first", "second", "kind"),
    [
        pytest.param({}, 95, 96, None, id="two sized stops may rest together by default"),
        pytest.param(
            {"second_reduce_only_stop": "refuse"},
            95,
            96,
            RejectKind.SECOND_STOP_REFUSED,
            id="or the second is refused",
        ),
    ],
)
def test_a_second_sized_stop(settings, first, second, kind):
    scene = Scene(ticks(100, 100), plain(**settings))
    scene.long()
    scene.stop(90, None)
    scene.stop(first)
    if kind is None:
        assert scene.stop(second).status == "NEW"
        return
    with pytest.raises(Rejection) as refused:
        scene.stop(second)
    assert refused.value.kind is kind


def test_a_sized_stop_while_flat_is_refused_where_the_switch_says_so():
    assert Scene(ticks(100, 100)).stop(95).status == "NEW"
    scene = Scene(ticks(100, 100), plain(flat_reduce_only_stop="refuse"))
    with pytest.raises(Rejection) as refused:
        scene.stop(95)
    assert refused.value.kind is RejectKind.NO_POSITION_FOR_CLOSE


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"trigger_price": D("95.123")}, RejectKind.PRECISION),
        ({"trigger_price": D("95.05")}, RejectKind.TICK),
        ({"trigger_price": D(0)}, RejectKind.BAD_PRICE),
        ({"trigger_price": None}, RejectKind.BAD_PARAMETER),
        ({"quantity": D("0.0001")}, RejectKind.PRECISION),
        ({"quantity": D(0)}, RejectKind.BAD_QUANTITY),
        ({"quantity": None, "close_position": False}, RejectKind.BAD_PARAMETER),
        ({"quantity": D("0.001"), "reduce_only": False}, RejectKind.MIN_NOTIONAL),
        ({"close_position": True}, RejectKind.CLOSE_WITH_QUANTITY),
        ({"quantity": None, "reduce_only": True}, RejectKind.CLOSE_WITH_REDUCE_ONLY),
        ({"position_side": "LONG"}, RejectKind.POSITION_SIDE),
        ({"symbol": "NOPE"}, RejectKind.UNKNOWN_SYMBOL),
        ({"type": "LIMIT"}, RejectKind.BAD_PARAMETER),
        ({"type": "STOP"}, RejectKind.BAD_PARAMETER),
        ({"client_id": "taken"}, RejectKind.DUPLICATE_CLIENT_ID),
    ],
)
def test_refusals_name_their_kind_and_change_nothing(changes: dict[str, Any], kind):
    scene = Scene(ticks(100, 100))
    scene.long()
    scene.stop(94, client_id="taken")
    before = scene.world.truth()
    with pytest.raises(Rejection) as refused:
        scene.stop(95, **changes)
    assert refused.value.kind is kind
    assert scene.world.truth() == before


def test_off_the_tick_is_accepted_where_the_check_is_off():
    scene = Scene(ticks(100, 100), plain(tick_check=False))
    assert scene.stop(95.05).status == "NEW"


def test_an_account_has_two_hundred_places_over_all_its_orders():
    scene = Scene(ticks(100, 100))
    for _ in range(200):
        scene.stop(95)
    with pytest.raises(Rejection) as refused:
        scene.stop(95)
    assert refused.value.kind is RejectKind.TOO_MANY_STOPS
    scene.world.cancel_conditional(scene.key, scene.world.open_conditionals(scene.key)[0].algo_id)
    assert scene.stop(95).status == "NEW"


def test_cancelling_ends_an_order_and_what_ended_cannot_be_cancelled():
    scene = Scene(ticks(100, 100))
    stop = scene.stop(95, client_id="mine")
    assert scene.world.cancel_conditional(scene.key, client_id="mine").status == "CANCELED"
    for number, name in [(stop.algo_id, None), (None, "mine"), (1, None)]:
        with pytest.raises(Rejection) as refused:
            scene.world.cancel_conditional(scene.key, number, name)
        assert refused.value.kind is RejectKind.ORDER_NOT_FOUND


def test_a_stop_limit_leaves_its_child_resting_where_the_price_is_gone():
    scene = Scene(ticks(100, 90, 97))
    scene.long()
    stop = scene.stop(95, type="STOP", price=D(96))
    scene.after(1)
    assert stop.status == "TRIGGERED"
    (child,) = scene.world.open_orders(scene.key)
    assert (child.type, child.price, child.algo_id) == ("LIMIT", 96, stop.algo_id)
    scene.after(2)
    assert (child.status, stop.status) == ("FILLED", "FINISHED")
    assert scene.epochs[0].exit_price == 96


def test_a_native_trailing_stop_follows_the_best_price_since_its_activation():
    scene = Scene(ticks(100, 104, 110, 108, 107))
    scene.long()
    trailing = scene.world.place_conditional(
        scene.key,
        ConditionalRequest(
            symbol=SYMBOL,
            side="SELL",
            type="TRAILING_STOP_MARKET",
            quantity=D(1),
            reduce_only=True,
            callback_rate=D(2),
            activate_price=D(104),
        ),
    )
    assert not trailing.activated
    scene.after(1)
    assert trailing.activated
    scene.after(3)
    assert trailing.status == "NEW", "2 % under 110 is 107.8"
    scene.after(4)
    assert trailing.status == "FINISHED"
    assert scene.epochs[0].exit_price == 107


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"callback_rate": D("0.05")}, RejectKind.TRAILING_RANGE),
        ({"callback_rate": D("20.1")}, RejectKind.TRAILING_RANGE),
        ({"callback_rate": None}, RejectKind.BAD_PARAMETER),
        ({"trigger_price": D(90)}, RejectKind.BAD_PARAMETER),
        ({"activate_price": D(100)}, RejectKind.WOULD_TRIGGER),
        ({"close_position": True, "quantity": None}, RejectKind.TRAILING_WITH_CLOSE),
    ],
)
def test_a_native_trailing_stop_with_wrong_parameters_is_refused(changes, kind):
    scene = Scene(ticks(100, 100))
    scene.long()
    values = {
        "symbol": SYMBOL,
        "side": "SELL",
        "type": "TRAILING_STOP_MARKET",
        "quantity": D(1),
        "callback_rate": D(1),
    }
    with pytest.raises(Rejection) as refused:
        scene.world.place_conditional(scene.key, ConditionalRequest(**(values | changes)))
    assert refused.value.kind is kind


@pytest.mark.parametrize(("outcome", "status"), [("stay", "NEW"), ("reject", "REJECTED")])
def test_price_protection_keeps_a_stop_from_executing_in_a_wick(outcome, status):
    scene = Scene(ticks(100, 100, 80), plain(price_protect_outcome=outcome))
    scene.long()
    stop = scene.stop(95, price_protect=True)
    scene.after(2)
    assert stop.status == status
    assert scene.position.amount == 1


def test_a_stop_on_the_mark_waits_for_the_mark():
    scene = Scene(ticks(100, 100, 90, 90, every_us=30_000_000))
    scene.long()
    stop = scene.stop(95, None, working_type="mark")
    scene.after(60)
    assert scene.world.last(SYMBOL) == 90
    assert stop.status == "NEW"
    scene.after(74)
    assert stop.status == "NEW"
    scene.after(75)
    assert stop.status == "FINISHED", "15 of 30 s at 90: the mean is 95"


def test_a_path_meets_take_profits_and_stops_of_both_directions():
    scene = Scene(bars((100, 106, 94, 101)))
    scene.long()
    profit = scene.stop(105, type="TAKE_PROFIT_MARKET")
    stop = scene.stop(96)
    scene.run_out()
    assert stop.status == "FINISHED", "a rising bar goes to its low first"
    assert profit.status == "REJECTED"
