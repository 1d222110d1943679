"""The clocks, on hand-made time lines: seconds after the start, and what they must show."""

from __future__ import annotations

import pytest

from tests.paper.world.scene import SYMBOL, D, Scene, plain, ticks
from trailstop.paper.model import ConditionalRequest
from trailstop.paper.oracle import Clocks


def still(**settings: object) -> Scene:
    """A market that stands at 100 for a minute."""
    return Scene(ticks(*[100] * 60), plain(**settings))


def test_a_position_without_a_stop_is_excused_for_two_seconds_and_then_unprotected():
    scene = still()
    scene.long()
    scene.after(2)
    assert scene.clocks.unprotected_ms == 0
    scene.after(5)
    assert scene.clocks.unprotected_ms == 3_000
    assert scene.clocks.first_stop_ms == 5_000
    scene.stop(95)
    scene.after(9)
    assert scene.clocks == Clocks(unprotected_ms=3_000, first_stop_ms=5_000)


def test_a_guarded_life_costs_nothing():
    scene = still()
    scene.long()
    scene.after(0.1)
    scene.stop(90, None)
    old = scene.stop(95)
    scene.after(20)
    scene.stop(97)
    scene.after(20.1)
    scene.world.cancel_conditional(scene.key, old.algo_id)
    scene.after(40)
    scene.world.close_position(scene.key, SYMBOL)
    scene.after(50)
    assert scene.clocks == Clocks(first_stop_ms=100)


def test_a_stop_that_vanishes_raises_the_clocks():
    scene = still()
    scene.long()
    stop = scene.stop(95)
    scene.after(10)
    scene.world.remove_stop(stop.algo_id)
    scene.after(13)
    assert scene.clocks.unprotected_ms == 3_000
    assert scene.clocks.loosened_ms == 0, "no looser stop covers anything"
    kinds = {incident.kind for incident in scene.world.oracle.incidents}
    assert kinds == {"unprotected"}


def test_above_a_backstop_a_missing_working_stop_is_time_loosened():
    scene = still()
    scene.long()
    scene.stop(90, None)
    working = scene.stop(95)
    scene.after(10)
    scene.world.remove_stop(working.algo_id)
    scene.after(13)
    scene.stop(96)
    scene.after(20)
    assert scene.clocks.unprotected_ms == 0
    assert scene.clocks.loosened_ms == 3_000
    assert scene.clocks.loosened == 0, "gone for a while, never looser"


@pytest.mark.parametrize(
    ("side", "stop_side", "near", "far"),
    [
        ("long", "SELL", 96, 95),
        ("short", "BUY", 104, 105),
    ],
)
def test_a_stop_that_comes_back_looser_is_counted_once(side, stop_side, near, far):
    scene = still()
    scene.world.open_position(scene.key, SYMBOL, side, D(1))
    tight = scene.stop(near, side=stop_side)
    scene.after(10)
    scene.world.cancel_conditional(scene.key, tight.algo_id)
    scene.stop(far, side=stop_side)
    scene.after(14)
    assert scene.clocks.loosened_ms == 4_000
    assert scene.clocks.loosened == 1
    scene.stop(near, side=stop_side)
    scene.after(15)
    assert scene.clocks.loosened_ms == 4_000


def test_cancel_and_create_in_one_instant_costs_nothing():
    scene = still(second_reduce_only_stop="refuse")
    scene.long()
    scene.stop(90, None)
    old = scene.stop(95)
    scene.after(10)
    scene.world.cancel_conditional(scene.key, old.algo_id)
    scene.stop(96)
    scene.after(20)
    assert scene.clocks == Clocks(first_stop_ms=0)


