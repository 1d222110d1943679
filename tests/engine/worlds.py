"""Random trails and random events for the properties, and a way to run them."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from hypothesis import strategies as st
from msgspec.structs import replace

from trailstop.domain.policy import (
    Absolute,
    Atr,
    Callback,
    Distance,
    Policy,
    ProfitShare,
    Rung,
    Steps,
)
from trailstop.domain.position import Cause, Fees, Leg, Position, Role
from trailstop.domain.price import Instrument, Side
from trailstop.engine import events as ev
from trailstop.engine.begin import begin
from trailstop.engine.commands import Command, MoveStop, PlaceStop
from trailstop.engine.step import step
from trailstop.engine.trail import Trail

ENTRY = Decimal(100)
TICKS = ("0.01", "0.1", "0.05", "0.5")


def decimals(low: str, high: str, places: int = 2) -> st.SearchStrategy[Decimal]:
    return st.decimals(Decimal(low), Decimal(high), allow_nan=False, places=places)


DISTANCES: st.SearchStrategy[Distance] = st.one_of(
    decimals("0.2", "3").map(Callback),
    decimals("0.1", "0.9").map(ProfitShare),
    decimals("0.5", "4").map(Absolute),
    st.just(Steps()),
    st.just(Steps((Rung(Decimal("0.5"), Decimal("0.6")), Rung(Decimal(1), Decimal("0.4"))))),
    st.just(Atr(length=2)),
)
POLICIES = st.builds(
    Policy,
    distance=DISTANCES,
    existing_stop=st.sampled_from(["keep", "tighten"]),
    on_adopt_beyond=st.sampled_from(["from_price", "close"]),
    activation_percent=st.sampled_from([Decimal(0), Decimal("0.5"), Decimal("1.5")]),
    activation_after_minutes=st.sampled_from([None, Decimal(1)]),
    breakeven_at_percent=st.sampled_from([None, Decimal("0.5")]),
    gain_basis=st.sampled_from(["gross", "net"]),
    momentum_percent_per_minute=st.sampled_from([None, Decimal("0.1")]),
    update_interval_seconds=st.sampled_from([Decimal(0), Decimal(60)]),
    min_improvement_percent=st.sampled_from([Decimal(0), Decimal("0.1")]),
    emergency_percent=st.sampled_from([None, Decimal("0.05"), Decimal("1.0")]),
    pacing=st.sampled_from(["fixed", "fixed", "budget"]),
    on_cross=st.sampled_from(["close", "hold"]),
)
"""Policies over every setting that decides; the backstop's and the sources' play no part."""


@st.composite
def trails(draw: st.DrawFn, settings: st.SearchStrategy[Policy] = POLICIES) -> Trail:
    side = draw(st.sampled_from(Side))
    foreign = draw(st.none() | st.sampled_from([1, 2, 3]))
    return begin(
        leg=Leg("main", "binance", "BTCUSDT"),
        epoch=1,
        position=Position(
            side,
            ENTRY,
            Decimal(draw(st.integers(1, 5))),
            opened_at_ms=0,
            liquidation_price=draw(st.none() | st.just(ENTRY - 5 * side.sign)),
        ),
        instrument=Instrument("BTCUSDT", Decimal(draw(st.sampled_from(TICKS))), Decimal(1)),
        policy=draw(settings),
        fees=draw(st.sampled_from([Fees(), Fees(Decimal("0.0005"), Decimal("0.0005"))])),
        at_ms=0,
        foreign_stop=None if foreign is None else ENTRY - foreign * side.sign,
    )


Told = tuple[str, int, int]
"""A kind of event, hundredths of the price that belong to it, and the milliseconds before it."""

PRICES = ("trade", "trade", "trade", "bar", "mark_price")
ANSWERS = ("ack", "ack", "ack", "refused", "unknown", "would_trigger")
OTHERS = (
    "time", "time", "quote", "mark", "gap", "stale", "candle", "foreign", "no_foreign", "size",
    "average", "pause", "resume", "tighten", "forgotten", "funding", "liquidation", "wider",
    "permit",
)  # fmt: skip


def tales(
    *kinds: str,
    low: int = 9_300,
    high: int = 10_700,
    pauses: tuple[int, ...] = (0, 400, 2_000, 65_000),
) -> st.SearchStrategy[list[Told]]:
    told = st.tuples(st.sampled_from(kinds), st.integers(low, high), st.sampled_from(pauses))
    return st.lists(told, min_size=5, max_size=40)


def event_of(trail: Trail, kind: str, cents: int, at_ms: int) -> ev.Event | None:
    """The event of this kind for this trail; None where it cannot happen there."""
    price, sent, position = Decimal(cents) / 100, trail.sent, trail.position
    match kind:
        case "trade" | "bar":
            return ev.PriceSeen(price, at_ms, kind)
        case "mark_price":
            return ev.PriceSeen(price, at_ms, "mark")
        case "stale":
            return ev.PriceSeen(price, at_ms, fresh=False)
        case "quote":
            return ev.QuoteSeen(price, price + Decimal("0.02"), at_ms)
        case "mark":
            return ev.MarkSeen(price, at_ms)
        case "gap":
            return ev.PriceBackfilled(price, at_ms)
        case "candle":
            return ev.CandleClosed(price + 1, price - 1, price, at_ms)
        case "time":
            return ev.TimePassed(at_ms)
        case "ack" if sent is not None:
            return ev.StopAcknowledged(sent.price, sent.quantity, at_ms)
        case "refused" if sent is not None:
            return ev.StopRefused(ev.Refusal.TRANSIENT, "busy", at_ms)
        case "would_trigger" if sent is not None:
            return ev.StopRefused(ev.Refusal.WOULD_TRIGGER, "-2021", at_ms)
        case "unknown" if sent is not None:
            return ev.StopUnknown(at_ms)
        case "foreign":
            # An order of anybody rests on the grid.
            return ev.ForeignStopSeen(Decimal(cents // 50) / 2, at_ms)
        case "no_foreign":
            return ev.ForeignStopSeen(None, at_ms)
        case "size":
            return ev.PositionChanged(replace(position, quantity=Decimal(cents % 7 + 1)), at_ms)
        case "average":
            return ev.PositionChanged(replace(position, entry_price=price), at_ms)
        case "funding":
            return ev.PositionChanged(replace(position, funding_paid=price / 100), at_ms)
        case "liquidation":
            far = ENTRY - Decimal(cents % 6 + 1) * position.side.sign
            return ev.PositionChanged(replace(position, liquidation_price=far), at_ms)
        case "wider":
            wider = replace(trail.policy, distance=Callback(Decimal(cents % 30 + 1) / 10))
            return ev.PolicyChanged(wider, at_ms)
        case "pause":
            return ev.Paused(at_ms)
        case "resume":
            return ev.Resumed(at_ms)
        case "tighten":
            return ev.TightenAsked(price, at_ms)
        case "permit":
            return ev.MovePermitted(at_ms)
        case "forgotten":
            return ev.PeakForgotten(at_ms)
        case "closed":
            return ev.PositionClosed(Cause.UNKNOWN, at_ms)
    return None


def run(
    trail: Trail, tale: Iterable[Told]
) -> list[tuple[Trail, ev.Event, Trail, tuple[Command, ...]]]:
    """Every step of a tale: before, event, after, commands."""
    steps, at_ms = [], 0
    for kind, cents, pause_ms in tale:
        at_ms += pause_ms
        event = event_of(trail, kind, cents, at_ms)
        if event is not None:
            after, commands = step(trail, event)
            steps.append((trail, event, after, commands))
            trail = after
    return steps


def working(commands: Iterable[Command]) -> list[PlaceStop | MoveStop]:
    """Commands for the working stop alone."""
    return [
        command
        for command in commands
        if isinstance(command, MoveStop)
        or (isinstance(command, PlaceStop) and command.role is Role.WORKING)
    ]
