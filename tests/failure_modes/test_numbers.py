"""Prices and sizes as numbers: the grid, their spelling, costs, and nonsense."""

from __future__ import annotations

import os
import random
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import pytest

from trailstop.domain.policy import Absolute, Callback, Policy
from trailstop.domain.position import Fees, Leg, Phase, Position, Role, StopKind
from trailstop.domain.price import Instrument, Side
from trailstop.engine import events as ev
from trailstop.engine.begin import begin
from trailstop.engine.commands import Alarm, MoveStop, PlaceStop
from trailstop.engine.explain import move_text
from trailstop.engine.step import step
from trailstop.ports import CloseRequest, StopRequest
from trailstop.venues.binance import gate as binance_gate
from trailstop.venues.binance import orders as binance_orders
from trailstop.venues.bybit import gate as bybit_gate
from trailstop.venues.bybit import orders as bybit_orders

pytestmark = pytest.mark.usefixtures("one_way")
"""The mode of the account changes nothing of these; `tests/acceptance` plays both."""

CASES = int(os.environ.get("TRAILSTOP_ROUNDING_CASES", "300000"))
"""How many prices the rounding is tried with; 1000000 for the whole check."""
SIDES = (Side.LONG, Side.SHORT)
TICKS = ("0.00001", "0.0001", "0.01", "0.05", "0.1", "0.25", "0.5", "1", "5", "10")
PRICES_A_TRAIL = 50
SECOND_MS = 1_000
UNPACED = {
    "update_interval_seconds": Decimal(0),
    "min_improvement_percent": Decimal(0),
    "emergency_percent": None,
}
FREE = Fees()


def _trail(side, entry, tick, *, fees=FREE, policy=None, quantity="1", entry_known=True):
    return begin(
        leg=Leg("main", "binance", "XUSDT"),
        epoch=1,
        position=Position(side, entry, Decimal(quantity), entry_known=entry_known),
        instrument=Instrument("XUSDT", Decimal(tick), Decimal("0.001")),
        policy=policy or Policy(**UNPACED),
        fees=fees,
        at_ms=0,
    )


def _take(trail, event):
    """Advance by one event, and let every stop that is asked for rest at once."""
    trail, commands = step(trail, event)
    told = list(commands)
    for command in commands:
        if isinstance(command, PlaceStop | MoveStop) and _is_working(command):
            rests = ev.StopAcknowledged(command.price, command.quantity, event.at_ms)
            trail, more = step(trail, rests)
            told += more
    return trail, told


def _is_working(command):
    return isinstance(command, MoveStop) or command.role is Role.WORKING


