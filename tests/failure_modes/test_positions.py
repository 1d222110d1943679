"""Positions that change: the stop follows, and nothing is left behind."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from itertools import permutations

import pytest

from tests.acceptance.table import OWN, SIGNS
from trailstop.domain.position import Cause, Leg, Phase, StopKind
from trailstop.venues.bybit import translate
from trailstop.venues.bybit.wire import PositionRow

one_way = pytest.mark.usefixtures("one_way")
hedge = pytest.mark.usefixtures("hedge")
two_layers = pytest.mark.usefixtures("two_layers")
one_layer = pytest.mark.usefixtures("one_layer")

ORDER_EVENTS = ("ORDER_TRADE_UPDATE", "order", "execution")
POSITION_EVENTS = ("ACCOUNT_UPDATE", "position")


def _other(side):
    return "short" if side == "long" else "long"


async def _trailing(table, side, gain="2"):
    table.open(side)
    await table.wait(2)
    table.price(table.up(side, gain))
    await table.wait(3)
    return table.working(side)


def _ours_ever(table, account, symbol=None):
    """Every conditional order that the guard ever placed there."""
    rows = table.world.all_conditionals(table.key(account), symbol or table.exchange.symbol)
    return [row for row in rows if row.client_id.startswith(OWN)]


@one_way
def test_orphan_after_close(sit_both, side):
    async def story(table):
        await _trailing(table, side)
        await table.wait(40)
        until_ms = table.now_ms + 20_000
        for event in POSITION_EVENTS:
            table.fault("missing", stream="private", event=event, until_ms=until_ms)
        table.close(side)
        await table.wait(7)
        assert table.stops(side) == []
        await table.wait(3)
        assert not table.guarded(side)
        table.assert_never_bare()

    sit_both(story)


@one_way
@two_layers
def test_orphan_opens_reverse(sit_both, side):
    async def story(table):
        table.bare_allowed("what could open a position is cancelled at once")
        # Some orders are echoed as ones that could open a position.
        for skip in (0, 3, 6):
            table.fault(
                "tamper",
                table.exchange.place_stop,
                field="reduceOnly",
                value="false",
                skip=skip,
                count=1,
            )
        table.open(side)
        await table.wait(4)
        for gain in ("2", "4", "6"):
            table.price(table.up(side, gain))
            await table.wait(7)
        assert table.working(side).price == table.behind(side, table.up(side, "6"), "0.5")
        assert len(table.stops(side)) == table.layers
        stop = table.working(side).price
        table.fault("silence", stream="private", until_ms=table.now_ms + 4_000)
        table.close(side)
        table.price(table.behind(side, stop, "0.2"))
        await table.wait(10)
        assert table.amount(side) == 0, "what was left over could only reduce"
        assert table.stops(side) == []
        assert all(row.reduce_only or row.close_position for row in _ours_ever(table, side))

    sit_both(story)


@hedge
@two_layers
def test_orphan_opens_reverse_in_hedge_mode(sit, side):
    async def story(table):
        stop = await _trailing(table, side)
        table.fault("silence", stream="private", until_ms=table.now_ms + 4_000)
        table.close(side)
        table.price(table.behind(side, stop.price, "0.2"))
        await table.wait(10)
        assert (table.amount(side), table.amount(side, side=_other(side))) == (0, 0)
        assert table.stops(side) == []

    sit(story)


@one_way
def test_partial_entry_fill(sit_both, side):
    async def story(table):
        table.fault("reordered", stream="private", delay_ms=800)
        for number in range(7):
            table.open(side, f"0.0{number + 1}")
            # Fills come close together and far apart.
            await table.wait((0.1, 0.4, 90)[number % 3])
        await table.wait(30)
        whole = abs(table.amount(side))
        assert whole == Decimal("0.28")
        assert table.working(side).quantity == whole == table.status(side).quantity
        assert table.gain_of(side, table.working(side).price) == Decimal("-2.00")
        clocks = table.clocks()
        assert (clocks.unprotected_ms, clocks.duplicates) == (0, 0)
        assert clocks.size_lag_ms < 2_000

    sit_both(story)


@one_way
@pytest.mark.parametrize("after_s", [0.03, 0.12])
def test_size_increased(sit_both, side, after_s):
    async def story(table):
        await _trailing(table, side)
        for pause in (1.7, 4.1):
            table.open(side)
            await table.wait(pause)
        before = table.working(side).price
        table.price(table.up(side, "4"))
        await table.wait(after_s)
        # In the middle of a move.
        table.open(side)
        await table.wait(4)
        stop = table.working(side)
        assert stop.quantity == Decimal("0.4") == abs(table.amount(side))
        assert SIGNS[side] * (stop.price - before) > 0
        clocks = table.clocks()
        assert (clocks.unprotected_ms, clocks.loosened, clocks.duplicates) == (0, 0, 0)
        assert clocks.size_lag_ms < 2_000

    sit_both(story)


@one_way
def test_position_flips(sit_both, side):
    async def story(table):
        await _trailing(table, side)
        # Only the final size is told.
        for event in ORDER_EVENTS:
            table.fault("missing", stream="private", event=event)
        table.open(_other(side), "0.2", account=side)
        await table.wait(2)
        stop = table.working(side)
        assert stop.quantity == Decimal("0.1")
        assert table.gain_of(_other(side), stop.price, account=side) == Decimal("-2.00")
        await table.wait(6)
        assert len(table.stops(side)) == table.layers
        status = table.status(side)
        assert (status.side.value, status.phase) == (_other(side), Phase.WAITING)
        assert status.peak is None, "the other side's peak is not taken over"
        first, second = await table.epochs(side)
        assert (first.cause, second.cause) == (Cause.FLIPPED, None)
        table.assert_never_bare()

    sit_both(story)


@one_way
@pytest.mark.parametrize("kind", ["empty", "error_in_body", "truncated", "lost_answer"])
def test_flat_versus_unknown(sit, side, kind):
    async def story(table):
        stop = await _trailing(table, side)
        until_ms = table.now_ms + 30_000
        table.fault(kind, table.exchange.read_positions, until_ms=until_ms, cut=False)
        await table.wait(12)
        assert table.stops(side)[-1] == stop
        assert table.guarded(side)
        table.price(table.up(side, "4"))
        await table.wait(12)
        moved = table.behind(side, table.up(side, "4"), "0.5")
        assert table.working(side).price == moved, "the guard goes on meanwhile"
        await table.wait(12)
        assert len(table.stops(side)) == table.layers
        assert len(await table.epochs(side)) == 1
        table.assert_never_bare()

    sit(story)


@one_way
def test_flat_versus_unknown_when_the_guard_starts(sit_both, side):
    async def story(table):
        await _trailing(table, side)
        before = table.stops(side)
        await table.stop()
        until_ms = table.now_ms + 15_000
        table.fault("empty", table.exchange.read_positions, until_ms=until_ms)
        await table.start()
        await table.wait(8)
        assert table.stops(side) == before
        await table.wait(15)
        assert table.stops(side) == before
        assert table.status(side).protection == "held"
        assert len(await table.epochs(side)) == 1
        table.assert_never_bare()

    sit_both(story)


@hedge
def test_hedge_empty_row(sit, side):
    async def story(table):
        # The first row of the list is an empty one for a short, the last one for a long.
        table.open(side)
        await table.wait(3)
        assert table.gain_of(side, table.working(side).price) == Decimal("-2.00")
        table.open(_other(side), "0.2", account=side)
        await table.wait(3)
        await table.stop()
        await table.start()
        await table.wait(70)
        for leg, quantity in ((side, "0.1"), (_other(side), "0.2")):
            assert table.status(side, side=leg).quantity == Decimal(quantity)
            assert len(table.stops(side, side=leg)) == table.layers
            assert len(await table.epochs(side, side=leg)) == 1
        table.assert_never_bare()

    sit(story)


def test_hedge_empty_row_at_any_place_of_the_list():
    def row(symbol, index, side, size):
        price = "10000" if side else "0"
        return PositionRow(symbol, side, size, position_idx=index, avg_price=price)

    rows = [
        row("BTCUSDT", 1, "Buy", "0.1"),
        row("BTCUSDT", 2, "", "0"),
        row("ETHUSDT", 1, "", "0"),
        row("ETHUSDT", 2, "Sell", "0.3"),
    ]
    legs = {
        Leg("main", "bybit", "BTCUSDT", "long"): Decimal("0.1"),
        Leg("main", "bybit", "ETHUSDT", "short"): Decimal("0.3"),
    }
    for order in permutations(rows):
        found = translate.positions("main", order)
        assert {leg: position.quantity for leg, position in found.items()} == legs


@hedge
def test_hedge_wrong_side_is_never_sent(sit_both, side):
    async def story(table):
        table.open(side)
        table.open(_other(side), "0.2", account=side)
        await table.wait(3)
        table.price(table.up(side, "1.7"))
        await table.wait(4)
        table.price(table.up(side, "1"))
        await table.wait(5)
        assert table.amount(side) == 0, "its stop has closed it"
        await table.control("close", side, side=_other(side))
        await table.wait(8)
        rows = table.world.positions(table.key(side), table.exchange.symbol)
        assert {row.position_side: row.amount for row in rows} == {"LONG": 0, "SHORT": 0}
        reducing = {"LONG": "SELL", "SHORT": "BUY"}
        orders = _ours_ever(table, side)
        assert all(row.side == reducing[row.position_side] for row in orders)
        assert table.clocks().unprotected_ms == 0

    sit_both(story)


@one_way
def test_hedge_wrong_side_is_not_remembered_when_the_mode_changes(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(3)
        table.close(side)
        await table.wait(8)
        table.world.set_position_mode(table.key(side), True)
        leg = side.upper()
        table.world.open_position(
            table.key(side), table.exchange.symbol, side, Decimal("0.1"), "hedged"
        )
        table.paper.exchange.tell()
        await table.wait(3)
        rows = table.world.open_conditionals(table.key(side), table.exchange.symbol)
        assert {row.position_side for row in rows} == {leg}
        assert len(rows) == table.layers
        assert table.clocks().unprotected_ms == 0

    sit(story)


@hedge
@two_layers
def test_hedge_reduceonly_param(sit_both, side):
    async def story(table):
        await _trailing(table, side)
        for gain in ("4", "6"):
            table.price(table.up(side, gain))
            await table.wait(3)
        orders = _ours_ever(table, side)
        assert len(orders) >= 5, "initial, backstop and three moves"
        assert not any(row.reduce_only for row in orders)
        await table.control("close", side)
        await table.wait(3)
        assert table.amount(side) == 0
        assert await table.facts("alarmed") == [], "the exchange has refused nothing"
        assert table.clocks().unprotected_ms == 0

    sit_both(story)


@one_way
def test_scoped_orphan_cleanup(sit, side):
    async def story(table):
        # Two accounts, and two symbols on one of them; one of three positions is closed.
        other, symbol = _other(side), table.exchange.other_symbol
        table.open(side)
        table.open(side, symbol=symbol)
        table.open(other)
        await table.wait(3)
        kept = table.stops(side, symbol), table.stops(other)
        table.close(side)
        await table.wait(70)
        assert table.stops(side) == []
        assert (table.stops(side, symbol), table.stops(other)) == kept
        # Passes that read one symbol alone say nothing of the other.
        table.close(side, symbol=symbol)
        table.open(side)
        await table.wait(70)
        assert table.stops(side, symbol) == []
        assert len(table.stops(side)) == table.layers
        assert table.stops(other) == kept[1]
        table.assert_never_bare()

    sit(story)


@one_way
@pytest.mark.parametrize(
    ("act", "cause"), [("liquidate", Cause.LIQUIDATED), ("deleverage", Cause.ADL)]
)
def test_liquidation_or_adl(sit, side, act, cause):
    async def story(table):
        await _trailing(table, side)
        until_ms = table.now_ms + 4_000
        table.fault("late", stream="private", delay_ms=3_000, until_ms=until_ms)
        sent = len(table.sent(side))
        take = getattr(table.world, act)
        take(table.key(side), table.exchange.symbol, table.position_side(side))
        table.paper.exchange.tell()
        await table.wait(12)
        assert table.stops(side) == []
        assert len(table.sent(side)) == sent, "nothing is placed for a position that is gone"
        assert not table.guarded(side)
        (epoch,) = await table.epochs(side)
        assert epoch.cause is cause
        (alarm,) = await table.facts("alarmed")
        assert "the exchange closed the position" in alarm.text

    sit(story)


@one_way
def test_stop_beyond_liquidation(sit, side):
    async def story(table):
        def room():
            """Share of the way from liquidation to entry that the loosest stop keeps."""
            position = table.position(side)
            liquidation = table.world.liquidation_price(position)
            loosest = table.stops(side)[0].price
            return (loosest - liquidation) / (position.entry_price - liquidation)

        table.open(side)
        await table.wait(4)
        assert room() >= Decimal("0.09")
        before = table.gain_of(side, table.working(side).price)
        assert before == Decimal("-2.00"), "there is still room for it"
        world, key = table.world, table.key(side)
        world.withdraw(key, world.available(key) * Decimal("0.9"))
        table.paper.exchange.tell()
        await table.wait(12)
        assert room() >= Decimal("0.09")
        assert table.gain_of(side, table.working(side).price) > before
        assert table.clocks().unprotected_ms == 0

    sit(story, world={"leverage": 75, "wallet": Decimal(32)})


@one_way
def test_dust_position_below_the_least_notional(sit, side):
    async def story(table):
        table.price("2500")
        table.open(side, "0.003")
        await table.wait(3)
        table.reduce(side, "0.002")
        await table.wait(3)
        # 2.5 USDT are left: only what reduces may be so small.
        assert table.working(side).quantity == Decimal("0.001")
        assert table.status(side).protection == "held"
        await table.control("close", side)
        await table.wait(5)
        assert table.amount(side) == 0
        assert await table.facts("alarmed") == []
        table.assert_never_bare()

    sit(story)


@one_way
def test_dust_position_smaller_than_a_step(sit, side):
    async def story(table):
        table.open(side, "0.054")
        await table.wait(3)
        table.world.change_market(table.exchange.symbol, step_size=Decimal("0.01"))
        table.paper.exchange.tell()
        await table.wait(65)
        table.reduce(side, "0.05")
        await table.wait(10)
        assert abs(table.amount(side)) == Decimal("0.004")
        served = table.served(table.exchange.place_stop)
        await table.wait(130)
        assert table.served(table.exchange.place_stop) - served <= 1, "no endless retry"
        held = [stop.quantity for stop in table.stops(side)]
        assert any(size is None or size >= Decimal("0.004") for size in held)
        assert len(await table.facts("alarmed")) <= 1
        assert table.clocks().unprotected_ms == 0

    sit(story)


@one_way
def test_bigger_than_max_market(sit, side):
    async def story(table):
        table.world.change_market(table.exchange.symbol, max_market_quantity=Decimal("0.05"))
        table.paper.exchange.tell()
        await table.start()
        for quantity in ("0.05", "0.05", "0.05", "0.03"):
            table.open(side, quantity)
        await table.wait(3)
        for gain in (None, "2", "4"):
            if gain:
                table.price(table.up(side, gain))
                await table.wait(5)
            assert sum(stop.quantity for stop in table.ours(side)) == Decimal("0.18")
            assert len({stop.price for stop in table.ours(side)}) == 1
        table.price(table.behind(side, table.ours(side)[0].price, "0.1"))
        await table.wait(8)
        assert (table.amount(side), table.stops(side)) == (0, [])
        table.assert_never_bare()

    sit(story, guard_first=False)


@one_way
@two_layers
@pytest.mark.parametrize("value", [None, "", "0"], ids=["missing", "empty", "zero"])
def test_null_quantity_stop(sit, side, value):
    async def story(table):
        table.open(side)
        theirs = table.place_by_hand(side, table.up(side, "-6"), None)
        table.fault("tamper", table.exchange.read_stops, field="quantity", value=value, count=1)
        await table.start()
        await table.wait(5)
        assert [stop.number for stop in table.backstops(side)] == [theirs.algo_id]
        assert table.status(side).live_kind is StopKind.FOREIGN, "it covers the whole position"
        table.price(table.up(side, "2"))
        await table.wait(5)
        assert table.working(side).price == table.behind(side, table.up(side, "2"), "0.5")
        await table.stop()
        await table.start()
        await table.wait(5)
        assert len(table.stops(side)) == table.layers
        assert table.clocks().unprotected_ms == 0

    sit(story, guard_first=False)


@one_way
@pytest.mark.parametrize("when", ["running", "cut off", "starting"])
def test_external_position_ignored(sit, side, when):
    async def story(table):
        if when != "starting":
            await table.start()
        if when == "cut off":
            until_ms = table.now_ms + 3_000
            table.fault("cut", stream="private", from_ms=table.now_ms, until_ms=until_ms)
            table.bare_allowed("nothing tells of the position")
            await table.wait(1)
        if when == "starting":
            starting = asyncio.create_task(table.start())
            await table.wait(0.4)
            table.open(side)
            await starting
        else:
            table.open(side)
        await table.until(lambda: table.ours(side), 7)
        assert table.gain_of(side, table.working(side).price) == Decimal("-2.00")
        (fact,) = await table.facts("adopted")
        assert "adopted" in fact.text

    sit(story, guard_first=False)


@one_way
def test_external_position_ignored_by_choice_is_shown(sit, side):
    async def story(table):
        for symbol in (table.exchange.symbol, table.exchange.other_symbol):
            table.open(side, symbol=symbol)
        await table.wait(65)
        table.bare_allowed("one position is left alone by choice")
        table.out_of_reach(0, table.now_ms, "one position is left alone by choice")
        assert table.stops(side) == []
        assert table.account_status(side).not_guarded == (str(table.leg(side)),)
        assert table.working(side, table.exchange.other_symbol)

    sit(story, lines=["[guard]", 'ignore = ["BTCUSDT"]'])


@one_way
@one_layer
def test_partial_sl_accumulates(sit, side):
    async def story(table):
        await _trailing(table, side)
        first = table.stops(side)[0].number
        for step in range(50):
            table.price(table.up(side, 2 + Decimal(step) / 2))
            await table.wait(1.2)
            assert [stop.number for stop in table.stops(side)] == [first]
        assert table.status(side).moves >= 45
        table.assert_never_bare()

    sit(story, policy="update_interval_seconds = 1\nmin_improvement_percent = 0.01")
