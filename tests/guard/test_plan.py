"""The guard's plan: what one complete read of the exchange calls for."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from trailstop.domain.position import Leg, Position, Role, StopKind
from trailstop.domain.price import Side
from trailstop.engine.commands import (
    AdoptPosition,
    Alarm,
    CancelStop,
    EndEpoch,
    LookUp,
    MoveStop,
    PlaceStop,
)
from trailstop.guard.plan import plan
from trailstop.guard.protection import Target
from trailstop.guard.snapshot import RestingStop, Snapshot

D = Decimal
TWO = D(2)
LEG = Leg("main", "binance", "BTCUSDT")
OTHER = Leg("main", "binance", "ETHUSDT")
TAG, OLD_TAG = "ts-inst-now-", "ts-inst-old-"
LONG = Position(Side.LONG, D(100), D(2))
SHORT = Position(Side.SHORT, D(100), D(2))
TARGET = Target(LEG, Side.LONG, D(2), TAG, working=D(98), backstop=D(95), settled_ms=1_000)


def stop(
    price: int,
    number: int = 1,
    role: Role = Role.WORKING,
    quantity: D | None = TWO,
    *,
    side: Side = Side.LONG,
    tag: str = TAG,
    triggered: bool = False,
) -> RestingStop:
    if role is Role.BACKSTOP:
        quantity = None
    name = f"{tag}{number}" if role is not Role.FOREIGN else f"by-hand-{number}"
    return RestingStop(LEG, side, str(number), name, role, D(price), quantity, 500, triggered)


BACKSTOP = stop(95, 9, Role.BACKSTOP)


def read(*stops: RestingStop, position: Position | None = LONG, asked_ms: int = 2_000) -> Snapshot:
    positions = {} if position is None else {LEG: position}
    return Snapshot("main", "binance", asked_ms, positions, stops)


def cancel(which: RestingStop, reason: str) -> CancelStop:
    return CancelStop(LEG, which.order_id, which.client_id, which.role, reason)


PLACE = PlaceStop(LEG, Role.WORKING, D(98), D(2), StopKind.INITIAL)
PLACE_BACKSTOP = PlaceStop(LEG, Role.BACKSTOP, D(95), D(2))


def move(price: int, previous: int, quantity: int = 2) -> MoveStop:
    return MoveStop(LEG, D(price), D(previous), D(quantity), StopKind.INITIAL)


@pytest.mark.parametrize(
    ("snapshot", "expected"),
    [
        pytest.param(read(stop(98), BACKSTOP), (), id="content"),
        pytest.param(read(stop(99), BACKSTOP), (), id="a tighter stop is left alone"),
        pytest.param(read(BACKSTOP), (PLACE,), id="a bare position gets its stop"),
        pytest.param(read(stop(98)), (PLACE_BACKSTOP,), id="a missing backstop is placed"),
        pytest.param(read(), (PLACE, PLACE_BACKSTOP), id="both are missing"),
        pytest.param(read(stop(97), BACKSTOP), (move(98, 97),), id="a late stop is moved"),
        pytest.param(
            read(stop(98, quantity=D(1)), BACKSTOP), (move(98, 98),), id="a short stop is resized"
        ),
        pytest.param(
            read(stop(98, quantity=D(3)), BACKSTOP), (move(98, 98),), id="an oversized one too"
        ),
        pytest.param(
            read(stop(98, 1), stop(96, 2), stop(97, 3), BACKSTOP),
            (cancel(stop(96, 2), "surplus"), cancel(stop(97, 3), "surplus")),
            id="surplus goes loosest first",
        ),
        pytest.param(
            read(stop(98, 1, quantity=D(1)), stop(97, 2), BACKSTOP),
            (move(98, 98),),
            id="surplus stays while the best one does not cover",
        ),
        pytest.param(
            read(stop(98), BACKSTOP, stop(94, 8, Role.BACKSTOP)),
            (cancel(stop(94, 8, Role.BACKSTOP), "surplus"),),
            id="a second backstop goes",
        ),
        pytest.param(
            read(stop(98), stop(94, 7, Role.FOREIGN, None)),
            (),
            id="a foreign whole-position stop is the backstop",
        ),
        pytest.param(
            read(stop(98), BACKSTOP, stop(99, 7, Role.FOREIGN)), (), id="foreign is left alone"
        ),
        pytest.param(
            read(stop(98, triggered=True), BACKSTOP), (), id="a triggered stop is at work"
        ),
        pytest.param(
            read(stop(98), BACKSTOP, stop(90, 4, tag=OLD_TAG)),
            (cancel(stop(90, 4, tag=OLD_TAG), "left over from an earlier position"),),
            id="a stop of an earlier position goes once this one is covered",
        ),
        pytest.param(
            read(stop(90, 4, tag=OLD_TAG), BACKSTOP),
            (PLACE,),
            id="and stays while it is all there is",
        ),
        pytest.param(
            read(stop(98), BACKSTOP, position=None),
            (EndEpoch(LEG), cancel(stop(98), "orphan"), cancel(BACKSTOP, "orphan")),
            id="flat: the epoch ends and the orphans go",
        ),
        pytest.param(
            read(stop(98, triggered=True), position=None),
            (EndEpoch(LEG),),
            id="flat: a triggered stop cannot be cancelled",
        ),
        pytest.param(
            read(stop(98), stop(1, 7, Role.FOREIGN), position=SHORT),
            (EndEpoch(LEG), cancel(stop(98), "orphan")),
            id="turned round: another position",
        ),
        pytest.param(read(position=None, asked_ms=999), (), id="asked before our last write"),
    ],
)
def test_a_long_that_wants_98_and_a_backstop_at_95(
    snapshot: Snapshot, expected: tuple[object, ...]
) -> None:
    assert plan({LEG: TARGET}, snapshot) == expected


@pytest.mark.parametrize("wanted", [D(96), None])
def test_a_backstop_behind_the_liquidation_margin_goes_while_the_working_stop_covers(
    wanted: Decimal | None,
) -> None:
    target = replace(TARGET, backstop=wanted)
    assert plan({LEG: target}, read(stop(98), BACKSTOP)) == (
        cancel(BACKSTOP, "behind the liquidation margin"),
    )
    assert plan({LEG: target}, read(BACKSTOP)) == (PLACE,)


def test_a_failed_read_plans_nothing() -> None:
    assert plan({LEG: TARGET}, None) == ()


def test_a_leg_with_a_write_under_way_is_left_alone() -> None:
    assert plan({LEG: replace(TARGET, pending=True)}, read()) == ()


def test_an_unknown_outcome_waits_for_its_look_up() -> None:
    target = replace(TARGET, unknown=("ts-inst-now-3",))
    assert plan({LEG: target}, read()) == (LookUp(LEG, "ts-inst-now-3"),)


def test_a_closing_leg_gets_no_new_stop() -> None:
    assert plan({LEG: replace(TARGET, closing=True)}, read()) == ()


def test_a_leg_that_keeps_a_foreign_stop_gets_none_of_ours() -> None:
    target = replace(TARGET, working=None, backstop=None)
    assert plan({LEG: target}, read(stop(97, 7, Role.FOREIGN))) == ()


def test_our_stop_rests_while_no_target_was_commanded() -> None:
    target = replace(TARGET, working=None, backstop=None)
    assert plan({LEG: target}, read(stop(97))) == ()


def test_a_position_without_a_trail_is_adopted() -> None:
    assert plan({}, read()) == (AdoptPosition(LEG, LONG),)


def test_orphans_on_a_leg_without_a_trail_go_and_foreign_ones_stay() -> None:
    foreign = stop(90, 7, Role.FOREIGN)
    snapshot = read(stop(98), foreign, position=None)
    assert plan({}, snapshot) == (cancel(stop(98), "orphan"),)


def test_a_read_of_some_symbols_says_nothing_of_the_others() -> None:
    snapshot = replace(read(position=None), symbols=frozenset({"ETHUSDT"}))
    assert plan({LEG: TARGET}, snapshot) == ()


def test_a_short_is_the_mirror() -> None:
    target = replace(TARGET, side=Side.SHORT, working=D(102), backstop=D(105))
    late = stop(103, side=Side.SHORT)
    backstop = replace(BACKSTOP, side=Side.SHORT, price=D(105))
    assert plan({LEG: target}, read(late, backstop, position=SHORT)) == (move(102, 103),)


@pytest.mark.parametrize(
    ("foreign", "goes"),
    [
        (stop(97, 7, Role.FOREIGN), True),
        (stop(97, 7, Role.FOREIGN, D(1)), False),
        (stop(97, 7, Role.FOREIGN, None), False),
    ],
    ids=["the whole position", "a part of it", "a backstop of theirs"],
)
def test_what_an_earlier_position_left_goes_where_a_foreign_stop_serves_as_the_initial_one(
    foreign: RestingStop, goes: bool
) -> None:
    target = replace(TARGET, working=None, backstop=None, kind=StopKind.FOREIGN)
    old = stop(90, 4, tag=OLD_TAG)
    expected = (cancel(old, "left over from an earlier position"),) if goes else ()
    assert plan({LEG: target}, read(old, foreign)) == expected


# --- a working stop in parts -----------------------------------------------------------------
PARTS = (stop(98, 1, quantity=D("1.5")), stop(98, 2, quantity=D("0.5")))


@pytest.mark.parametrize(
    ("resting", "expected"),
    [
        pytest.param(PARTS, (), id="the parts together cover"),
        pytest.param(PARTS[:1], (move(98, 98),), id="a part is missing"),
        pytest.param(
            (*PARTS, stop(97, 3)), (cancel(stop(97, 3), "surplus"),), id="an older stop goes"
        ),
        pytest.param(
            (*PARTS, stop(98, 3)),
            (cancel(PARTS[1], "surplus"), cancel(PARTS[0], "surplus")),
            id="one that holds it all is enough",
        ),
        pytest.param(
            (PARTS[0], stop(97, 3)), (move(98, 98),), id="half moved: the rest of it follows"
        ),
    ],
)
def test_a_position_above_the_largest_order_has_its_stop_in_parts(
    resting: tuple[RestingStop, ...], expected: tuple[object, ...]
) -> None:
    assert plan({LEG: TARGET}, read(*resting, BACKSTOP)) == expected


# --- the position's one stop, shared with everybody --------------------------------------------
SHARED = replace(TARGET, backstop=None, shared=True)


def slot(price: int, *, ours: bool = False, triggered: bool = False) -> RestingStop:
    role, name = (Role.WORKING, f"{TAG}1") if ours else (Role.FOREIGN, "")
    return RestingStop(LEG, Side.LONG, "1", name, role, D(price), TWO, 500, triggered, shared=True)


@pytest.mark.parametrize(
    ("snapshot", "expected"),
    [
        pytest.param(read(slot(98, ours=True)), (), id="content"),
        pytest.param(read(slot(99)), (), id="a tighter hand-made one stays"),
        pytest.param(read(slot(98)), (), id="the same price is the same stop"),
        pytest.param(read(slot(97)), (move(98, 97),), id="a loosened one is put back"),
        pytest.param(read(), (PLACE,), id="a removed one is put back"),
        pytest.param(read(slot(97), asked_ms=1_500), (), id="but not at once again"),
        pytest.param(read(slot(97, triggered=True)), (), id="one that fired is at work"),
        pytest.param(read(stop(99, 7, Role.FOREIGN)), (PLACE,), id="stops of others are no slot"),
    ],
)
def test_a_shared_stop_is_put_back_and_never_loosened(
    snapshot: Snapshot, expected: tuple[object, ...]
) -> None:
    target = replace(SHARED, put_back_from_ms=2_000)
    assert plan({LEG: target}, snapshot) == expected


def test_a_shared_stop_is_left_alone_while_the_position_is_closed_or_nothing_was_asked_for() -> (
    None
):
    assert plan({LEG: replace(SHARED, closing=True)}, read()) == ()
    assert plan({LEG: replace(SHARED, working=None)}, read(slot(90))) == ()


def test_a_flat_leg_with_a_shared_stop_only_ends() -> None:
    assert plan({LEG: SHARED}, read(position=None)) == (EndEpoch(LEG),)


# --- conditional orders are few ------------------------------------------------------------------
def crowded(*resting: RestingStop, used: int, slots: int = 200) -> Snapshot:
    return replace(read(*resting), conditional_orders=used, conditional_slots=slots)


WINNING = replace(TARGET, in_profit=True)
SLOTS_ALARM = "the account is short of conditional orders: the backstop goes, its stop stays"


def test_where_slots_run_short_the_backstop_of_a_position_in_profit_goes_with_an_alarm() -> None:
    snapshot = crowded(stop(98), BACKSTOP, used=191)
    assert plan({LEG: WINNING}, snapshot) == (
        cancel(BACKSTOP, "slots"),
        Alarm(LEG, "short_of_slots", SLOTS_ALARM),
    )


@pytest.mark.parametrize("used", [190, 12, None])
def test_with_room_the_backstop_stays(used: int | None) -> None:
    snapshot = crowded(stop(98), BACKSTOP, used=used)  # type: ignore[arg-type]
    assert plan({LEG: WINNING}, snapshot) == ()


@pytest.mark.parametrize(
    "target",
    [
        TARGET,
        replace(WINNING, closing=True),
        replace(WINNING, pending=True),
    ],
    ids=["at risk", "closing", "a write under way"],
)
def test_a_backstop_that_is_needed_or_busy_is_not_given_up(target: Target) -> None:
    assert plan({LEG: target}, crowded(stop(98), BACKSTOP, used=200)) == ()


def test_a_backstop_that_fired_is_not_given_up() -> None:
    fired = replace(BACKSTOP, triggered=True)
    assert plan({LEG: WINNING}, crowded(stop(98), fired, used=200)) == ()


def test_what_was_given_up_is_placed_again_only_where_the_reserve_stays_free() -> None:
    without = replace(WINNING, gave_up_backstop=True)
    assert plan({LEG: without}, crowded(stop(98), used=190)) == ()
    assert plan({LEG: without}, read(stop(98))) == (), "a short pass does not count them"
    assert plan({LEG: without}, crowded(stop(98), used=189)) == (PLACE_BACKSTOP,)
    at_risk = replace(without, in_profit=False)
    assert plan({LEG: at_risk}, crowded(stop(98), used=199)) == (PLACE_BACKSTOP,)


def test_no_more_backstops_go_than_are_needed() -> None:
    theirs = replace(WINNING, leg=OTHER)
    backstops = (BACKSTOP, replace(BACKSTOP, leg=OTHER))
    working = (stop(98), replace(stop(98), leg=OTHER))
    snapshot = crowded(*working, *backstops, used=191)
    snapshot = replace(snapshot, positions={LEG: LONG, OTHER: LONG})
    commands = plan({LEG: WINNING, OTHER: theirs}, snapshot)
    assert [command for command in commands if isinstance(command, CancelStop)] == [
        cancel(BACKSTOP, "slots")
    ]


stops = st.lists(
    st.builds(
        stop,
        st.integers(90, 99),
        st.integers(1, 50),
        st.sampled_from(list(Role)),
        st.sampled_from([D(1), D(2), D(3)]),
        tag=st.sampled_from([TAG, OLD_TAG]),
        triggered=st.booleans(),
    ),
    max_size=6,
    unique_by=lambda resting: resting.client_id,
)


@given(stops, st.booleans())
def test_foreign_orders_are_never_touched_and_cover_is_never_taken_away(
    resting: list[RestingStop], has_position: bool
) -> None:
    snapshot = read(*resting, position=LONG if has_position else None)
    commands = plan({LEG: TARGET}, snapshot)
    cancelled = {command.client_id for command in commands if isinstance(command, CancelStop)}
    assert not cancelled & {order.client_id for order in resting if order.role is Role.FOREIGN}
    assert not cancelled & {order.client_id for order in resting if order.triggered}
    if has_position and any(
        command.role is Role.WORKING for command in commands if isinstance(command, CancelStop)
    ):
        left = [o for o in resting if o.role is Role.WORKING and o.client_id not in cancelled]
        assert any(o.quantity is not None and o.quantity >= 2 for o in left)


@given(stops)
def test_a_plan_that_was_carried_out_leaves_nothing_to_do(resting: list[RestingStop]) -> None:
    resting = [
        order for order in resting if not order.triggered and order.client_id.startswith(TAG)
    ]
    for _ in range(8):
        commands = plan({LEG: TARGET}, read(*resting))
        if not commands:
            return
        for number, command in enumerate(commands):
            match command:
                case PlaceStop(_, role, price, quantity):
                    resting.append(stop(int(price), 100 + len(resting) + number, role, quantity))
                case MoveStop(_, price, previous, quantity):
                    old = next(o for o in resting if o.price == previous and o.role is Role.WORKING)
                    resting.remove(old)
                    resting.append(
                        stop(int(price), 200 + len(resting) + number, Role.WORKING, quantity)
                    )
                case CancelStop(_, _, client_id):
                    resting = [order for order in resting if order.client_id != client_id]
    raise AssertionError(f"still {plan({LEG: TARGET}, read(*resting))}")


def test_other_legs_are_planned_apart() -> None:
    positions = {LEG: LONG, OTHER: LONG}
    snapshot = Snapshot("main", "binance", 2_000, positions, ())
    commands = plan({LEG: TARGET}, snapshot)
    assert AdoptPosition(OTHER, LONG) in commands
    assert PLACE in commands
