"""The guard ends and starts again: what was decided stays, what was missed is made up for."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from decimal import Decimal

import pytest

from trailstop.domain.position import Cause, Phase


async def _trailing(table, side):
    table.open(side)
    await table.wait(2)
    table.price(table.up(side, "2"))
    await table.wait(3)


def test_a_guard_that_is_told_to_stop_while_it_starts_ends(sit, side):
    async def story(table):
        # With a second each way the first reads are still under way.
        table.open(side)
        await table.wait(2)
        async with asyncio.timeout(60):
            await table.stop()

    sit(story, latency_ms=1_000, latency_spread=0.0)


def test_a_restart_changes_nothing_on_the_exchange(sit_both, side):
    async def story(table):
        await _trailing(table, side)
        stops, before = table.stops(side), table.status(side)
        await table.stop()
        await table.wait(20)
        await table.start()
        await table.wait(10)
        after = table.status(side)
        assert table.stops(side) == stops
        assert (after.epoch, after.phase, after.peak, after.live_stop, after.moves) == (
            before.epoch, before.phase, before.peak, before.live_stop, before.moves,
        )  # fmt: skip
        assert len(await table.facts("adopted")) == 1
        table.assert_never_bare()

    sit_both(story)


@pytest.mark.parametrize("away_s", [20, 150])
def test_a_high_that_was_missed_raises_the_peak(sit_both, side, away_s):
    async def story(table):
        await _trailing(table, side)
        await table.stop()
        high = table.up(side, "3.2")
        table.price(high)
        await table.wait(2)
        table.price(table.up(side, "2.9"))
        await table.wait(away_s)
        await table.start()
        await table.wait(70)
        assert table.status(side).peak == high
        assert table.working(side).price == table.behind(side, high, "0.5")
        table.assert_never_bare()

    sit_both(story)


def test_where_trades_are_listed_no_more_the_candles_of_their_minutes_serve(sit, side):
    async def story(table):
        await _trailing(table, side)
        await table.wait(125)
        await table.stop()
        high = table.up(side, "3.5")
        table.price(high)
        await table.wait(2)
        table.price(table.up(side, "3.3"))
        table.fault("unavailable", table.exchange.read_trades)
        await table.start()
        await table.wait(90)
        assert table.status(side).peak == high
        table.assert_never_bare()

    sit(story)


@pytest.mark.parametrize("away_s", [20, 150])
def test_a_cross_that_was_missed_never_closes_by_itself(sit, side, away_s):
    async def story(table):
        await _trailing(table, side)
        held = table.up(side, "2.4")
        table.price(held)
        await table.wait(2)
        assert table.status(side).exact_stop == table.behind(side, held, "0.5")
        await table.stop()
        # Beyond the exact stop, which pacing holds back, but not as far as the live one.
        table.price(table.up(side, "1.7"))
        await table.wait(5)
        table.price(held)
        await table.wait(away_s)
        await table.start()
        await table.wait(5)
        assert abs(table.amount(side)) == Decimal("0.1")
        assert table.status(side).phase is Phase.ACTIVE
        table.assert_never_bare()

    sit(story)


def test_a_cross_that_still_stands_after_the_gap_is_decided_on_the_live_price(sit, side):
    async def story(table):
        await _trailing(table, side)
        prices = [table.up(side, gain) for gain in ("2.4", "1.7")]
        table.price(prices[0])
        await table.wait(2)
        await table.stop()
        table.price(prices[1])
        await table.wait(30)
        await table.start()
        await table.wait(5)
        assert table.amount(side) == 0
        assert table.stops(side) == []

    sit(story)


@pytest.mark.parametrize("call", ["place_stop", "close"])
def test_an_intent_is_on_disk_before_its_request_arrives(sit, side, call, tmp_path):
    _assert_intent_first(sit, side, call, tmp_path)


@pytest.mark.usefixtures("two_layers")
def test_the_intent_of_a_cancel_is_on_disk_before_its_request_arrives(sit, side, tmp_path):
    _assert_intent_first(sit, side, "cancel_stop", tmp_path)


def _assert_intent_first(sit, side, call, folder):
    async def story(table):
        await _trailing(table, side)
        table.hold(getattr(table.exchange, call), "effect")
        if call == "close":
            await table.control("close", side)
        else:
            table.price(table.up(side, "4"))
        (arrival,) = await table.paper.holds.arrivals(0)
        # Time stands still: what a kill at this moment would leave behind.
        copy = folder / "copy"
        shutil.copytree(table.config.data_dir, copy)
        with sqlite3.connect(copy / table.config.database.name) as found:
            rows = found.execute("SELECT payload FROM journal WHERE kind = 'intended'").fetchall()
        # A stop that is moved in place has no name of its own: its price names it.
        moved_to = table.behind(side, table.up(side, "4"), "0.5")
        name = arrival.request.client_id or f'"{moved_to}"'
        assert any(name in str(row[0]) for row in rows)

    sit(story)


def test_a_leg_that_the_settings_leave_out_now_is_released_and_keeps_its_stop(sit_both, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        before = table.stops(side)
        await table.stop()
        table.leave_out(table.exchange.symbol)
        await table.start()
        await table.wait(70)
        assert table.stops(side) == before
        assert not table.guarded(side)
        assert table.account_status(side).not_guarded == (str(table.leg(side)),)
        (epoch,) = await table.epochs(side)
        assert epoch.cause is Cause.RELEASED
        table.price(table.up(side, "4"))
        await table.wait(5)
        assert table.stops(side) == before

    sit_both(story)


@pytest.mark.usefixtures("two_layers")
def test_a_position_opened_while_we_were_away_does_not_wait_for_the_look_ups_of_others(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.fault("lost_answer", table.exchange.place_stop)
        table.price(table.up(side, "2"))
        await table.wait(0.2)
        await table.stop()
        table.paper.faults.clear()
        table.open(side, symbol=table.exchange.other_symbol)
        table.fault("delay", table.exchange.look_up_stop, delay_ms=4_000)
        await table.start()
        await table.wait(0.5)
        assert table.ours(side, table.exchange.other_symbol)

    sit(story)


@pytest.mark.usefixtures("one_layer")
def test_where_executions_cannot_be_read_the_time_of_opening_tells_another_position(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        entry = table.entry(side)
        await table.stop()
        table.close(side)
        table.open(side)
        assert table.entry(side) == entry, "the price alone tells nothing"
        table.fault("unavailable", table.exchange.read_executions)
        await table.start()
        await table.wait(60)
        first, second = await table.epochs(side)
        assert (first.cause, second.cause) == (Cause.UNKNOWN, None)
        assert table.status(side).protection == "held"

    sit(story)