def test_an_increase_has_two_seconds_and_its_lag_is_measured():
    scene = still()
    scene.long(1)
    small = scene.stop(95, 1)
    scene.after(10)
    scene.long(1)
    scene.after(11.5)
    scene.stop(95, 2)
    scene.world.cancel_conditional(scene.key, small.algo_id)
    scene.after(20)
    assert scene.clocks == Clocks(first_stop_ms=0, size_lag_ms=1_500)
    scene.long(1)
    scene.after(25)
    assert scene.clocks.unprotected_ms == 3_000, "the part that was added has no stop"
    assert scene.clocks.loosened_ms == 0
    assert scene.clocks.size_lag_ms == 5_000


def test_an_increase_above_a_backstop_is_loosened_when_its_time_is_over():
    scene = still()
    scene.long(1)
    scene.stop(90, None)
    scene.stop(95, 1)
    scene.after(10)
    scene.long(1)
    scene.after(14)
    assert scene.clocks.unprotected_ms == 0
    assert scene.clocks.loosened_ms == 2_000


def test_a_partial_close_leaves_nothing_open():
    scene = still()
    scene.long(2)
    scene.stop(95, 2)
    scene.after(5)
    scene.order("SELL", 1, reduce_only=True)
    scene.after(20)
    assert scene.clocks == Clocks(first_stop_ms=0)


def test_every_epoch_has_a_best_of_its_own():
    scene = still()
    scene.long()
    first = scene.stop(98)
    scene.after(5)
    scene.world.close_position(scene.key, SYMBOL)
    scene.world.cancel_conditional(scene.key, first.algo_id)
    scene.after(10)
    scene.long()
    scene.stop(95)
    scene.after(20)
    assert scene.clocks == Clocks(first_stop_ms=0)


def test_a_position_that_closed_without_ever_having_a_stop_counts_for_the_first_stop():
    scene = still()
    scene.long()
    scene.after(1.5)
    scene.world.close_position(scene.key, SYMBOL)
    scene.after(20)
    assert scene.clocks == Clocks(first_stop_ms=1_500)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"side": "BUY", "trigger_price": D(105)}, id="wrong side"),
        pytest.param({"type": "TAKE_PROFIT_MARKET", "trigger_price": D(105)}, id="take-profit"),
        pytest.param({"reduce_only": False}, id="could flip the position"),
    ],
)
def test_what_does_not_protect_does_not_count(changes):
    scene = still()
    scene.long()
    scene.stop(95, **changes)
    scene.after(5)
    assert scene.clocks.unprotected_ms == 3_000


def test_a_sleeping_native_trailing_stop_protects_only_after_its_activation():
    scene = still()
    scene.long()
    request = ConditionalRequest(
        symbol=SYMBOL,
        side="SELL",
        type="TRAILING_STOP_MARKET",
        quantity=D(1),
        reduce_only=True,
        callback_rate=D(2),
        activate_price=D(101),
    )
    scene.world.place_conditional(scene.key, request)
    scene.after(5)
    assert scene.clocks.unprotected_ms == 3_000
    scene.world.print_price(SYMBOL, D(101))
    scene.after(9)
    assert scene.clocks.unprotected_ms == 3_000


def test_a_triggered_stop_covers_while_its_child_works():
    scene = Scene(ticks(100, 90, *[91] * 10))
    scene.long()
    scene.stop(95, type="STOP", price=D(96))
    scene.after(8)
    assert scene.position.amount == 1
    assert scene.clocks == Clocks(first_stop_ms=0)
    (child,) = scene.world.open_orders(scene.key)
    scene.world.cancel_order(scene.key, SYMBOL, child.order_id)
    scene.after(10)
    assert scene.clocks.unprotected_ms == 2_000


def test_duplicates_are_third_stops_old_second_ones_and_repeated_ids():
    scene = still()
    scene.long()
    scene.stop(90, None)
    scene.stop(95, client_id="a")
    scene.after(5)
    second = scene.stop(96, client_id="b")
    scene.after(7)
    assert scene.clocks.duplicates == 0, "a second stop may stand for two seconds"
    scene.after(7.1)
    assert scene.clocks.duplicates == 1
    third = scene.stop(97, client_id="c")
    assert scene.clocks.duplicates == 2
    for stop in (second, third):
        scene.world.cancel_conditional(scene.key, stop.algo_id)
    scene.stop(96, client_id="b")
    assert scene.clocks.duplicates == 3


