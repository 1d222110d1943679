"""Requests, their limits, and clocks: what an exchange refuses, and what time does."""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from itertools import pairwise

import pytest

from tests.acceptance import table as tables
from tests.paper.server.support import SECOND_US

pytestmark = pytest.mark.usefixtures("one_way")

MS = 1_000
MINUTE_S = 60.0


def requests(table):
    """How many requests the exchange has had, of any kind."""
    return sum(_rest(table).served.values())


def _served(table, ending):
    """How many requests to paths that end so."""
    return sum(count for call, count in _rest(table).served.items() if call.endswith(ending))


def _rest(table):
    return getattr(table.paper, table.exchange.name).rest


async def told(table, account, words):
    """Alarms and notes of an account that say this, oldest first."""
    rows = await table.facts("alarmed", "noted")
    return [row.text for row in rows if row.leg.account == account and words in row.text]


def health(table, account):
    """How the exchange fares for an account, as `status` tells it."""
    rows = table.daemon.facade.status().accounts
    return next(row.exchange for row in rows if row.name == account)


async def trailing(table, side, gain="2"):
    """A position with a stop that has moved once."""
    table.open(side)
    await table.wait(2)
    table.price(table.up(side, gain))
    await table.wait(3)
    return table.working(side)


FAST = "update_interval_seconds = 1\nmin_improvement_percent = 0.01"


# --- clocks -----------------------------------------------------------------------------------
@pytest.mark.parametrize("skew_s", [30, -30])
def test_clock_skew_of_half_a_minute_is_cured_before_a_stop_is_late(sit, side, skew_s):
    async def story(table):
        await trailing(table, side)
        table.fault("clock_skew", from_ms=table.now_ms, delay_ms=skew_s * MS)
        table.price(table.up(side, "4"))
        # Refused at once where our requests are too old. Where the exchange's clock fell back the
        # next pass has it read, and its prices are late until they are newer than the last one.
        await table.wait(2.5 if skew_s > 0 else 32)
        assert table.working(side).price == table.behind(side, table.up(side, "4"), "0.5")
        found = health(table, side)
        assert found.clock_corrections >= 1
        assert abs(found.clock_offset_ms - skew_s * MS) < 1_000
        before = found.clock_corrections
        await table.wait(60)
        assert health(table, side).clock_corrections == before, "cured once and for all"
        table.assert_never_bare()

    sit(story, policy=FAST)


@pytest.mark.parametrize("skew_s", [30, -30])
def test_clock_skew_at_the_start_is_no_news(sit, side, skew_s):
    async def story(table):
        table.fault("clock_skew", delay_ms=skew_s * MS)
        await table.start()
        await trailing(table, side)
        assert health(table, side).clock_corrections == 0
        table.assert_never_bare()

    sit(story, guard_first=False)


def test_clock_skew_is_cured_for_the_engines_own_refusal_and_for_reads(sit, side):
    async def story(table):
        await trailing(table, side)
        if not table.exchange.one_layer:
            table.fault("clock_refused", table.exchange.place_stop, count=1, status=5028)
        else:
            table.fault("clock_refused", table.exchange.place_stop, count=1)
        before = len(table.sent(side))
        table.price(table.up(side, "4"))
        await table.wait(2)
        assert table.working(side).price == table.behind(side, table.up(side, "4"), "0.5")
        assert len(table.sent(side)) == before + 1, "repeated with the same id, and taken once"
        table.fault("clock_refused", table.exchange.read_positions, count=1, account=side)
        await table.wait(8)
        assert health(table, side).clock_corrections == 2
        table.assert_never_bare()

    sit(story, policy=FAST)


def test_clock_skew_that_no_reading_cures_is_told_and_makes_no_storm(sit, side):
    async def story(table):
        stop = await trailing(table, side)
        table.fault("clock_refused", until_ms=table.now_ms + 240 * MS)
        before = requests(table)
        table.price(table.up(side, "4"))
        await table.wait(240)
        assert (requests(table) - before) / 240 < 6
        assert table.working(side).price == stop.price
        assert len(await told(table, side, "no request to")) == 1
        await table.wait(15)
        assert len(await told(table, side, "answers again")) == 1
        assert table.working(side).price == table.behind(side, table.up(side, "4"), "0.5")
        table.assert_never_bare()

    sit(story)


