"""Moving a stop without ever being without it."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from decimal import Decimal

import pytest

from trailstop.paper.model import TRAILING_TYPE, ConditionalRequest

pytestmark = pytest.mark.usefixtures("one_way")

HOUR_S = 3_600
QUOTE_S = 8
STEPS = 100
LATENCY_MS = 50
FAST = "update_interval_seconds = 1\nmin_improvement_percent = 0.01"


async def _trailing(table, side, gain="2"):
    table.open(side)
    await table.wait(2)
    table.price(table.up(side, gain))
    await table.wait(3)
    return table.working(side)


def test_replace_gap_is_none_whatever_becomes_of_the_next_create(sit_both, side):
    async def story(table):
        await _trailing(table, side)
        for kind, gain in (("unavailable", "4"), ("internal", "6"), ("overloaded", "8")):
            table.fault(kind, table.exchange.place_stop, count=1)
            table.price(table.up(side, gain))
            await table.wait(5)
            assert table.working(side).price == table.behind(side, table.up(side, gain), "0.5")
        # The next one is not answered for half a minute.
        table.fault("lost_request", table.exchange.place_stop, count=1, cut=False)
        table.price(table.up(side, "10"))
        await table.wait(35)
        assert table.working(side).price == table.behind(side, table.up(side, "10"), "0.5")
        clocks = table.clocks()
        assert (clocks.unprotected_ms, clocks.loosened, clocks.duplicates) == (0, 0, 0)

    sit_both(story)


def test_replace_gap_is_none_where_the_price_has_met_the_new_stop_meanwhile(sit_both, side):
    async def story(table):
        old = await _trailing(table, side)
        table.fault("delay", table.exchange.place_stop, count=1, delay_ms=800)
        table.price(table.up(side, "4"))
        await table.wait(0.3)
        # Beyond the stop that is on its way, not as far as the one that rests.
        table.price(table.up(side, "3"))
        await table.wait(5)
        assert abs(table.amount(side)) == Decimal("0.1")
        assert table.working(side).price == old.price
        clocks = table.clocks()
        assert (clocks.unprotected_ms, clocks.loosened, clocks.duplicates) == (0, 0, 0)

    sit_both(story, policy='on_cross = "hold"')


@pytest.mark.usefixtures("two_layers")
def test_replace_gap_of_a_form_that_forbids_two_is_alarmed_above_half_a_second(sit, side):
    async def story(table):
        await _trailing(table, side)
        table.price(table.up(side, "4"))
        await table.wait(3)
        assert await table.facts("alarmed") == [], "two latencies are no alarm"
        table.fault("delay", table.exchange.place_stop, count=1, delay_ms=700)
        table.price(table.up(side, "6"))
        await table.wait(5)
        (alarm,) = await table.facts("alarmed")
        assert "backstop alone" in alarm.text
        assert table.clocks().unprotected_ms == 0

    sit(story, overlap=False)


@pytest.mark.usefixtures("two_layers")
@pytest.mark.parametrize("told_after_s", [0, 5])
def test_cancel_races_trigger(sit_both, side, told_after_s):
    async def story(table):
        old = await _trailing(table, side)
        table.fault("delay", table.exchange.cancel_stop, count=1, delay_ms=1_500)
        table.price(table.up(side, "4"))
        await table.wait(0.5)
        if told_after_s:
            until_ms = table.now_ms + told_after_s * 1_000
            table.fault("silence", stream="private", until_ms=until_ms)
        # The old stop fires while its cancel is on the way.
        sent = len(table.sent(side))
        table.price(table.behind(side, old.price, "0.1"))
        await table.wait(0.1)
        assert table.amount(side) == 0
        await table.wait(12)
        assert len(table.sent(side)) == sent, "no new stop on a flat leg"
        assert table.stops(side) == []
        assert not table.guarded(side)
        assert table.clocks().unprotected_ms == 0

    sit_both(story)


@pytest.mark.usefixtures("two_layers")
def test_cancel_fails_create_succeeds(sit, side):
    async def story(table):
        await _trailing(table, side)
        until_ms = table.now_ms + 60_000
        table.fault("internal", table.exchange.cancel_stop, until_ms=until_ms)
        # What cannot be cancelled cannot be gone within two seconds.
        table.world.set_attended(False)
        for step in range(10):
            table.price(table.up(side, str(4 + 2 * step)))
            await table.wait(6)
            assert len(table.ours(side)) <= 2, "a third one never rests"
        table.world.set_attended(True)
        await table.wait(10)
        assert table.working(side).price == table.behind(side, table.up(side, "22"), "0.5")
        table.assert_never_bare()

    sit(story)


@pytest.mark.usefixtures("two_layers")
def test_closeposition_slot_taken(sit_both, overlap):
    side = "long" if overlap else "short"

    async def story(table):
        table.open(side)
        theirs = table.place_by_hand(side, table.up(side, "-6"), None)
        await table.start()
        await table.wait(3)
        before = table.clocks().loosened_ms
        first, most = table.status(side).moves, 0
        for step in range(STEPS):
            table.price(table.up(side, 2 + Decimal(step) / 5))
            await table.wait(1.5)
            most = max(most, len(table.ours(side)))
        moves = table.status(side).moves - first
        assert moves >= STEPS * 0.9
        assert [stop.number for stop in table.backstops(side)] == [theirs.algo_id]
        clocks = table.clocks()
        assert (clocks.unprotected_ms, clocks.loosened, clocks.duplicates) == (0, 0, 0)
        gap_ms = (clocks.loosened_ms - before) / moves
        assert gap_ms <= (2.1 * LATENCY_MS if table.one_stop_only else 0)
        longest = [row for row in table.world.oracle.incidents if row.kind == "loosened"]
        assert all(row.to_us - row.from_us < 500_000 for row in longest)

    sit_both(
        story,
        guard_first=False,
        latency_ms=LATENCY_MS,
        latency_spread=0.0,
        policy=f'existing_stop = "tighten"\n{FAST}',
    )


def test_same_price_churn(sit, exchange):
    # An hour on each exchange, and each side once.
    side = "short" if exchange.one_layer else "long"

    async def story(table):
        stop = await _trailing(table, side)
        # A program has an exit of its own on the leg.
        request = ConditionalRequest(
            symbol=table.exchange.symbol,
            side="SELL" if side == "long" else "BUY",
            type="TAKE_PROFIT_MARKET",
            position_side=table.position_side(side),
            quantity=Decimal("0.1"),
            trigger_price=table.up(side, "8"),
            reduce_only=True,
            client_id="bot-exit",
        )
        table.world.place_conditional(table.key(side), request)
        calls = [table.exchange.place_stop, table.exchange.cancel_stop]
        before = [table.served(call) for call in calls if call]
        table.printing = False
        for _ in range(HOUR_S // QUOTE_S):
            table.price(table.up(side, "2"))
            await table.wait(QUOTE_S)
        assert [table.served(call) for call in calls if call] == before
        assert table.working(side) == stop
        table.assert_never_bare()

    sit(story)


@pytest.mark.usefixtures("one_layer")
def test_amend_not_modified(sit, side):
    async def story(table):
        await _trailing(table, side)
        served = table.served(table.exchange.place_stop)
        table.fault("lost_answer", table.exchange.place_stop, count=1)
        table.price(table.up(side, "4"))
        await table.wait(8)
        wanted = table.behind(side, table.up(side, "4"), "0.5")
        assert table.working(side).price == wanted
        assert [stop.price for stop in table.sent(side)].count(wanted) == 1
        assert table.served(table.exchange.place_stop) - served == 2, "set again, and no more"
        assert table.status(side).protection == "held"
        assert await table.facts("alarmed") == []
        table.assert_never_bare()

    sit(story)


@pytest.mark.parametrize("whole", [True, False], ids=["all-of-it", "a-rest-stays"])
def test_amend_too_late(sit_both, side, whole):
    async def story(table):
        old = await _trailing(table, side)
        if not whole:
            table.bare_allowed("the exchange refuses what our stop became")
            table.fault("reject_at_trigger", count=1)
        for call in (table.exchange.place_stop, table.exchange.cancel_stop):
            if call is not None:
                table.fault("delay", call, count=1, delay_ms=700)
        table.price(table.up(side, "4"))
        await table.wait(0.3)
        sent = len(table.sent(side))
        table.price(table.behind(side, old.price, "0.1"))
        await table.wait(4)
        assert table.amount(side) == 0, "what the stop left was closed"
        await table.wait(8)
        assert len(table.sent(side)) - sent <= 1, "nothing but what was on its way"
        assert table.stops(side) == []
        assert not table.guarded(side)

    sit_both(story)


async def _crash(table):
    """End the guard in the middle of whatever it does."""
    name = "Daemon.run"
    tasks = asyncio.all_tasks()
    (task,) = (one for one in tasks if getattr(one.get_coro(), "__qualname__", "") == name)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    with contextlib.suppress(asyncio.CancelledError):
        await table.stop()
    await table.store.close()


def test_stale_stop_id(sit_both, side):
    async def story(table):
        table.bare_allowed("the guard is down between the two halves of a move")
        await _trailing(table, side)
        table.fault("delay", table.exchange.place_stop, count=1, delay_ms=300)
        table.price(table.up(side, "4"))
        await table.wait(0.2)
        # The request has left, the answer has not come: its id is not recorded.
        await _crash(table)
        await table.wait(5)
        await table.start()
        await table.wait(10)
        assert table.working(side).price == table.behind(side, table.up(side, "4"), "0.5")
        assert len(table.stops(side)) == table.layers
        table.price(table.up(side, "6"))
        await table.wait(5)
        assert table.working(side).price == table.behind(side, table.up(side, "6"), "0.5")
        assert len(table.stops(side)) == table.layers
        assert table.clocks().unprotected_ms == 0

    sit_both(story)


def test_stale_stop_id_of_a_lost_record_is_found_again_by_its_prefix(sit_both, side):
    async def story(table):
        await _trailing(table, side)
        await table.stop()
        kept = table.folder / "yesterday"
        shutil.copytree(table.config.data_dir, kept)
        await table.start()
        for gain in ("4", "6"):
            table.price(table.up(side, gain))
            await table.wait(3)
        stop = table.working(side)
        await table.stop()
        # The ids that are recorded now were replaced long ago.
        shutil.rmtree(table.config.data_dir)
        shutil.copytree(kept, table.config.data_dir)
        await table.start()
        await table.wait(10)
        assert table.working(side) == stop
        table.price(table.up(side, "9"))
        await table.wait(5)
        assert table.working(side).price == table.behind(side, table.up(side, "9"), "0.5")
        assert len(table.stops(side)) == table.layers
        assert table.clocks().unprotected_ms == 0

    sit_both(story)


def test_native_trail_handover_never_happens(sit, side):
    async def story(table):
        await _trailing(table, side)
        for gain in ("3", "6", "12"):
            table.price(table.up(side, gain))
            await table.wait(3)
        await table.control("tighten", side, table.up(side, "11.9"))
        table.price(table.up(side, "11"))
        await table.wait(5)
        assert table.amount(side) == 0
        rows = table.world.all_conditionals(table.key(side), table.exchange.symbol)
        assert len(rows) >= (1 if table.exchange.one_layer else 5)
        assert {row.type for row in rows} == {"STOP_MARKET"}
        assert TRAILING_TYPE not in {row.type for row in rows}
        assert all(row.distance is None for row in rows)
        table.assert_never_bare()

    sit(story)