def test_a_second_stop_does_not_age_while_no_guard_runs():
    scene = still()
    scene.long()
    scene.stop(95)
    second = scene.stop(96)
    scene.after(1)
    scene.world.set_attended(False)
    scene.after(30)
    scene.world.set_attended(True)
    scene.after(30.5)
    scene.world.cancel_conditional(scene.key, second.algo_id)
    scene.after(40)
    assert scene.clocks.duplicates == 0


def test_foreign_stops_cover_but_are_neither_best_nor_duplicates():
    scene = still(guard_prefix="ts-")
    scene.long()
    foreign = scene.stop(98, client_id="mine")
    scene.stop(97, client_id="mine-2")
    scene.stop(95, client_id="ts-1")
    scene.after(5)
    scene.world.cancel_conditional(scene.key, foreign.algo_id)
    scene.after(10)
    assert scene.clocks == Clocks(first_stop_ms=0)


def test_durations_are_rounded_up():
    scene = still()
    scene.long()
    scene.after(2.0000005)
    scene.world.advance(scene.world.now_us + 1)
    assert scene.clocks.unprotected_ms == 1


def test_a_stop_left_over_from_the_epoch_before_is_not_the_best_of_this_one():
    scene = still()
    scene.long()
    orphan = scene.stop(98)
    scene.after(5)
    scene.world.close_position(scene.key, SYMBOL)
    scene.after(6)
    scene.long()
    scene.stop(95)
    scene.after(7)
    scene.world.cancel_conditional(scene.key, orphan.algo_id)
    scene.after(20)
    assert scene.clocks == Clocks(first_stop_ms=0)


def test_a_loosened_stop_is_counted_again_only_when_it_becomes_looser_still():
    scene = still()
    scene.long()
    best = scene.stop(98)
    scene.after(5)
    scene.world.cancel_conditional(scene.key, best.algo_id)
    looser = scene.stop(96)
    scene.after(6)
    scene.stop(110, type="TAKE_PROFIT_MARKET")
    scene.after(7)
    assert scene.clocks.loosened == 1
    scene.world.cancel_conditional(scene.key, looser.algo_id)
    scene.stop(95)
    scene.after(8)
    assert scene.clocks.loosened == 2


def test_a_first_stop_that_is_too_small_leaves_the_rest_unprotected_at_once():
    scene = still()
    scene.long(2)
    scene.after(0.5)
    scene.stop(95, 1)
    scene.after(1.5)
    assert scene.clocks.unprotected_ms == 1_000


@pytest.mark.parametrize(
    ("backstop", "unprotected_ms", "loosened_ms"), [(False, 400, 0), (True, 0, 400)]
)
def test_the_excuse_of_an_increase_ends_when_it_is_covered(backstop, unprotected_ms, loosened_ms):
    scene = still()
    scene.long(1)
    if backstop:
        scene.stop(90, None)
    small = scene.stop(95, 1)
    scene.after(10)
    scene.long(1)
    scene.after(10.5)
    full = scene.stop(95, 2)
    scene.world.cancel_conditional(scene.key, small.algo_id)
    scene.after(10.6)
    scene.world.remove_stop(full.algo_id)
    scene.stop(95, 1)
    scene.after(11)
    assert scene.clocks.unprotected_ms == unprotected_ms
    assert scene.clocks.loosened_ms == loosened_ms


def test_above_a_foreign_stop_a_missing_working_stop_is_time_and_not_a_looser_stop():
    scene = still(guard_prefix="ts-")
    scene.long()
    scene.stop(93, client_id="mine")
    working = scene.stop(95, client_id="ts-1")
    scene.after(10)
    scene.world.remove_stop(working.algo_id)
    scene.after(12)
    assert (scene.clocks.loosened_ms, scene.clocks.loosened) == (2_000, 0)