# --- rounded-wrong-side -------------------------------------------------------------------
@pytest.mark.parametrize("side", SIDES)
def test_rounded_wrong_side_never_looser_than_what_rests_nor_through_the_price(side):
    """Random walks on every grid; the rule's own price is computed anew beside the engine."""
    chance, tried = random.Random(f"grid {side.value}"), 0
    while tried < CASES // len(SIDES):
        tick = Decimal(chance.choice(TICKS))
        ticks = chance.randint(1_000, 200_000)
        percent = Decimal(chance.randint(30, 300)) / 100
        policy = Policy(
            distance=Callback(percent), activation_percent=Decimal(0), breakeven_at_percent=None,
            **UNPACED,
        )  # fmt: skip
        trail = _trail(side, ticks * tick, tick, policy=policy)
        for number in range(PRICES_A_TRAIL):
            tried += 1
            ticks = max(100, ticks + chance.randint(-ticks // 300 - 2, ticks // 200 + 2))
            price, rested = ticks * tick, trail.live_stop
            if rested is not None and side.touches(price, rested):
                break  # The exchange fires it.
            trail, _ = _take(trail, ev.PriceSeen(price, (number + 1) * SECOND_MS))
            _judge_stop(trail, price, rested, percent)


def _judge_stop(trail, price, rested, percent):
    side, stop, tick = trail.position.side, trail.live_stop, trail.instrument.tick_size
    assert stop is not None
    assert stop % tick == 0, "off the grid"
    assert not side.touches(price, stop), "across the market"
    assert rested is None or not side.better(rested, stop), "looser than what rested"
    if stop != rested and trail.live_kind is StopKind.TRAIL and trail.peak == price:
        exact = price - price * percent / 100 * side.sign
        towards = ROUND_CEILING if side is Side.LONG else ROUND_FLOOR
        snapped = (exact / tick).to_integral_value(towards) * tick
        assert stop == snapped or stop == snapped - tick * side.sign
        assert side.better(stop, exact) or stop == exact or side.touches(price, snapped)


# --- scientific-notation ------------------------------------------------------------------
SMALL = Instrument("PEPEUSDT", Decimal("1E-8"), Decimal("1E+2"))
NUMBERS = ("9.2E-6", "1E-8", "9.20E-6", "0.00000920", "1.5E+3", "2E+5")


@pytest.mark.parametrize("venue", ["binance", "bybit"])
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("text", NUMBERS)
def test_scientific_notation_is_never_on_the_wire(venue, side, text):
    leg, price, size = Leg("main", venue, "PEPEUSDT"), Decimal(text), Decimal("1.2E+6")
    stop = StopRequest(leg, side, Role.WORKING, price, size, "last", "ts-1")
    close = CloseRequest(leg, side, size, "ts-2")
    if venue == "binance":
        bodies = [binance_orders.stop_params(stop), binance_orders.close_params(close, SMALL)]
        findings = [
            binance_gate.check_stop(bodies[0], stop, SMALL, "main"),
            binance_gate.check_close(bodies[1], close, SMALL, "main"),
        ]
        sent = [bodies[0]["triggerPrice"], bodies[0]["quantity"], bodies[1]["quantity"]]
    else:
        bodies = [bybit_orders.stop_body(stop), bybit_orders.close_body(close, SMALL)]
        findings = [
            bybit_gate.check_stop(bodies[0], stop, SMALL, "main"),
            bybit_gate.check_close(bodies[1], close, SMALL, "main"),
        ]
        sent = [bodies[0]["stopLoss"], bodies[1]["qty"], bodies[1]["qty"]]
    assert findings == [None, None]
    assert [Decimal(number) for number in sent] == [price, size, size]
    assert all("E" not in number.upper() for number in sent), sent


@pytest.mark.parametrize("side", SIDES)
def test_scientific_notation_a_symbol_of_tiny_prices_trails_like_any_other(side):
    entry = Decimal("9.2E-6")
    trail = _trail(side, entry, "1E-8")
    trail, _ = _take(trail, ev.PriceSeen(entry, SECOND_MS))
    peak = entry * (1 + Decimal("0.02") * side.sign)
    trail, _ = _take(trail, ev.PriceSeen(peak, 2 * SECOND_MS))
    exact = peak * (1 - Decimal("0.005") * side.sign)
    assert trail.live_kind is StopKind.TRAIL
    assert abs(trail.live_stop - exact) <= Decimal("1E-8")
    assert trail.live_stop % Decimal("1E-8") == 0


# --- tick-coarser-than-trail --------------------------------------------------------------
@pytest.mark.parametrize("side", SIDES)
def test_tick_coarser_than_trail_is_told_and_never_trailed(side):
    """0.3 % of 0.0021 is a sixteenth of a tick: no stop follows at the price itself."""
    policy = Policy(distance=Callback(Decimal("0.3")), **UNPACED)
    trail = _trail(side, Decimal("0.0021"), "0.0001", policy=policy)
    trail, commands = _take(trail, ev.PriceSeen(Decimal("0.0021"), SECOND_MS))
    (refused,) = [one for one in commands if isinstance(one, Alarm) and "distance" in one.code]
    assert "0.0000063 at price 0.0021, under 3 ticks of 0.0001" in refused.text
    first = trail.live_stop
    assert first == Decimal("0.0021") - Decimal("0.0001") * side.sign, "the nearest there is"
    for number in range(2, 9):
        price = Decimal("0.0021") + Decimal("0.0001") * (number % 4) * side.sign
        trail, commands = _take(trail, ev.PriceSeen(price, number * SECOND_MS))
        assert not trail.activated
        assert trail.live_stop == first or trail.live_kind is StopKind.BREAKEVEN
        assert trail.phase is not Phase.TRIGGERED


def test_tick_coarser_than_trail_is_told_in_status_and_log_with_the_price(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(3)
        (alarm,) = [fact for fact in await table.facts("alarmed") if "distance" in fact.text]
        assert "under 3 ticks" in alarm.text
        table.price(table.up(side, "3"))
        await table.wait(3)
        assert table.status(side).phase is Phase.WAITING
        assert table.amount(side), "nothing has fired"

    sit(story, policy="callback_percent = 0.002\nbreakeven_at_percent = 'none'")


# --- breakeven-without-costs --------------------------------------------------------------
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("times", [0, 1, 6])
def test_breakeven_without_costs_loses_nothing_after_fees_and_funding(side, times):
    """0.055 % both ways and 0.3 % of funding, paid up to six times."""
    rate, quantity, entry = Decimal("0.00055"), Decimal(3), Decimal(40_000)
    funding = entry * quantity * Decimal("0.003") * times
    policy = Policy(activation_percent=Decimal(9), **UNPACED)
    trail = _trail(side, entry, "0.1", fees=Fees(rate, rate), policy=policy, quantity="3")
    trail, _ = _take(trail, ev.PriceSeen(entry, SECOND_MS))
    paid = Position(side, entry, quantity, funding_paid=funding)
    trail, _ = _take(trail, ev.PositionChanged(paid, 2 * SECOND_MS))
    for number in range(3, 60):
        gain = Decimal(number - 2) / 20
        price = (entry * (1 + gain / 100 * side.sign)).quantize(Decimal("0.1"))
        trail, commands = _take(trail, ev.PriceSeen(price, number * SECOND_MS))
        moved = [one for one in commands if isinstance(one, MoveStop)]
        if trail.live_kind is StopKind.BREAKEVEN:
            break
    assert trail.live_kind is StopKind.BREAKEVEN
    stop = trail.live_stop
    won = (stop - entry) * side.sign * quantity
    assert won - rate * quantity * (entry + stop) - funding >= 0
    assert "pays the fees both ways" in move_text(trail, moved[0])


def test_breakeven_without_costs_the_wallet_is_no_smaller_after_a_breakeven_exit(sit, side):
    """With what a market order gives away in the book as the offset."""

    async def story(table):
        account = table.world.accounts[table.key(side)]
        table.open(side)
        await table.wait(3)
        began = account.starting_wallet
        table.price(table.up(side, "0.9"))
        await table.wait(3)
        stop = table.working(side).price
        assert table.gain_of(side, stop) > 0
        table.price(stop - Decimal("0.1") * (1 if side == "long" else -1))
        await table.wait(4)
        assert table.amount(side) == 0
        assert account.wallet >= began

    sit(story, policy="breakeven_offset_percent = 0.05")


# --- negative-or-zero-stop ----------------------------------------------------------------
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("ticks", [1, 2, 3, 5])
def test_negative_or_zero_stop_is_never_asked_for_at_the_lowest_prices(side, ticks):
    tick = Decimal("0.0001")
    policy = Policy(initial_stop_percent=Decimal(90), backstop_percent=Decimal(95), **UNPACED)
    trail = _trail(side, ticks * tick, "0.0001", policy=policy)
    trail, commands = _take(trail, ev.PriceSeen(ticks * tick, SECOND_MS))
    prices = [one.price for one in commands if isinstance(one, PlaceStop | MoveStop)]
    assert all(price >= tick and price % tick == 0 for price in prices)
    if ticks == 1 and side is Side.LONG:
        assert prices == []
        assert any(isinstance(one, Alarm) and "not protected" in one.text for one in commands)
    else:
        assert trail.live_stop is not None


@pytest.mark.parametrize("side", SIDES)
def test_negative_or_zero_stop_a_distance_beyond_the_price_leaves_the_stop_where_it_is(side):
    policy = Policy(distance=Absolute(Decimal(500)), activation_percent=Decimal(0), **UNPACED)
    trail = _trail(side, Decimal(100), "0.1", policy=policy)
    for number in range(1, 9):
        price = Decimal(100) + number * side.sign
        trail, commands = _take(trail, ev.PriceSeen(price, number * SECOND_MS))
        prices = [one.price for one in commands if isinstance(one, PlaceStop | MoveStop)]
        assert all(price > 0 for price in prices)
    assert trail.live_kind in (StopKind.INITIAL, StopKind.BREAKEVEN)


@pytest.mark.parametrize("venue", ["binance", "bybit"])
@pytest.mark.parametrize("text", ["0", "-0.1", "-5"])
def test_negative_or_zero_stop_does_not_pass_the_gate(venue, text):
    leg = Leg("main", venue, "PEPEUSDT")
    instrument = Instrument("PEPEUSDT", Decimal("0.1"), Decimal(1))
    stop = StopRequest(leg, Side.LONG, Role.WORKING, Decimal(text), Decimal(1), "last", "ts-1")
    if venue == "binance":
        body = binance_orders.stop_params(stop)
        finding = binance_gate.check_stop(body, stop, instrument, "main")
    else:
        finding = bybit_gate.check_stop(bybit_orders.stop_body(stop), stop, instrument, "main")
    assert finding is not None


# --- wrong-entry-price --------------------------------------------------------------------
FIELDS = {"binance": ("entryPrice", "ep"), "bybit": ("avgPrice", "entryPrice")}
"""How the entry price is called in the read of positions, and in the account stream."""


def _spoil_entry(table, value, **settings):
    read, told = FIELDS[table.exchange.name]
    table.fault("tamper", table.exchange.read_positions, field=read, value=value, **settings)
    table.fault("tamper", stream="private", field=told, value=value, **settings)


@pytest.mark.parametrize("value", ["0", "", None], ids=["zero", "empty", "missing"])
def test_wrong_entry_price_not_stated_protects_and_switches_gains_off(sit, side, value):
    """For ten seconds after the fill; then the rule goes by the true one."""

    async def story(table):
        _spoil_entry(table, value, until_ms=table.now_ms + 10_000)
        table.open(side)
        await table.wait(3)
        stop = table.working(side)
        assert abs(table.gain_of(side, stop.price) + 2) < Decimal("0.1"), "from the mark"
        assert any("no entry price" in fact.text for fact in await table.facts("alarmed"))
        table.price(table.up(side, "3"))
        await table.wait(3)
        assert table.working(side) == stop, "neither breakeven nor trailing by a guess"
        assert table.status(side).gain_percent is None
        await table.wait(10)
        assert table.working(side).price == table.behind(side, table.up(side, "3"), "0.5")
        assert table.status(side).entry_price == table.entry(side)
        table.assert_never_bare()

    sit(story)


def test_wrong_entry_price_of_before_an_addition_moves_no_stop_wrongly(sit, side):
    """Reads go on to state the old average for ten seconds, the stream has the new one."""

    async def story(table):
        table.open(side)
        await table.wait(3)
        first = table.entry(side)
        read, _ = FIELDS[table.exchange.name]
        until_ms = table.now_ms + 10_000
        table.fault(
            "tamper", table.exchange.read_positions,
            field=read, value=str(first), until_ms=until_ms,
        )  # fmt: skip
        table.price(table.up(side, "-1"))
        before = table.working(side)
        table.open(side)
        await table.wait(9)
        assert table.working(side).quantity == Decimal("0.2")
        sign = 1 if side == "long" else -1
        assert (table.working(side).price - before.price) * sign >= 0
        await table.wait(9)
        assert table.status(side).entry_price == table.entry(side)
        table.assert_never_bare()

    sit(story)


def test_wrong_entry_price_on_one_leg_leaves_another_alone(sit, side):
    async def story(table):
        other = table.exchange.other_symbol
        table.open(side)
        await table.wait(2)
        _spoil_entry(table, "0")
        table.open(side, symbol=other)
        await table.wait(3)
        assert len(table.ours(side, other)) == 1
        table.price(table.up(side, "2"))
        await table.wait(4)
        assert table.working(side).price == table.behind(side, table.up(side, "2"), "0.5")
        table.assert_never_bare()

    sit(story)
