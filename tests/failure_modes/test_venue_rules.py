"""Rules of the exchanges: what a trigger means, what a halt refuses, what a contract becomes."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.acceptance.table import TICK
from trailstop.domain.position import Cause, Leg, Phase, Role, StopKind
from trailstop.domain.price import Instrument, Side
from trailstop.paper.model import ConditionalRequest
from trailstop.ports import StopRequest
from trailstop.venues.binance import gate as binance_gate
from trailstop.venues.binance import orders as binance_orders

pytestmark = pytest.mark.usefixtures("one_way")
"""The mode of the account changes nothing of these; `tests/acceptance` plays both."""

CHASE_S = 5
"""T: how long a fired or passed stop may leave its position open."""
DAY_S = 24 * 3_600


async def _guarded(table, side, gain=None):
    table.open(side)
    await table.wait(2)
    if gain is not None:
        table.price(table.up(side, gain))
        await table.wait(3)
    return table.working(side)


def _writes(table):
    calls = (table.exchange.place_stop, table.exchange.cancel_stop, table.exchange.close)
    return sum(table.served(call) for call in calls if call is not None)


def _rows(table, side):
    """Every conditional order that there ever was, the exchange's truth."""
    return table.world.all_conditionals(table.key(side), table.exchange.symbol)


def _one_tick(side):
    return TICK if side == "long" else -TICK