def test_clock_skew_by_a_way_of_six_seconds_ends_in_an_alarm_and_no_storm(sit, side):
    async def story(table):
        stop = await trailing(table, side)
        table.fault("delay", delay_ms=6_000, until_ms=table.now_ms + 240 * MS)
        before = requests(table)
        table.price(table.up(side, "4"))
        await table.wait(240)
        assert (requests(table) - before) / 240 < 3
        better = table.behind(side, table.up(side, "4"), "0.5")
        assert table.working(side).price in (stop.price, better)
        assert len(await told(table, side, "no request to")) == 1
        await table.wait(30)
        assert table.working(side).price == better
        assert len(table.ours(side)) == 1
        assert len(await told(table, side, "answers again")) == 1
        table.assert_never_bare()

    sit(story)


class OwnClock(tables.WrongClock):
    """The guard's own clock, which the test may set while it runs."""

    wall_off_ms = 0
    steady_off_ms = 0

    def wall_ms(self):
        return super().wall_ms() + OwnClock.wall_off_ms

    def monotonic_ms(self):
        return super().monotonic_ms() + OwnClock.steady_off_ms


@pytest.fixture
def own_clock(monkeypatch):
    monkeypatch.setattr(tables, "WrongClock", OwnClock)
    monkeypatch.setattr(OwnClock, "wall_off_ms", 0)
    monkeypatch.setattr(OwnClock, "steady_off_ms", 0)
    return OwnClock


