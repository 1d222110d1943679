"""Answers that are lost, late, wrong or taken back."""

from __future__ import annotations

import shutil
from decimal import Decimal

import pytest

from tests.acceptance.exchanges import Call
from trailstop.daemon.writing.ids import CLIENT_ID_MAX
from trailstop.domain.position import Cause

pytestmark = pytest.mark.usefixtures("one_way")

HOUR_MS = 3_600_000
ORDINARY = Call("GET", "/fapi/v1/order")


async def _trailing(table, side, gain="2"):
    table.open(side)
    await table.wait(2)
    table.price(table.up(side, gain))
    await table.wait(3)
    return table.working(side)


def _assert_exact(table):
    """Nothing bare, loosened or doubled; how late things were is another matter."""
    clocks = table.clocks()
    found = (clocks.unprotected_ms, clocks.loosened, clocks.duplicates)
    assert found == (0, 0, 0), f"{clocks}; {table.told()}"


def _hide(table, seconds, *reads):
    """Have lists shown as they were so many seconds ago, for twice as long."""
    until_ms = table.now_ms + 2_000 * seconds
    for read in reads:
        table.fault("lagging", read, lag_ms=1_000 * seconds, until_ms=until_ms)


def test_retry_duplicates(sit_both, side):
    async def story(table):
        _hide(table, 10, table.exchange.read_stops)
        table.fault("lost_answer", table.exchange.place_stop, count=1)
        table.open(side)
        await table.wait(25)
        assert len(table.sent(side)) == 1
        assert len(table.stops(side)) == table.layers
        _hide(table, 10, table.exchange.read_stops)
        table.fault("lost_answer", table.exchange.place_stop, count=1)
        table.price(table.up(side, "2"))
        await table.wait(25)
        assert table.working(side).price == table.behind(side, table.up(side, "2"), "0.5")
        assert len(table.sent(side)) == 2
        assert len(table.stops(side)) == table.layers
        _assert_exact(table)

    sit_both(story)


@pytest.mark.parametrize("clock_off_ms", [0, -HOUR_MS, HOUR_MS])
def test_client_id_collision(sit, side, clock_off_ms):
    async def story(table):
        await _trailing(table, side)
        table.clock_off_ms = clock_off_ms
        for gain in ("4", "6", "8"):
            # Ends and starts within the same second of the exchange.
            await table.stop()
            await table.start()
            table.price(table.up(side, gain))
            await table.wait(3)
        assert table.working(side).price == table.behind(side, table.up(side, "8"), "0.5")
        names = await _names(table, side)
        assert len(names) == len(set(names))
        assert all(len(name) <= CLIENT_ID_MAX for name in names)
        _assert_exact(table)

    sit(story)


def test_client_id_collision_of_a_database_that_was_put_back(sit, side):
    async def story(table):
        await _trailing(table, side)
        await table.stop()
        kept = table.folder / "yesterday"
        shutil.copytree(table.config.data_dir, kept)
        await table.start()
        table.price(table.up(side, "4"))
        await table.wait(3)
        await table.stop()
        shutil.rmtree(table.config.data_dir)
        shutil.copytree(kept, table.config.data_dir)
        # The numbers that were used since are forgotten, and the exchange has them all.
        await table.start()
        table.price(table.up(side, "7"))
        await table.wait(8)
        assert table.working(side).price == table.behind(side, table.up(side, "7"), "0.5")
        assert len(table.stops(side)) == table.layers
        _assert_exact(table)

    sit(story)


async def _names(table, side):
    """Client ids of all that the guard has sent for the position."""
    rows = table.world.all_conditionals(table.key(side), table.exchange.symbol)
    return [row.client_id for row in rows if row.client_id]


def test_lookup_on_wrong_endpoint(sit, side, exchange):
    async def story(table):
        await _trailing(table, side)
        # Lists do not help: only the look-up can tell.
        until_ms = table.now_ms + 6_000
        table.fault("unavailable", table.exchange.read_stops, until_ms=until_ms)
        table.fault("lost_answer", table.exchange.place_stop, count=1)
        table.price(table.up(side, "4"))
        await table.wait(8)
        assert len(table.sent(side)) == 3, "what rests was found where it rests"
        assert table.status(side).protection == "held"
        if exchange.name == "binance":
            assert table.served(ORDINARY) == 0, "the other service knows no stops"
        # A close is an ordinary order, and is looked up as one.
        table.fault("lost_answer", table.exchange.close, count=1)
        await table.control("close", side)
        await table.wait(12)
        assert table.served(table.exchange.close) == 1
        assert table.amount(side) == 0
        assert not table.guarded(side)

    sit(story)


