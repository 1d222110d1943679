"""The small door decides as the engine behind it: same stops, same ends."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from trailstop import Policy, Position, TrailingStop, step
from trailstop.domain.policy import Absolute, Callback, Distance, ProfitShare, Steps
from trailstop.domain.position import Fees, Leg, Phase
from trailstop.domain.price import Instrument, Side
from trailstop.engine.begin import begin
from trailstop.engine.commands import MoveStop, PlaceStop
from trailstop.engine.events import PriceSeen, StopAcknowledged, TimePassed
from trailstop.engine.step import wake_at
from trailstop.engine.trail import Trail

TICK = Decimal("0.01")
ENTRY = Decimal(100)
GAP_MS = 7_000
EXAMPLES = 60

prices = st.lists(
    st.integers(min_value=9_000, max_value=11_500).map(lambda ticks: ticks * TICK),
    min_size=1,
    max_size=25,
)
distances: st.SearchStrategy[Distance] = st.sampled_from(
    [Callback(), Callback(Decimal(2)), ProfitShare(), Steps(), Absolute(Decimal("0.7"))]
)


def settled(trail: Trail, event: PriceSeen | TimePassed) -> Trail:
    trail, commands = step(trail, event)
    while commands:
        asked = [c for c in commands if isinstance(c, MoveStop | PlaceStop)]
        commands = ()
        for command in asked:
            if isinstance(command, PlaceStop) and command.role.value != "working":
                continue
            held = StopAcknowledged(command.price, command.quantity, event.at_ms)
            trail, more = step(trail, held)
            commands += more
    return trail


@given(
    row=prices,
    side=st.sampled_from(Side),
    distance=distances,
    pacing=st.sampled_from(["fixed", "none"]),
)
@settings(max_examples=EXAMPLES, deadline=None)
def test_stops_equal_the_engines_exact_stops(
    row: list[Decimal], side: Side, distance: Distance, pacing: Literal["fixed", "none"]
) -> None:
    policy = Policy(distance=distance, pacing=pacing)
    door = TrailingStop("X", ENTRY, side, policy, tick_size=TICK)
    trail = begin(
        leg=Leg("any", "any", "X"),
        epoch=1,
        position=Position(side, ENTRY, Decimal(1)),
        instrument=Instrument("X", TICK, TICK),
        policy=policy,
        fees=Fees(),
        at_ms=0,
    )
    for index, price in enumerate(row):
        at_ms = index * GAP_MS
        before = trail.exact_stop
        update = door.update_price(price, at_ms)
        while (due_ms := wake_at(trail)) is not None and due_ms <= at_ms:
            trail = settled(trail, TimePassed(due_ms))
        trail = settled(trail, PriceSeen(price, at_ms, kind="bar"))
        assert update.exact_stop == trail.exact_stop
        assert update.peak == trail.peak
        assert update.hit == (before is not None and side.touches(price, before))
        if update.hit:
            assert update.phase is Phase.TRIGGERED
            return
        assert update.phase is trail.phase


@given(row=prices, side=st.sampled_from(Side), distance=distances)
@settings(max_examples=EXAMPLES, deadline=None)
def test_stops_only_ever_improve(row: list[Decimal], side: Side, distance: Distance) -> None:
    door = TrailingStop("X", ENTRY, side, Policy(distance=distance), tick_size=TICK)
    best: Decimal | None = None
    for price in row:
        stop = door.update_price(price).exact_stop
        assert stop is not None
        assert best is None or not side.better(best, stop)
        best = stop
