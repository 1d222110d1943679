"""What holds for every trail and every tale of events."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.engine.worlds import (
    ANSWERS,
    ENTRY,
    OTHERS,
    POLICIES,
    PRICES,
    TICKS,
    Told,
    decimals,
    event_of,
    run,
    tales,
    trails,
    working,
)
from trailstop.domain.policy import Absolute, Callback, Policy, ProfitShare
from trailstop.domain.position import Fees, Leg, Phase, Position
from trailstop.domain.price import Instrument, Rounding, Side
from trailstop.engine import events as ev
from trailstop.engine.begin import begin
from trailstop.engine.commands import ClosePosition, Command, MoveStop
from trailstop.engine.explain import hold_text, move_text
from trailstop.engine.step import step, wake_at
from trailstop.engine.trail import HoldReason, Trail

MANY = settings(max_examples=120, deadline=None)
ANYTHING = tales(*PRICES, *PRICES, *ANSWERS, *ANSWERS, *OTHERS)
MARKET = tales(*PRICES, *ANSWERS)
STEADY = tales(*PRICES, *ANSWERS, "time", "quote", "mark", "gap", "stale", "size")
"""Nothing that may legitimately take a stop of somebody else or a peak away."""


@MANY
@given(trails(), ANYTHING)
def test_never_looser(trail: Trail, tale: list[Told]) -> None:
    side = trail.position.side
    for before, event, after, commands in run(trail, tale):
        if before.own_stop is not None:
            assert after.own_stop is not None
            assert not side.better(before.own_stop, after.own_stop)
        if before.live_stop is not None and not isinstance(event, ev.ForeignStopSeen):
            assert after.live_stop is not None
            assert not side.better(before.live_stop, after.live_stop)
        for command in working(commands):
            if isinstance(command, MoveStop):
                assert not side.better(command.previous, command.price)
            elif before.phase is not Phase.INACTIVE and before.exact_stop is not None:
                assert after.live_stop is None or not side.better(after.live_stop, command.price)


@MANY
@given(trails(), STEADY)
def test_the_exact_stop_never_loosens_once_a_stop_was_acknowledged(
    trail: Trail, tale: list[Told]
) -> None:
    side = trail.position.side
    for before, _, after, _ in run(trail, tale):
        if before.phase is not Phase.INACTIVE and before.exact_stop is not None:
            assert after.exact_stop is not None
            assert not side.better(before.exact_stop, after.exact_stop)
            assert after.live_stop is None or not side.better(after.live_stop, after.exact_stop)


@MANY
@given(trails(), ANYTHING)
def test_stops_are_on_the_grid_and_on_the_right_side_of_the_price(
    trail: Trail, tale: list[Told]
) -> None:
    side, tick = trail.position.side, trail.instrument.tick_size
    for before, event, after, commands in run(trail, tale):
        for command in working(commands):
            assert command.price > 0
            assert command.price % tick == 0
            assert command.quantity == after.position.quantity
            if isinstance(event, ev.PriceSeen) and after.sent is not None:
                assert after.price is not None
                assert not side.touches(after.price, after.sent.price) or after.jump != before.jump


@MANY
@given(trails(), STEADY)
def test_the_peak_only_rises(trail: Trail, tale: list[Told]) -> None:
    side = trail.position.side
    for before, event, after, _ in run(trail, tale):
        if before.peak is not None and before.phase is not Phase.INACTIVE:
            assert after.peak is not None
            assert not side.better(before.peak, after.peak)
            if isinstance(event, ev.QuoteSeen | ev.MarkSeen | ev.StopRefused | ev.StopUnknown):
                assert after.peak == before.peak or before.jump is not None


@MANY
@given(trails(), ANYTHING)
def test_one_write_at_a_time_and_none_while_an_outcome_is_unknown(
    trail: Trail, tale: list[Told]
) -> None:
    for before, event, after, commands in run(trail, tale):
        asked = working(commands)
        answers = isinstance(event, ev.StopAcknowledged | ev.StopRefused)
        assert len(asked) <= 1 or before.jump is not None
        if before.sent is not None and not answers:
            assert not asked
            assert after.sent == before.sent or after.phase is Phase.INACTIVE


@MANY
@given(trails(), ANYTHING)
def test_what_is_not_a_live_price_never_closes_on_a_cross(trail: Trail, tale: list[Told]) -> None:
    quiet = ev.PriceBackfilled | ev.ForeignStopSeen | ev.PositionChanged | ev.PolicyChanged
    for before, event, _, commands in run(trail, tale):
        stale = isinstance(event, ev.PriceSeen) and not event.fresh and before.jump is None
        if stale or isinstance(event, quiet | ev.Paused | ev.Resumed | ev.PeakForgotten):
            assert not any(isinstance(command, ClosePosition) for command in commands)


@MANY
@given(trails(), ANYTHING)
def test_every_hold_and_every_command_explains_itself_in_one_line(
    trail: Trail, tale: list[Told]
) -> None:
    for _, _, after, commands in run(trail, tale):
        lines = [hold_text(after)]
        lines += [move_text(after, c) for c in working(commands)]
        lines += [move_text(after, c) for c in commands if isinstance(c, ClosePosition)]
        for line in lines:
            assert "\n" not in line
            assert "None" not in line
            assert "E+" not in line
        assert bool(lines[0]) == (after.hold is not None)


@MANY
@given(trails(), ANYTHING)
def test_a_held_move_is_woken_for(trail: Trail, tale: list[Told]) -> None:
    for _, _, after, _ in run(trail, tale):
        due_ms = wake_at(after)
        assert after.release_at_ms >= (1 << 62) or (
            due_ms is not None and due_ms <= after.release_at_ms
        )


@MANY
@given(trails(), ANYTHING)
def test_a_replayed_journal_decides_the_same_byte_for_byte(trail: Trail, tale: list[Told]) -> None:
    encode = msgspec.json.encode
    events = msgspec.json.Decoder(ev.Event)
    state = msgspec.json.Decoder(Trail)
    stored = state.decode(encode(trail))
    assert stored == trail
    for _, event, after, commands in run(trail, tale):
        # Each step starts from what was written down, as after a kill.
        stored, again = step(state.decode(encode(stored)), events.decode(encode(event)))
        assert encode(stored) == encode(after)
        assert encode(again) == encode(commands)


@MANY
@given(trails(), MARKET, st.data())
def test_repeated_late_and_invalid_prices_change_no_decision(
    trail: Trail, tale: list[Told], data: st.DataObject
) -> None:
    plain, dirty, at_ms = trail, trail, 0
    for kind, cents, pause_ms in tale:
        at_ms += pause_ms
        event = event_of(plain, kind, cents, at_ms)
        if event is None:
            continue
        plain, expected = step(plain, event)
        dirty, given_ = step(dirty, event)
        assert given_ == expected
        noise = data.draw(st.sampled_from(["again", "late", "zero", "none"]))
        last, last_ms = dirty.price, dirty.price_at_ms
        if noise == "none" or last is None:
            continue
        price = {"again": last, "late": last * 2, "zero": Decimal(0)}[noise]
        if noise == "again" and (dirty.jump is not None or dirty.phase is Phase.TRIGGERED):
            continue
        told = ev.PriceSeen(price, last_ms - 1 if noise == "late" else last_ms)
        dirty, commands = step(dirty, told)
        assert commands == ()
        assert decided(dirty) == decided(plain)


def decided(trail: Trail) -> tuple[object, ...]:
    return (trail.phase, trail.peak, trail.exact_stop, trail.target_stop, trail.live_stop)


@MANY
@given(trails(), trails(), tales(*PRICES, *ANSWERS, "time"), st.data())
def test_symbols_are_independent(
    first: Trail, second: Trail, tale: list[Told], data: st.DataObject
) -> None:
    second = replace(second, leg=Leg("main", "binance", "ETHUSDT"))
    alone = {leg: run(trail, tale) for leg, trail in (("a", first), ("b", second))}
    mixed: dict[str, list[tuple[Trail, tuple[Command, ...]]]] = {"a": [], "b": []}
    waiting = {leg: list(steps) for leg, steps in alone.items()}
    trails_ = {"a": first, "b": second}
    while waiting["a"] or waiting["b"]:
        leg = data.draw(st.sampled_from([leg for leg in "ab" if waiting[leg]]))
        _, event, _, _ = waiting[leg].pop(0)
        trails_[leg], commands = step(trails_[leg], event)
        mixed[leg].append((trails_[leg], commands))
    for leg, steps in alone.items():
        assert mixed[leg] == [(after, commands) for _, _, after, commands in steps]


# --- pacing by the exchange's limits -----------------------------------------------------------------

BUDGETED = st.builds(
    Policy,
    distance=decimals("0.2", "3").map(Callback),
    activation_percent=st.sampled_from([Decimal(0), Decimal("0.5")]),
    pacing=st.just("budget"),
)


@MANY
@given(trails(BUDGETED), tales(*PRICES, *PRICES, *ANSWERS, "time", "tighten", "size", "permit"))
def test_a_permission_that_is_answered_leaves_nothing_between_exact_and_live_stop(
    trail: Trail, tale: list[Told]
) -> None:
    for _, _, after, _ in run(trail, tale):
        if after.hold is not HoldReason.BUDGET:
            continue
        at_ms = after.price_at_ms
        moved, commands = step(after, ev.MovePermitted(at_ms))
        (command,) = working(commands)
        assert command.price == after.exact_stop
        held, _ = step(moved, ev.StopAcknowledged(command.price, command.quantity, at_ms))
        assert held.live_stop == held.exact_stop == after.exact_stop


@MANY
@given(trails(BUDGETED), tales(*PRICES, *PRICES, *ANSWERS, "time"))
def test_with_a_budget_the_market_alone_moves_no_stop_of_ours(
    trail: Trail, tale: list[Told]
) -> None:
    for before, _, _, commands in run(trail, tale):
        for command in working(commands):
            assert before.own_stop is None
            assert not isinstance(command, MoveStop)


@MANY
@given(trails(POLICIES), ANYTHING, st.data())
def test_a_permission_means_nothing_to_those_who_do_not_wait_for_it(
    trail: Trail, tale: list[Told], data: st.DataObject
) -> None:
    trail = replace(trail, policy=replace(trail.policy, pacing="fixed"))
    told, at_ms = trail, 0
    for kind, cents, pause_ms in tale:
        at_ms += pause_ms
        event = event_of(trail, kind, cents, at_ms)
        if event is None or kind == "permit":
            continue
        trail, expected = step(trail, event)
        told, commands = step(told, event)
        assert commands == expected
        assert decided(told) == decided(trail)
        if data.draw(st.booleans()):
            # Time alone may let a held move go; so that both have heard of it.
            trail, expected = step(trail, ev.TimePassed(at_ms))
            told, commands = step(step(told, ev.TimePassed(at_ms))[0], ev.MovePermitted(at_ms))
            assert commands == ()
            assert decided(told) == decided(trail)


# --- mirror (I23) -----------------------------------------------------------------------------------

MIRRORED = st.builds(
    Policy,
    distance=st.one_of(decimals("0.5", "4").map(Absolute), decimals("0.1", "0.9").map(ProfitShare)),
    activation_percent=st.sampled_from([Decimal(0), Decimal("0.5"), Decimal("1.5")]),
    breakeven_at_percent=st.none(),
    min_distance_percent=st.just(Decimal(0)),
    pacing=st.just("none"),
)
"""Absolute and profit-share distances; pacing and the nearest distance are percent of price."""


@MANY
@given(MIRRORED, st.sampled_from(TICKS), tales("bar", "ack", "time"))
def test_a_short_on_the_reflected_path_is_the_mirrored_long(
    settings_: Policy, tick: str, tale: list[Told]
) -> None:
    long, short = (fresh(side, settings_, tick) for side in Side)
    at_ms = 0
    # Adopted at the entry: a stop that is measured from the present price is percent of that.
    for kind, cents, pause_ms in [("bar", 10_000, 0), *tale]:
        at_ms += pause_ms
        event = event_of(long, kind, cents, at_ms)
        mirrored = event_of(short, kind, 20_000 - cents, at_ms)
        assert (event is None) == (mirrored is None)
        if event is None or mirrored is None:
            continue
        long, ours = step(long, event)
        short, theirs = step(short, mirrored)
        assert [type(c) for c in ours] == [type(c) for c in theirs]
        assert (long.phase, long.hold) == (short.phase, short.hold)
        for name in ("peak", "exact_stop", "target_stop", "live_stop"):
            one, other = getattr(long, name), getattr(short, name)
            assert (one is None) == (other is None)
            assert one is None or one + other == 2 * ENTRY, name


@MANY
@given(decimals("50", "150"), decimals("0.01", "2"))
def test_percent_kinds_lie_equally_far_behind_the_peak_on_both_sides(
    peak: Decimal, percent: Decimal
) -> None:
    settings_ = Policy(
        distance=Callback(percent),
        activation_percent=Decimal(0),
        initial_stop_percent=None,
        breakeven_at_percent=None,
        min_distance_ticks=0,
        rounding=Rounding.NONE,
    )
    ratios = []
    for side in Side:
        trail, _ = step(fresh(side, settings_, "0.01"), ev.PriceSeen(peak, 0, "bar"))
        assert trail.exact_stop is not None
        ratios.append(abs(trail.exact_stop - peak) / peak)
    assert ratios[0] == ratios[1] == percent / 100


def fresh(side: Side, settings_: Policy, tick: str) -> Trail:
    return begin(
        leg=Leg("main", "binance", "BTCUSDT"),
        epoch=1,
        position=Position(side, ENTRY, Decimal(1)),
        instrument=Instrument("BTCUSDT", Decimal(tick), Decimal(1)),
        policy=settings_,
        fees=Fees(),
        at_ms=0,
    )