@pytest.mark.parametrize(("stops_s", "positions_s"), [(0, 4), (10, 1), (2, 10)])
def test_read_after_write_lag(sit_both, side, stops_s, positions_s):
    async def story(table):
        await _trailing(table, side)
        for seconds, read in (
            (stops_s, table.exchange.read_stops),
            (positions_s, table.exchange.read_positions),
        ):
            if seconds:
                table.fault("lagging", read, lag_ms=1_000 * seconds, until_ms=table.now_ms + 40_000)
        sent = len(table.sent(side))
        table.price(table.up(side, "4"))
        await table.wait(12)
        assert table.working(side).price == table.behind(side, table.up(side, "4"), "0.5")
        assert len(table.sent(side)) - sent == 1, "what was accepted is not sent again"
        table.open(side)
        await table.wait(12)
        assert table.working(side).quantity == Decimal("0.2")
        assert len(await table.epochs(side)) == 1, "a late list ends no position"
        await table.wait(30)
        assert len(table.stops(side)) == table.layers
        assert table.status(side).protection == "held"
        assert await table.facts("alarmed") == []
        _assert_exact(table)

    sit_both(story)


@pytest.mark.parametrize("after_ms", [50, 3_000])
def test_ack_then_rejected(sit_both, side, after_ms):
    async def story(table):
        table.bare_allowed("the exchange takes the stop back")
        table.fault("rejected_later", table.exchange.place_stop, count=1, delay_ms=after_ms)
        table.open(side)
        await table.wait(2 + after_ms / 1_000)
        stop = table.working(side)
        assert table.gain_of(side, stop.price) == Decimal("-2.00")
        assert table.status(side).protection == "held"
        table.fault("rejected_later", table.exchange.place_stop, count=1, delay_ms=after_ms)
        table.price(table.up(side, "2"))
        await table.wait(5 + after_ms / 1_000)
        assert table.working(side).price == table.behind(side, table.up(side, "2"), "0.5")
        await table.wait(6)
        assert len(table.stops(side)) == table.layers
        assert table.clocks().duplicates == 0

    sit_both(story)


def test_ack_then_rejected_without_a_word(sit_both, side):
    async def story(table):
        table.bare_allowed("the exchange drops the stop that it has taken")
        await _trailing(table, side)
        table.fault("dropped", table.exchange.place_stop, count=1, delay_ms=200)
        table.price(table.up(side, "4"))
        await table.wait(8)
        assert table.working(side).price == table.behind(side, table.up(side, "4"), "0.5")
        assert len(table.stops(side)) == table.layers
        assert table.clocks().duplicates == 0

    sit_both(story)


@pytest.mark.usefixtures("two_layers")
@pytest.mark.parametrize("kind", ["lost_request", "lost_answer"])
def test_cancel_ack_lost(sit_both, side, kind):
    async def story(table):
        await _trailing(table, side)
        table.fault(kind, table.exchange.cancel_stop, share=0.5)
        for step in range(6):
            table.price(table.up(side, str(4 + 2 * step)))
            await table.wait(5)
        table.paper.faults.clear()
        await table.wait(10)
        assert table.working(side).price == table.behind(side, table.up(side, "14"), "0.5")
        assert len(table.stops(side)) == table.layers
        _assert_exact(table)

    sit_both(story)


def test_double_filled_event(sit_both, side):
    async def story(table):
        table.fault("duplicated", stream="private")
        await _trailing(table, side)
        table.open(side, "0.05")
        await table.wait(3)
        assert table.status(side).quantity == Decimal("0.15") == abs(table.amount(side))
        cut_ms = table.now_ms + 1_500
        table.fault("cut", stream="private", from_ms=table.now_ms, until_ms=cut_ms)
        await table.wait(6)
        table.reduce(side, "0.04")
        await table.wait(3)
        assert table.status(side).quantity == Decimal("0.11")
        assert table.working(side).quantity == Decimal("0.11")
        table.price(table.behind(side, table.working(side).price, "0.1"))
        await table.wait(8)
        assert table.amount(side) == 0, "once, and not to the other side"
        (epoch,) = await table.epochs(side)
        assert epoch.cause is Cause.TRAIL
        assert table.stops(side) == []
        _assert_exact(table)

    sit_both(story)


def test_venue_silently_cancels(sit_both, side):
    async def story(table):
        table.bare_allowed("the exchange drops a stop without a word")
        await _trailing(table, side)
        await table.wait(5)
        for number in range(table.layers):
            gone = table.stops(side)[number]
            table.fault("silence", stream="private", until_ms=table.now_ms + 20_000)
            table.remove(gone)
            await table.wait(7)
            prices = [stop.price for stop in table.stops(side)]
            assert gone.price in prices
            assert len(prices) == table.layers
            await table.wait(14)
        assert table.clocks().duplicates == 0

    sit_both(story)
