"""What a person does to a guarded position, and what of it the clocks hold against the guard."""

from __future__ import annotations

from typing import Any

import pytest

from tests.paper.world.scene import SYMBOL, D, Scene, plain, ticks
from trailstop.paper.model import USER, ConditionalRequest, OrderRequest
from trailstop.paper.oracle import Clocks


def guarded(**settings: Any) -> Scene:
    """A long of 1 with a stop of its own at 95, in a market that stands at 100."""
    scene = Scene(ticks(*[100] * 300), plain(guard_prefix="ts-", **settings))
    scene.long()
    scene.stops(stop_loss=95)
    scene.after(10)
    return scene


def counted(scene: Scene) -> tuple[int, int, int, int, int]:
    clocks = scene.clocks
    return (
        clocks.unprotected_ms,
        clocks.loosened_ms,
        clocks.loosened,
        clocks.disturbed_ms,
        clocks.put_back_ms,
    )


def test_a_stop_of_the_position_covers_every_size_and_is_the_guards():
    scene = guarded()
    scene.long(2)
    scene.after(30)
    assert scene.clocks == Clocks(first_stop_ms=0)
    scene.stops(stop_loss=94)
    scene.after(33)
    assert counted(scene) == (0, 3_000, 1, 0, 0)


@pytest.mark.parametrize(("level", "unprotected"), [(0, True), (90, False)])
@pytest.mark.parametrize(("put_back_s", "over_s"), [(6, 0), (7, 0), (9, 2)])
def test_what_a_person_loosened_may_stay_so_for_seven_seconds(
    level, unprotected, put_back_s, over_s
):
    scene = guarded()
    scene.stops(stop_loss=level, author=USER)
    scene.after(10 + put_back_s)
    scene.stops(stop_loss=95)
    scene.after(40)
    over_ms = over_s * 1_000
    clocks = scene.clocks
    assert clocks.unprotected_ms == (over_ms if unprotected else 0)
    assert clocks.loosened_ms == (0 if unprotected else over_ms)
    assert clocks.disturbed_ms == put_back_s * 1_000 - over_ms
    assert clocks.put_back_ms == put_back_s * 1_000


def test_what_is_not_put_back_is_still_running():
    scene = guarded()
    scene.stops(stop_loss=0, author=USER)
    scene.after(25)
    assert counted(scene) == (8_000, 0, 0, 7_000, 15_000)


def test_something_looser_than_before_does_not_put_it_right():
    scene = guarded()
    scene.stops(stop_loss=0, author=USER)
    scene.after(12)
    scene.stops(stop_loss=94)
    scene.after(20)
    assert counted(scene) == (0, 3_000, 1, 7_000, 10_000)


def test_a_person_who_does_it_again_within_the_minute_waits_for_its_end():
    scene = guarded()
    scene.stops(stop_loss=90, author=USER)
    scene.after(15)
    scene.stops(stop_loss=95)
    scene.after(30)
    scene.stops(stop_loss=90, author=USER)
    scene.after(76)
    assert counted(scene)[:2] == (0, 0), "a minute after it was put back at 15, and 7 s"
    scene.stops(stop_loss=95)
    scene.after(200)
    assert counted(scene) == (0, 0, 0, 5_000 + 46_000, 46_000)
    scene.stops(stop_loss=90, author=USER)
    scene.after(210)
    assert counted(scene)[1] == 3_000, "long after the last time there are 7 s again"


def test_acts_upon_acts_do_not_stretch_the_excuse():
    scene = guarded()
    scene.stops(stop_loss=90, author=USER)
    scene.after(14)
    scene.stops(stop_loss=89, author=USER)
    scene.after(20)
    assert counted(scene)[:2] == (0, 3_000)


@pytest.mark.parametrize("act", ["cancels", "loosens", "shrinks"])
def test_a_person_may_touch_an_ordinary_stop_too(act):
    scene = Scene(ticks(*[100] * 60), plain(guard_prefix="ts-"))
    scene.long(2)
    stop = scene.stop(95, 2, client_id="ts-1")
    scene.after(10)
    match act:
        case "cancels":
            scene.world.cancel_as_user(scene.key, stop.algo_id)
        case "loosens":
            scene.world.amend_as_user(scene.key, stop.algo_id, trigger_price=D(90))
        case _:
            scene.world.amend_as_user(scene.key, stop.algo_id, quantity=D(1))
    assert stop.author == USER
    scene.after(14)
    scene.stop(95, 2, client_id="ts-2")
    scene.after(30)
    assert counted(scene) == (0, 0, 0, 4_000, 4_000)


def test_what_was_put_right_excuses_nothing_more():
    scene = guarded()
    scene.stops(stop_loss=90, author=USER)
    scene.stops(stop_loss=95)
    scene.stops(stop_loss=90)
    scene.after(12)
    assert counted(scene) == (0, 2_000, 1, 0, 0)


def test_what_a_client_cancels_is_not_excused():
    scene = guarded()
    (stop,) = scene.world.open_conditionals(scene.key)
    scene.world.cancel_conditional(scene.key, stop.algo_id)
    scene.after(12)
    assert counted(scene) == (2_000, 0, 0, 0, 0)


def test_a_tighter_stop_of_a_person_is_a_floor_for_the_one_that_replaces_it():
    scene = guarded()
    scene.stops(stop_loss=98, author=USER)
    scene.after(20)
    assert scene.clocks == Clocks(first_stop_ms=0)
    scene.stops(stop_loss=97)
    scene.after(22)
    assert counted(scene) == (0, 2_000, 1, 0, 0)
    scene.stops(stop_loss=98)
    scene.after(30)
    assert counted(scene) == (0, 2_000, 1, 0, 0)


