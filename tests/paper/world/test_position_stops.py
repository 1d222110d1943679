"""A position's own stops: whole ones moved in place, partial ones added, all ended with it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.paper.world.scene import SYMBOL, D, Scene, plain, ticks
from trailstop.paper.facts import ConditionalChanged
from trailstop.paper.model import Conditional, Rejection, RejectKind


def still(**settings: Any) -> Scene:
    scene = Scene(ticks(*[100] * 60), plain(**settings))
    scene.long(2)
    return scene


def refusal(scene: Scene, **wish: Any) -> Rejection:
    with pytest.raises(Rejection) as refused:
        scene.stops(**wish)
    return refused.value


def told(scene: Scene) -> list[Conditional]:
    return [fact.conditional for fact in scene.world.facts if isinstance(fact, ConditionalChanged)]


def by_slot(rows: tuple[Conditional, ...]) -> dict[str, Conditional]:
    return {row.slot: row for row in rows}


def test_one_call_sets_three_stops_for_the_whole_position():
    rows = by_slot(still().stops(stop_loss=95, take_profit=110, trailing_distance=4))
    assert list(rows) == ["stop_loss", "take_profit", "trailing_stop"]
    assert rows["stop_loss"].trigger_price == 95
    assert rows["take_profit"].trigger_price == 110
    assert (rows["trailing_stop"].distance, rows["trailing_stop"].activated) == (4, True)
    for row in rows.values():
        assert (row.side, row.quantity, row.client_id) == ("SELL", None, "")
        assert row.reduce_only
        assert row.close_on_trigger
        assert row.author == "client"


def test_a_stop_is_moved_in_place_and_the_other_legs_stay():
    scene = still()
    before = by_slot(scene.stops(stop_loss=95, take_profit=110))
    number = before["stop_loss"].algo_id
    scene.world.facts.clear()
    after = by_slot(scene.stops(stop_loss=96, stop_loss_working_type="mark"))
    assert after["stop_loss"].algo_id == number
    assert (after["stop_loss"].trigger_price, after["stop_loss"].working_type) == (96, "mark")
    assert after["take_profit"].trigger_price == 110
    assert [(row.algo_id, row.trigger_price, row.status) for row in told(scene)] == [
        (number, 96, "NEW")
    ]


def test_zero_removes_a_leg():
    scene = still()
    (stop, profit) = scene.stops(stop_loss=95, take_profit=110)
    assert scene.stops(stop_loss=0) == (profit,)
    assert (stop.status, stop.cancel_reason) == ("CANCELED", "")


@pytest.mark.parametrize(
    "wish",
    [
        pytest.param({"stop_loss": 95}, id="same stop loss"),
        pytest.param({"stop_loss": 95, "trailing_distance": 4}, id="same two"),
        pytest.param({"take_profit": 0}, id="removes what is not there"),
        pytest.param({}, id="nothing"),
        pytest.param({"activate_price": 110, "mode": "partial"}, id="nothing partial"),
    ],
)
def test_the_same_again_is_not_modified(wish):
    scene = still()
    scene.stops(stop_loss=95, trailing_distance=4)
    scene.world.facts.clear()
    assert refusal(scene, **wish).kind is RejectKind.NOT_MODIFIED
    assert not scene.world.facts


@pytest.mark.parametrize(
    ("side", "wish", "values"),
    [
        ("long", {"stop_loss": 100}, ("stop_loss", "lower", "100", "last")),
        ("long", {"take_profit": 99}, ("take_profit", "higher", "99", "last")),
        ("short", {"stop_loss": 99}, ("stop_loss", "higher", "99", "last")),
        ("short", {"take_profit": 101}, ("take_profit", "lower", "101", "last")),
        (
            "long",
            {"stop_loss": 101, "stop_loss_working_type": "mark"},
            ("stop_loss", "lower", "101", "mark"),
        ),
        (
            "long",
            {"mode": "partial", "size": 1, "stop_loss": 100},
            ("partial_stop_loss", "lower", "100", "last"),
        ),
        (
            "long",
            {"trailing_distance": 1, "activate_price": 100},
            ("activate_price", "higher", "100", "last"),
        ),
    ],
)
def test_a_level_on_the_wrong_side_is_refused_with_the_parts_of_its_text(side, wish, values):
    scene = Scene(ticks(*[100] * 60))
    scene.world.open_position(scene.key, SYMBOL, side, D(2))
    refused = refusal(scene, **wish)
    assert refused.kind is RejectKind.STOP_WRONG_SIDE
    leg, bound, price, source = values
    expected = {"leg": leg, "bound": bound, "price": price, "source": source, "side": side}
    assert expected.items() <= refused.values.items()
    assert float(refused.values["reference_price"]) == 100


def test_one_wrong_leg_leaves_the_others_as_they_were():
    scene = still()
    (stop,) = scene.stops(stop_loss=95)
    refusal(scene, stop_loss=96, take_profit=90)
    assert scene.world.open_conditionals(scene.key) == [stop]
    assert stop.trigger_price == 95


@pytest.mark.parametrize(
    ("wish", "kind"),
    [
        ({"stop_loss": 95.05}, RejectKind.TICK),
        ({"trailing_distance": 0.05}, RejectKind.BAD_PRICE),
        ({"trailing_distance": 100}, RejectKind.BAD_PRICE),
        ({"stop_loss": 95, "position_side": "LONG"}, RejectKind.POSITION_SIDE),
        ({"stop_loss": 95, "stop_loss_working_type": "book"}, RejectKind.BAD_PARAMETER),
        ({"stop_loss": 95, "stop_loss_limit": 94}, RejectKind.BAD_PARAMETER),
        ({"mode": "partial", "stop_loss": 95}, RejectKind.BAD_PARAMETER),
        ({"mode": "partial", "stop_loss": 95, "size": 3}, RejectKind.BAD_QUANTITY),
        ({"mode": "partial", "stop_loss": 95, "size": 0.0005}, RejectKind.PRECISION),
    ],
)
def test_what_the_filters_refuse(wish, kind):
    assert refusal(still(), **wish).kind is kind


def test_a_flat_leg_has_no_stops_and_a_fresh_one_only_after_a_while():
    scene = Scene(ticks(*[100] * 60), plain(zero_position_ms=300))
    assert refusal(scene, stop_loss=95).kind is RejectKind.ZERO_POSITION
    scene.long(1)
    assert refusal(scene, stop_loss=95).kind is RejectKind.ZERO_POSITION
    scene.after(0.2)
    scene.long(1)
    scene.after(0.3)
    assert scene.stops(stop_loss=95), "counted from the opening, not from the last fill"


def test_it_follows_the_size_and_closes_all_of_it():
    scene = Scene(ticks(100, 100, 94, 94))
    scene.long(1)
    (stop,) = scene.stops(stop_loss=95)
    scene.world.facts.clear()
    scene.long(2)
    assert [row.algo_id for row in told(scene)] == [stop.algo_id], "its new size is told"
    scene.run_out()
    assert scene.position.amount == 0
    (epoch,) = scene.epochs
    assert (epoch.quantity, epoch.closed_kind) == (3, "conditional")
    assert (stop.status, stop.filled) == ("FINISHED", 3)


@pytest.mark.parametrize("how", ["closed", "fired", "flipped"])
def test_everything_ends_with_the_position(how):
    scene = Scene(ticks(100, 100, 94, 94))
    scene.long(2)
    fired, *others = scene.stops(stop_loss=95, take_profit=110, trailing_distance=20)
    others += scene.stops(mode="partial", size=1, take_profit=105)[-1:]
    if how == "closed":
        scene.world.close_position(scene.key, SYMBOL)
    elif how == "flipped":
        scene.order("SELL", 3)
    else:
        scene.run_out()
    if how != "fired":
        others.append(fired)
    assert {(row.status, row.cancel_reason) for row in others} == {("CANCELED", "position_closed")}
    assert not scene.world.open_conditionals(scene.key)


def test_a_mark_that_is_already_on_its_way_reaches_a_new_stop():
    scene = Scene(ticks(100, 100, 94, every_us=20_000_000))
    scene.long(1)
    scene.after(41)
    (stop,) = scene.stops(stop_loss=96, take_profit=120, stop_loss_working_type="mark")[:1]
    scene.run_out()
    assert stop.status == "FINISHED"


def test_a_trailing_stop_fires_its_distance_below_the_best_price_since_activation():
    scene = Scene(ticks(100, 104, 107, 103.1, 103, 103))
    scene.long(1)
    (stop,) = scene.stops(trailing_distance=4, activate_price=104)
    assert not stop.activated
    scene.after(3)
    assert (stop.status, stop.extreme) == ("NEW", 107)
    scene.after(4)
    assert stop.status == "FINISHED"
    assert scene.position.amount == 0


def test_a_trailing_stop_keeps_its_best_price_when_only_its_distance_changes():
    scene = Scene(ticks(100, 107, 105, 104))
    scene.long(1)
    (stop,) = scene.stops(trailing_distance=8)
    scene.after(2)
    scene.stops(trailing_distance=3)
    assert (stop.extreme, stop.activated) == (107, True)
    scene.after(3)
    assert stop.status == "FINISHED"


def test_a_new_start_puts_a_trailing_stop_to_sleep():
    scene = Scene(ticks(100, 107, 105, 104, 103))
    scene.long(1)
    (stop,) = scene.stops(trailing_distance=8)
    scene.after(2)
    scene.stops(activate_price=110)
    assert (stop.extreme, stop.activated, stop.distance) == (None, False, 8)
    scene.run_out()
    assert stop.status == "NEW"


def test_partial_stops_add_up_and_an_executed_one_ends_its_partner():
    scene = Scene(ticks(100, 94, 94))
    scene.long(3)
    stop, profit = scene.stops(mode="partial", size=1, stop_loss=95, take_profit=110)
    rows = scene.stops(mode="partial", size=1, stop_loss=90)
    assert [row.slot for row in rows] == [
        "partial_stop_loss",
        "partial_take_profit",
        "partial_stop_loss",
    ]
    assert [row.quantity for row in rows] == [1, 1, 1]
    scene.run_out()
    assert scene.position.amount == 2
    assert (stop.status, profit.status) == ("FINISHED", "CANCELED")
    assert rows[2].status == "NEW"


def test_a_changed_order_of_a_pair_stands_alone():
    scene = Scene(ticks(100, 94, 94))
    scene.long(3)
    stop, profit = scene.stops(mode="partial", size=1, stop_loss=95, take_profit=110)
    scene.world.amend_conditional(scene.key, stop.algo_id, trigger_price=D(96))
    scene.run_out()
    assert (stop.status, profit.status) == ("FINISHED", "NEW")


def test_a_partial_stop_may_fire_a_limit_order():
    scene = Scene(ticks(100, 94, 94))
    scene.long(2)
    (stop,) = scene.stops(mode="partial", size=1, stop_loss=95, stop_loss_limit=96)
    assert (stop.type, stop.price) == ("STOP", 96)
    scene.run_out()
    (child,) = scene.world.open_orders(scene.key)
    assert (child.price, child.quantity, child.reduce_only) == (96, 1, True)


def test_there_is_room_for_twenty_partial_stops():
    scene = still()
    for _ in range(20):
        scene.stops(mode="partial", size=0.001, stop_loss=95)
    refused = refusal(scene, mode="partial", size=0.001, stop_loss=95)
    assert refused.kind is RejectKind.TOO_MANY_PARTIALS
    assert len(scene.stops(mode="partial", size=0.001, take_profit=110)) == 21


def test_both_legs_of_a_hedged_market_have_stops_of_their_own():
    scene = Scene(ticks(*[100] * 10))
    scene.world.set_position_mode(scene.key, True, SYMBOL)
    scene.long(1)
    scene.short(2)
    (long_stop,) = scene.stops(position_side="LONG", stop_loss=95)
    (short_stop,) = scene.stops(position_side="SHORT", stop_loss=105)
    assert (long_stop.side, short_stop.side) == ("SELL", "BUY")
    scene.world.close_position(scene.key, SYMBOL, "LONG")
    assert (long_stop.status, short_stop.status) == ("CANCELED", "NEW")


def test_a_stop_of_a_position_is_cancelled_by_its_id():
    scene = still()
    (stop,) = scene.stops(stop_loss=95)
    scene.world.cancel_conditional(scene.key, stop.algo_id)
    assert (stop.status, stop.cancel_reason) == ("CANCELED", "")
    (again,) = scene.stops(stop_loss=95)
    assert again.algo_id > stop.algo_id
