"""Reads that fail and streams that break cost latency, never protection."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trailstop.domain.position import Cause


@pytest.mark.parametrize("read", ["read_positions", "read_stops"])
@pytest.mark.parametrize("kind", ["unavailable", "lost_answer", "too_many_requests", "internal"])
def test_a_failed_read_is_not_a_flat_account(sit, side, read, kind):
    async def story(table):
        table.open(side)
        await table.wait(2)
        before = table.stops(side)
        until_ms = table.now_ms + 70_000
        table.fault(kind, getattr(table.exchange, read), until_ms=until_ms)
        await table.wait(65)
        assert table.guarded(side)
        assert table.stops(side) == before
        await table.wait(15)
        (epoch,) = await table.epochs(side)
        assert epoch.cause is None
        table.assert_never_bare()

    sit(story)


def test_an_end_whose_executions_cannot_be_read_has_an_unknown_cause(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.fault("unavailable", table.exchange.read_executions)
        table.close(side)
        await table.wait(60)
        assert table.stops(side) == []
        (epoch,) = await table.epochs(side)
        assert epoch.cause is Cause.UNKNOWN

    sit(story)


@pytest.mark.parametrize("kind", ["cut", "silence"])
def test_without_the_account_stream_passes_keep_a_position_covered(sit_both, side, kind):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.price(table.up(side, "2"))
        await table.wait(3)
        stop = table.working(side)
        table.fault(kind, stream="private", from_ms=table.now_ms, until_ms=table.now_ms + 60_000)
        table.open(side)
        await table.wait(7)
        assert table.working(side).quantity == Decimal("0.2")
        assert table.working(side).price == stop.price
        table.price(table.up(side, "5"))
        await table.wait(3)
        assert table.working(side).price == table.behind(side, table.up(side, "5"), "0.5")
        table.close(side)
        await table.wait(8)
        assert table.stops(side) == []
        assert not table.guarded(side)
        assert table.clocks().unprotected_ms == 0

    sit_both(story)


def test_a_position_opened_during_a_cut_is_protected_after_it(sit, side):
    async def story(table):
        table.fault("cut", stream="private", from_ms=table.now_ms, until_ms=table.now_ms + 3_000)
        await table.wait(1)
        table.open(side)
        await table.until(lambda: table.ours(side), 8)
        assert table.gain_of(side, table.working(side).price) == Decimal("-2.00")

    sit(story)


def test_a_position_opened_while_the_account_stream_stays_down_is_found_by_a_pass(sit, side):
    async def story(table):
        table.fault("cut", stream="private", from_ms=table.now_ms, until_ms=table.now_ms + 120_000)
        await table.wait(8)
        table.open(side)
        await table.until(lambda: table.ours(side), 8)
        assert table.gain_of(side, table.working(side).price) == Decimal("-2.00")

    sit(story)


@pytest.mark.parametrize("guarded_before", [False, True])
def test_a_position_of_which_no_stream_tells_is_found_by_the_next_pass(sit, side, guarded_before):
    async def story(table):
        if guarded_before:
            table.open(side)
            await table.wait(3)
        table.fault("silence", stream="private", from_ms=table.now_ms)
        other = table.exchange.other_symbol
        table.open(side, symbol=other)
        await table.until(lambda: table.ours(side, other), 7)

    sit(story)


def test_executions_that_cannot_be_read_after_a_cut_keep_no_pass_from_protecting(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.fault("unavailable", table.exchange.read_executions)
        table.fault("cut", stream="private", from_ms=table.now_ms, until_ms=table.now_ms + 2_000)
        await table.wait(20)
        table.remove(table.working(side))
        await table.wait(7)
        assert table.working(side).quantity == Decimal("0.1")

    sit(story)


def test_without_the_price_streams_the_live_stop_does_its_work(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.price(table.up(side, "2"))
        await table.wait(3)
        for stream in ("public", "market"):
            table.fault("silence", stream=stream, from_ms=table.now_ms)
        table.price(table.up(side, "1.4"))
        await table.wait(5)
        assert table.amount(side) == 0
        (epoch,) = await table.epochs(side)
        assert epoch.cause is Cause.TRAIL
        table.assert_never_bare()

    sit(story)


@pytest.mark.parametrize("kind", ["overloaded", "lost_request", "internal"])
def test_one_legs_failure_never_stops_another(sit_both, side, kind):
    async def story(table):
        other = table.exchange.other_symbol
        table.fault(kind, table.exchange.place_stop, symbol=other)
        table.open(side, symbol=other)
        await table.wait(0.5)
        table.open(side)
        await table.wait(2)
        assert table.gain_of(side, table.working(side).price) == Decimal("-2.00")
        table.price(table.up(side, "2"))
        await table.wait(3)
        assert table.working(side).price == table.behind(side, table.up(side, "2"), "0.5")
        assert table.ours(side, other) == []
        assert table.status(side, other).protection != "held"
        table.paper.faults.clear()
        await table.wait(15)
        assert len(table.ours(side, other)) == 1

    sit_both(story)


def test_a_long_and_a_short_live_side_by_side(sit):
    async def story(table):
        table.open("long")
        table.open("short")
        await table.wait(2)
        table.price(table.up("long", "2.5"))
        await table.wait(4)
        assert table.amount("short") == 0
        assert table.working("long").price == table.behind("long", table.up("long", "2.5"), "0.5")
        table.assert_never_bare()

    sit(story)