def test_a_person_may_take_a_tighter_value_of_their_own_back():
    scene = guarded()
    scene.stops(stop_loss=98, author=USER)
    scene.stops(stop_loss=96, author=USER)
    scene.after(20)
    scene.stops(stop_loss=97)
    scene.after(30)
    assert scene.clocks == Clocks(first_stop_ms=0)


def test_the_end_of_the_position_ends_the_excuse():
    scene = guarded()
    scene.stops(stop_loss=0, author=USER)
    scene.world.close_position(scene.key, SYMBOL)
    scene.long()
    scene.after(15)
    assert counted(scene)[:2] == (3_000, 0)


@pytest.mark.parametrize(
    ("size", "stops", "duplicates"),
    [(2, 2, 0), (2, 4, 0), (2, 5, 1), (3, 3, 0), (3, 6, 0), (3, 7, 1)],
)
def test_a_position_beyond_the_largest_order_has_sets_of_stops(size, stops, duplicates):
    scene = Scene(ticks(*[100] * 60), plain(guard_prefix="ts-"))
    scene.world.change_market(SYMBOL, max_market_quantity=D(1))
    for _ in range(size):
        scene.long(1)
    for number in range(stops):
        scene.stop(95, 1, client_id=f"ts-{number}")
    scene.after(1.9)
    assert scene.clocks.duplicates == duplicates
    assert scene.clocks.unprotected_ms == 0


def test_a_second_set_grows_old_like_a_second_stop():
    scene = Scene(ticks(*[100] * 60), plain(guard_prefix="ts-"))
    scene.world.change_market(SYMBOL, max_market_quantity=D(1))
    scene.long(1)
    scene.long(1)
    for number in range(2):
        scene.stop(95, 1, client_id=f"ts-{number}")
    scene.after(20)
    assert scene.clocks.duplicates == 0, "one set may stand for ever"
    scene.stop(96, 1, client_id="ts-3")
    scene.after(22.1)
    assert scene.clocks.duplicates == 1


def test_a_surplus_stop_that_goes_in_time_is_forgotten():
    scene = Scene(ticks(*[100] * 60), plain(guard_prefix="ts-"))
    scene.world.change_market(SYMBOL, max_market_quantity=D(1))
    scene.long(1)
    scene.long(1)
    for number in range(2):
        scene.stop(95, 1, client_id=f"ts-{number}")
    for second in (10, 20):
        scene.after(second)
        surplus = scene.stop(96, 1, client_id=f"ts-{second}")
        scene.after(second + 1.5)
        scene.world.cancel_conditional(scene.key, surplus.algo_id)
        scene.after(second + 5)
    assert scene.clocks.duplicates == 0


def test_a_larger_largest_order_makes_the_rest_of_a_set_surplus():
    scene = Scene(ticks(*[100] * 60), plain(guard_prefix="ts-"))
    scene.world.change_market(SYMBOL, max_market_quantity=D(1))
    scene.long(1)
    scene.long(1)
    for number in range(2):
        scene.stop(95, 1, client_id=f"ts-{number}")
    scene.world.change_market(SYMBOL, max_market_quantity=D(10))
    scene.after(1.9)
    assert scene.clocks.duplicates == 0
    scene.after(2.1)
    assert scene.clocks.duplicates == 1


def test_ends_of_foreign_orders_are_counted_by_who_ended_them():
    scene = guarded()
    world, key = scene.world, scene.key
    own = scene.stop(94, client_id="ts-1")
    first, second = scene.stop(93, client_id="hand-1"), scene.stop(92, client_id="hand-2")
    limit = scene.order("SELL", 0.5, 120, client_id="hand-3", reduce_only=True)
    world.amend_conditional(key, own.algo_id, trigger_price=D(95))
    world.cancel_conditional(key, own.algo_id)
    assert not world.foreign_ends
    world.amend_conditional(key, first.algo_id, trigger_price=D(91))
    world.cancel_conditional(key, first.algo_id)
    world.cancel_as_user(key, second.algo_id)
    world.amend_order(key, SYMBOL, limit.order_id, price=D(121))
    world.cancel_order(key, SYMBOL, limit.order_id)
    assert world.foreign_ends == {(key, "amended"): 2, (key, "request"): 2, (key, "user"): 1}
    assert world.truth()["foreign_ends"] == {
        "trader amended": 2,
        "trader request": 2,
        "trader user": 1,
    }


def test_of_a_persons_position_stops_a_client_may_only_move_the_stop_loss():
    scene = guarded()
    scene.stops(stop_loss=96, take_profit=110, trailing_distance=20, author=USER)
    scene.stops(stop_loss=97)
    assert not scene.world.foreign_ends
    scene.stops(take_profit=111)
    scene.stops(trailing_distance=0)
    assert scene.world.foreign_ends == {
        (scene.key, "amended"): 1,
        (scene.key, "request"): 1,
    }


def test_truth_tells_of_disturbances():
    scene = guarded()
    scene.stops(stop_loss=0, author=USER)
    scene.after(13)
    truth = scene.world.truth()
    assert (truth["clocks"]["disturbed_ms"], truth["clocks"]["put_back_ms"]) == (3_000, 3_000)
    assert [row["kind"] for row in truth["incidents"]] == ["disturbed"]


def test_orders_of_a_person_are_placed_without_a_word_about_the_guard():
    scene = guarded()
    scene.world.place_conditional(
        scene.key,
        ConditionalRequest(
            symbol=SYMBOL,
            side="SELL",
            type="STOP_MARKET",
            trigger_price=D(97),
            close_position=True,
            author=USER,
        ),
    )
    scene.world.place_order(
        scene.key, OrderRequest(symbol=SYMBOL, side="BUY", type="MARKET", quantity=D(1))
    )
    scene.after(30)
    assert scene.clocks == Clocks(first_stop_ms=0)