@pytest.mark.parametrize("jump_s", [-3_600, 86_400])
def test_clock_jump_of_the_wall_changes_no_decision_and_forces_a_resync(
    sit, side, own_clock, jump_s, tmp_path
):
    async def story(table, jump):
        await trailing(table, side)
        reads = _served(table, "time")
        own_clock.wall_off_ms = jump * MS
        await table.wait(1.6)
        if jump:
            assert _served(table, "time") >= reads + 3, "the exchange's clock is read at once"
            assert abs(health(table, side).clock_offset_ms + jump * MS) < 1_000
        for gain in ("2.05", "2.3", "2.6", "3"):
            table.price(table.up(side, gain))
            await table.wait(21)
        table.assert_never_bare()
        moved = [stop.price for stop in table.sent(side)]
        return moved, [stop.created_ms // MS for stop in table.sent(side)]

    jumped = sit(lambda table: story(table, jump_s))
    # The twin begins anew, with a clock that is right.
    own_clock.wall_off_ms = 0
    shutil.rmtree(tmp_path / "data")
    assert sit(lambda table: story(table, 0)) == jumped


def test_clock_jump_of_forty_minutes_asleep_is_noticed_and_all_begins_anew(sit, side, own_clock):
    async def story(table):
        await trailing(table, side)
        # Awake again: the exchange and the wall went on, our monotonic clock did not.
        table.fault("clock_skew", from_ms=table.now_ms, delay_ms=2_400 * MS)
        own_clock.wall_off_ms = 2_400 * MS
        await table.wait(3)
        assert abs(health(table, side).clock_offset_ms) < 1_000
        table.price(table.up(side, "4"))
        await table.wait(3)
        assert table.working(side).price == table.behind(side, table.up(side, "4"), "0.5")
        table.assert_never_bare()

    sit(story, policy=FAST)


def test_clock_jump_of_a_process_that_stood_still_is_noticed(sit, side, own_clock):
    async def story(table):
        await trailing(table, side)
        table.fault("clock_skew", from_ms=table.now_ms, delay_ms=2_400 * MS)
        own_clock.wall_off_ms = own_clock.steady_off_ms = 2_400 * MS
        sockets = table.daemon.facade.status()
        await table.wait(3)
        assert sockets is not None
        # A stop that went meanwhile, untold, is put back by the read that follows.
        table.fault("silence", stream="private", from_ms=table.now_ms)
        table.bare_allowed("the test removes our stop")
        table.remove(table.working(side))
        await table.wait(7)
        assert len(table.ours(side)) == 1
        assert await told(table, side, "no request to") == [], "standing still is no outage"

    sit(story, policy=FAST)


# 2026-03-29 and 2026-10-25, 01:00 UTC: Berlin goes from one hour to the other.
@pytest.mark.parametrize("change_s", [1_774_746_000, 1_792_890_000])
def test_dst_naive_time_is_used_nowhere(sit, side, monkeypatch, change_s):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    begin_s = change_s - 40
    monkeypatch.setattr(tables, "START_US", begin_s * SECOND_US)

    async def story(table):
        await trailing(table, side)
        first = table.working(side)
        assert first.created_ms < change_s * MS
        table.price(table.up(side, "2.3"))
        await table.wait(70)
        second = table.working(side)
        assert second.created_ms > change_s * MS
        assert 60 * MS <= second.created_ms - first.created_ms < 62 * MS
        facts = await table.facts("moved", "phase", "adopted")
        times = [fact.at_ms for fact in facts]
        assert all(before <= after for before, after in pairwise(times))
        assert all(begin_s * MS <= at_ms <= table.now_ms for at_ms in times)
        table.assert_never_bare()

    try:
        sit(story)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert os.environ.get("TZ") != "Europe/Berlin"


# --- limits -----------------------------------------------------------------------------------
def _by_path(table):
    return Counter(_rest(table).served)


def test_bybit_10006_403_an_accounts_limit_of_one_endpoint_shuts_that_alone(sit, side, one_layer):
    async def story(table):
        stop = await trailing(table, side)
        table.fault("rate_limited", table.exchange.place_stop, count=1, retry_after_s=9)
        table.price(table.up(side, "4"))
        await table.wait(0.5)
        asked = _by_path(table)
        await table.wait(8)
        since = _by_path(table) - asked
        assert since["POST /v5/position/trading-stop"] == 0, "not before the time it names"
        assert since["GET /v5/position/list"] > 0, "everything else goes on"
        assert table.working(side).price == stop.price
        await table.wait(3)
        assert table.working(side).price == table.behind(side, table.up(side, "4"), "0.5")
        table.assert_never_bare()

    sit(story, policy=FAST)


def test_bybit_10006_403_an_address_that_is_shut_sends_nothing_for_ten_minutes(
    sit, side, one_layer
):
    async def story(table):
        stop = await trailing(table, side)
        table.fault("forbidden", count=1, retry_after_s=600)
        await table.wait(7)
        asked = requests(table)
        shut_ms = table.now_ms
        for gain in ("4", "5", "6"):
            table.price(table.up(side, gain))
            await table.wait(180)
            assert requests(table) == asked, "neither a read nor a write"
            # Streams go on: the price is known, and so is what to do when the door opens.
            assert abs(table.status(side).price - table.up(side, gain)) < 1
        found = health(table, side)
        assert found.shut_until_ms is not None
        assert found.shut_until_ms - shut_ms <= 600 * MS
        assert table.working(side).price == stop.price
        assert len(await told(table, side, "no request to")) == 1
        await table.until(lambda: table.working(side).price != stop.price, 90)
        assert table.working(side).price == table.behind(side, table.up(side, "6"), "0.5")
        assert table.account_status(side).connected
        table.assert_never_bare()

    sit(story, policy=FAST)


def test_bybit_10006_403_the_resting_stop_does_its_work_meanwhile(sit, side, one_layer):
    async def story(table):
        await trailing(table, side)
        table.fault("forbidden", count=1, retry_after_s=600)
        await table.wait(7)
        table.price(table.up(side, "1"))
        await table.wait(3)
        assert table.amount(side) == 0

    sit(story)


def test_shared_rate_budget_leaves_protection_its_reserve(sit, side):
    """Somebody else behind the address uses nearly all of it."""

    async def story(table):
        await table.wait(50)
        full = 2_400 if not table.exchange.one_layer else 600
        table.fault("foreign_use", from_ms=table.now_ms, weight=full * 95 // 100)
        await table.wait(20)
        before = requests(table)
        table.open(side)
        await table.wait(2)
        assert table.working(side), "the reserve is for this"
        table.price(table.up(side, "2"))
        await table.wait(20)
        used = health(table, side)
        if not table.exchange.one_layer:
            # Bybit's answers do not tell what others behind the address use.
            assert full * 95 // 100 <= used.weight_used <= full
        assert used.shut_until_ms is None, "no limit was ever met"
        assert (requests(table) - before) / 22 < 3
        table.assert_never_bare()

    sit(story)


def test_shared_rate_budget_of_orders_is_read_from_the_answers(sit, side):
    """Another program on the account places orders too."""

    async def story(table):
        await trailing(table, side)
        most = 300 if not table.exchange.one_layer else 10
        table.fault("foreign_use", from_ms=table.now_ms, orders=most * 75 // 100)
        for gain in ("4", "5", "6"):
            table.price(table.up(side, gain))
            await table.wait(12)
            assert table.working(side).price == table.behind(side, table.up(side, gain), "0.5")
        found = health(table, side)
        assert found.shut_until_ms is None
        assert await told(table, side, "refused") == []
        table.assert_never_bare()

    sit(story, policy=FAST)