async def _told(table, word, leg, patience_s=320):
    """Somebody is told of the market, at the latest when the instruments are read anew."""
    for _ in range(patience_s // 10):
        alarms = [fact for fact in await table.facts("alarmed") if fact.leg == leg]
        if any(word in fact.text for fact in alarms):
            return
        await table.wait(10)
    raise AssertionError(f"nobody was told of {word}: {table.told()}")


# --- child-order-id -----------------------------------------------------------------------
@pytest.mark.usefixtures("two_layers")
@pytest.mark.parametrize(
    ("event", "kind"),
    [("ORDER_TRADE_UPDATE", "late"), ("ALGO_UPDATE", "late"), ("ALGO_UPDATE", "missing")],
    ids=["parent first", "child first", "parent never"],
)
def test_child_order_id_is_the_stops_own_and_never_that_of_the_next_trade(sit, side, event, kind):
    async def story(table):
        stop = await _guarded(table, side, "2")
        if kind == "late":
            table.bare_allowed("what follows on the stream is late too, the next opening among it")
        table.fault(
            kind, stream="private", event=event, delay_ms=2_000 if kind == "late" else 0,
            until_ms=table.now_ms + 8_000,
        )  # fmt: skip
        table.price(stop.price - _one_tick(side))
        await table.wait(0.5)
        assert table.amount(side) == 0
        (fired,) = [row for row in _rows(table, side) if row.algo_id == stop.number]
        assert fired.child_order_id not in (None, stop.number), "it was filled under another id"
        table.open(side)
        await table.wait(12)
        first, second = await table.epochs(side)
        assert (first.cause, second.cause) == (Cause.TRAIL, None)
        assert len(table.ours(side)) == 1
        assert table.status(side).protection == "held"
        assert table.clocks().duplicates == 0

    sit(story)


# --- rejected-at-trigger ------------------------------------------------------------------
def test_rejected_at_trigger_is_closed_at_market_and_told(sit, side):
    """A third of the triggers is refused: no position outlives its stop by more than T."""

    async def story(table):
        table.bare_allowed("a refused trigger leaves nothing until the close arrives")
        table.fault("reject_at_trigger", share=0.34)
        for _ in range(6):
            table.price("10000")
            await _guarded(table, side)
            table.price(table.up(side, "-2.05"))
            await table.wait(CHASE_S)
            assert table.amount(side) == 0
            await table.wait(3)
        refused = table.paper.faults.happened["reject_at_trigger"]
        alarms = [fact for fact in await table.facts("alarmed") if "refused" in fact.text]
        assert 1 <= refused < 6, "some were refused and some were not"
        assert len(alarms) >= refused
        assert len(await table.epochs(side)) == 6

    sit(story)


# --- trigger-direction --------------------------------------------------------------------
def test_trigger_direction_a_stop_of_the_wrong_direction_is_no_protection(sit, side):
    """Somebody's order that would fire in profit alone: ours is placed, theirs is left alone."""

    async def story(table):
        table.open(side)
        request = ConditionalRequest(
            symbol=table.exchange.symbol,
            side="SELL" if side == "long" else "BUY",
            type="STOP_MARKET" if table.exchange.one_layer else "TAKE_PROFIT_MARKET",
            position_side=table.position_side(side),
            quantity=Decimal("0.1"),
            trigger_price=table.up(side, "3"),
            trigger_rises=(side == "long") if table.exchange.one_layer else None,
            reduce_only=not table.exchange.hedge,
            client_id="wrong-way",
        )
        table.world.place_conditional(table.key(side), request)
        table.paper.exchange.tell()
        await table.start()
        await table.wait(3)
        assert table.gain_of(side, table.working(side).price) == Decimal("-2.00")
        assert table.status(side).live_kind is StopKind.INITIAL
        (theirs,) = [row for row in _rows(table, side) if row.client_id == "wrong-way"]
        assert theirs.status == "NEW"

    sit(story, guard_first=False)


def test_trigger_direction_a_stop_that_the_price_has_passed_on_its_way_never_rests(sit, side):
    """The price falls through while the request travels: refused, and the position is closed."""

    async def story(table):
        await _guarded(table, side)
        table.fault("delay", table.exchange.place_stop, count=1, delay_ms=700)
        table.price(table.up(side, "2"))
        await table.wait(0.3)
        table.price(table.up(side, "1.2"))
        await table.wait(4)
        assert table.amount(side) == 0
        for row in _rows(table, side):
            assert row.side == ("SELL" if side == "long" else "BUY")
        table.assert_never_bare()

    sit(story)


@pytest.mark.parametrize("side", [Side.LONG, Side.SHORT])
@pytest.mark.parametrize("role", [Role.WORKING, Role.BACKSTOP])
def test_trigger_direction_follows_from_a_side_that_the_gate_has_seen(side, role):
    instrument = Instrument("BTCUSDT", TICK, Decimal("0.001"))
    leg = Leg("main", "binance", "BTCUSDT")
    request = StopRequest(leg, side, role, Decimal(9_000), Decimal(1), "last", "ts-1")
    params = binance_orders.stop_params(request)
    assert binance_gate.check_stop(params, request, instrument, "main") is None
    turned = {**params, "side": {"SELL": "BUY", "BUY": "SELL"}[params["side"]]}
    finding = binance_gate.check_stop(turned, request, instrument, "main")
    assert finding == f"the order's side adds to a {side.value}"


# --- mark-versus-last ---------------------------------------------------------------------
SLOW_MARK = {"mark_window_us": DAY_S * 1_000_000}
"""The mark follows the last price over a day: 3 % apart for as long as a story wants."""


@pytest.mark.parametrize("watched", ["last", "mark"])
def test_mark_versus_last_trail_stop_and_chase_watch_the_same_price(sit, side, watched):
    """The last price is 3 % beyond the mark for two minutes."""

    async def story(table):
        await table.wait(600)
        await _guarded(table, side)
        sources = {row.working_type for row in _rows(table, side) if row.quantity or row.slot}
        assert sources == {watched}, "named on every order"
        table.price(table.up(side, "-3"))
        await table.wait(120)
        if watched == "last":
            assert table.amount(side) == 0
            (epoch,) = await table.epochs(side)
            assert epoch.cause is Cause.INITIAL_STOP
            return
        assert abs(table.amount(side)) == Decimal("0.1"), "the mark never came there"
        assert table.status(side).phase is Phase.WAITING
        assert len(table.stops(side)) == table.layers
        mark = table.world.mark(table.exchange.symbol)
        assert abs(table.status(side).price - mark) < mark / 200, "the price that counts is shown"
        table.assert_never_bare()

    sit(story, policy=f'trigger_price = "{watched}"\nbasis = "{watched}"', world=SLOW_MARK)


@pytest.mark.usefixtures("two_layers")
def test_mark_versus_last_the_backstop_watches_the_mark_by_default(sit, side):
    async def story(table):
        await _guarded(table, side)
        (backstop,) = [row for row in _rows(table, side) if row.close_position]
        assert backstop.working_type == "mark"

    sit(story)


# --- price-protect-blocks -----------------------------------------------------------------
def test_price_protect_blocks_nothing_of_ours(sit, side):
    """Protected orders stay when mark and last are 6 % apart; ours never ask for that."""

    async def story(table):
        await table.wait(600)
        await _guarded(table, side)
        assert not any(row.price_protect for row in _rows(table, side))
        for gain in ("-1.5", "-3", "-4.5", "-6"):
            table.price(table.up(side, gain) if table.amount(side) else "10000")
        await table.wait(2)
        assert table.amount(side) == 0
        (epoch,) = await table.epochs(side)
        assert epoch.cause is Cause.INITIAL_STOP

    sit(story, world=SLOW_MARK | {"price_protect_outcome": "stay"})


def test_price_protect_blocks_but_a_price_beyond_the_stop_leads_to_a_market_close(sit, side):
    """Whatever keeps the stop from firing: after T it is closed at market."""

    async def story(table):
        await _guarded(table, side)
        table.fault("no_trigger", symbol=table.exchange.symbol)
        table.price(table.up(side, "-2.5"))
        await table.wait(CHASE_S - 1)
        assert abs(table.amount(side)) == Decimal("0.1"), "the exchange's own trigger comes first"
        await table.wait(2.5)
        assert table.amount(side) == 0
        alarms = [fact.text for fact in await table.facts("alarmed")]
        assert any("5 s" in text for text in alarms), alarms
        await table.wait(7)
        assert table.stops(side) == []

    sit(story)


# --- gte-gtc-vanishes ---------------------------------------------------------------------
def test_gte_gtc_vanishes_and_the_position_opened_anew_has_its_own_stop_in_time(sit, side):
    """Closed and opened again within 100 ms; what was tied to the old position expires."""

    async def story(table):
        await _guarded(table, side, "2")
        old = {stop.client_id for stop in table.stops(side)} - {""}
        table.close(side)
        await table.wait(0.05)
        for stop in table.stops(side):
            table.remove(stop)
        await table.wait(0.04)
        table.open(side)
        await table.wait(2)
        assert len(table.stops(side)) == table.layers
        assert not old & {stop.client_id for stop in table.stops(side)}
        await table.wait(8)
        first, second = await table.epochs(side)
        assert (first.cause, second.cause) == (Cause.CLOSED_ELSEWHERE, None)
        assert table.gain_of(side, table.working(side).price) == Decimal("-2.00")
        assert table.clocks().duplicates == 0

    sit(story)


# --- delisting ----------------------------------------------------------------------------
def test_delisting_is_told_early_and_ends_cleanly_beside_an_untouched_neighbour(sit, side):
    async def story(table):
        other = table.exchange.other_symbol
        await _guarded(table, side)
        table.open(side, symbol=other)
        await table.wait(2)
        table.world.delist(table.exchange.symbol)
        table.paper.exchange.tell()
        await _told(table, "settling", table.leg(side))
        assert len(table.stops(side)) == table.layers, "the stop stays until the end"
        began, closes = _writes(table), table.served(table.exchange.close)
        table.world.settle(table.exchange.symbol)
        table.paper.exchange.tell()
        await table.wait(7)
        assert not table.guarded(side)
        (epoch,) = await table.epochs(side)
        assert epoch.cause is Cause.SETTLED
        assert table.stops(side) == []
        await table.wait(60)
        assert table.served(table.exchange.close) == closes, "there is nothing to close"
        assert _writes(table) - began <= 2, "no endless attempts"
        table.price(table.up(side, "2", other), other)
        await table.wait(4)
        wanted = table.behind(side, table.up(side, "2", other), "0.5")
        assert table.working(side, other).price == wanted

    sit(story)


# --- halt-or-reduce-only-phase ------------------------------------------------------------
@pytest.mark.parametrize("gain", ["3", "-6"], ids=["up", "down"])
def test_halt_or_reduce_only_phase_keeps_the_stop_and_ends_well_after_a_jump(sit, side, gain):
    """Ten minutes without trading, a better stop wanted meanwhile, and a jump at the resume."""

    async def story(table):
        await _guarded(table, side)
        table.price(table.up(side, "1.9"))
        await table.wait(3)
        before, entry = table.working(side), table.entry(side)
        table.price(table.up(side, "2.9"))
        table.world.halt(table.exchange.symbol)
        table.paper.exchange.tell()
        served = _writes(table)
        table.printing = False
        await table.wait(600 if gain == "3" else 30)
        assert table.working(side) == before
        assert _writes(table) - served <= 125, "once in five seconds at most"
        if gain == "3":
            await _told(table, "halted", table.leg(side))
        table.world.resume(table.exchange.symbol)
        sign = 1 if side == "long" else -1
        table.price((entry * (1 + Decimal(gain) / 100 * sign)).quantize(TICK))
        table.printing = True
        await table.wait(10)
        if gain == "3":
            wanted = table.behind(side, table.up(side, "3"), "0.5")
            assert table.working(side).price == wanted
        else:
            assert table.amount(side) == 0
            assert table.stops(side) == []
        table.assert_never_bare()

    sit(story)


# --- tick-size-change ---------------------------------------------------------------------
@pytest.mark.parametrize("told", [True, False], ids=["told", "untold"])
def test_tick_size_change_is_learned_from_the_first_refusal_and_the_stop_goes_out(sit, side, told):
    async def story(table):
        await _guarded(table, side, "2")
        if not told:
            for stream in ("public", "market"):
                table.fault("missing", stream=stream, event="contractInfo")
        table.world.change_market(table.exchange.symbol, tick_size=Decimal(5))
        if told:
            table.paper.exchange.tell()
        table.price("10400" if side == "long" else "9600")
        await table.wait(5)
        stop = table.working(side).price
        assert stop % 5 == 0
        assert Decimal("3.3") < table.gain_of(side, stop) < Decimal("3.7")
        assert table.status(side).live_stop == stop
        table.assert_never_bare()

    sit(story)


# --- multiplier-or-redenomination ---------------------------------------------------------
@pytest.mark.parametrize("times", ["1000", "0.001"])
def test_multiplier_or_redenomination_pauses_keeps_the_stop_and_closes_nothing(sit, side, times):
    factor = Decimal(times)

    async def story(table):
        table.open(side, "10")
        await table.wait(2)
        table.price(table.up(side, "2"))
        await table.wait(3)
        before = table.working(side)
        table.printing = False
        table.world.change_market(table.exchange.symbol, multiplier=factor)
        table.paper.exchange.tell()
        await table.wait(20)
        assert abs(table.amount(side)) == 10 * factor, "nothing was closed"
        after = table.working(side)
        assert after.quantity == 10 * factor
        assert abs(after.price * factor - before.price) <= before.price / 1_000
        status = table.status(side)
        assert status.paused
        assert abs(status.live_stop - after.price) <= TICK
        assert any("contract was changed" in fact.text for fact in await table.facts("alarmed"))
        table.price(table.up(side, "2.2"))
        await table.wait(15)
        assert abs(table.amount(side)) == 10 * factor
        assert table.working(side).price == after.price, "it waits for a person"

    sit(story)
