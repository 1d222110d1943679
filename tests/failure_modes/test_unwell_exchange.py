"""An exchange that is down, half gone, or answers in another form than it used to."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from tests.acceptance.exchanges import Call
from tests.failure_modes.test_requests import FAST, health, requests, told, trailing
from tests.venues import bybit_scripted, scripted
from trailstop.paper.binance.limits import LimitSettings
from trailstop.paper.bybit.limits import BybitLimits

MS = 1_000
ONE_WAY = pytest.mark.usefixtures("one_way")


# --- down -------------------------------------------------------------------------------------
@ONE_WAY
@pytest.mark.parametrize("seconds", [5, 90, 600])
def test_maintenance_is_waited_out_and_all_is_read_before_anything_is_done(sit, side, seconds):
    async def story(table):
        await trailing(table, side)
        from_ms, until_ms = table.now_ms, table.now_ms + seconds * MS
        table.out_of_reach(from_ms, until_ms, "nothing is served")
        table.fault("maintenance", from_ms=from_ms, until_ms=until_ms)
        await table.wait(seconds / 2)
        # The exchange loses our stop while it is down.
        table.remove(table.working(side))
        before = requests(table)
        await table.wait(seconds / 2 - 1)
        assert (requests(table) - before) / (seconds / 2) < 6, "two accounts, and no storm"
        if seconds > 60:
            assert health(table, side).breaker_open_since_ms is not None
        placed = table.served(table.exchange.place_stop)
        reads = table.served(table.exchange.read_positions)
        await table.wait(1)
        await table.until(lambda: table.ours(side), 7)
        assert table.served(table.exchange.place_stop) > placed
        assert table.served(table.exchange.read_positions) > reads
        await table.wait(30)
        assert len(table.ours(side)) == 1
        assert health(table, side).breaker_open_since_ms is None
        assert table.account_status(side).connected
        lost = await told(table, side, "no request to")
        assert len(lost) == (1 if seconds > 120 else 0)
        assert len(await told(table, side, "answers again")) == len(lost)

    sit(story, policy=FAST)


@ONE_WAY
def test_maintenance_without_history_afterwards_guards_all_the_same(sit, side):
    async def story(table):
        stop = await trailing(table, side)
        until_ms = table.now_ms + 60 * MS
        table.fault("maintenance", from_ms=table.now_ms, until_ms=until_ms)
        for call in (table.exchange.read_executions, table.exchange.read_trades):
            table.fault("empty", call, from_ms=until_ms)
        await table.wait(75)
        assert table.working(side).price >= stop.price or side == "short"
        assert table.guarded(side)
        table.price(table.up(side, "4"))
        await table.wait(8)
        assert table.working(side).price == table.behind(side, table.up(side, "4"), "0.5")
        table.assert_never_bare()

    sit(story, policy=FAST)


# --- endpoints that are gone ------------------------------------------------------------------
FAMILIES = {"binance": "/fapi/", "bybit": "/v5/"}


@ONE_WAY
@pytest.mark.parametrize("status", [404, 410])
def test_api_version_sunset_is_told_once_and_so_is_its_end(sit, side, status):
    async def story(table):
        stop = await trailing(table, side)
        before = requests(table)
        path = FAMILIES[table.exchange.name]
        table.fault("html", Call("", path), status=status, until_ms=table.now_ms + 400 * MS)
        await table.wait(110)
        assert await told(table, side, "no request to") == []
        await table.wait(25)
        (text,) = await told(table, side, "no request to")
        assert "neither moved nor checked" in text
        assert table.exchange.name in text
        await table.wait(250)
        assert len(await told(table, side, "no request to")) == 1
        assert (requests(table) - before) / 385 < 6
        assert table.working(side).price == stop.price, "what rests does its work"
        await table.wait(50)
        assert len(await told(table, side, "answers again")) == 1
        table.assert_never_bare()

    sit(story)


@ONE_WAY
def test_api_version_sunset_of_one_list_is_told_although_others_answer(sit, side):
    async def story(table):
        await trailing(table, side)
        table.fault("html", table.exchange.read_positions, status=404)
        await table.wait(200)
        (text,) = await told(table, side, "could not be read as a whole")
        assert "404" in text
        assert await told(table, side, "no request to") == []
        table.paper.faults.clear()
        await table.wait(40)
        assert len(await told(table, side, "is read as a whole again")) == 1
        table.assert_never_bare()

    sit(story)


@ONE_WAY
def test_endpoint_migration_in_mid_run_is_told_at_once_and_ends_by_itself(sit, side):
    async def story(table):
        held = await trailing(table, side)
        other = table.exchange.other_symbol
        rest = getattr(table.paper, table.exchange.name).rest
        gone = rest._routes.pop(tuple(table.exchange.place_stop))  # noqa: SLF001
        table.bare_allowed("the exchange takes no stop of a new position")
        from_ms = table.now_ms
        asked = table.served(table.exchange.place_stop)
        table.price(table.up(side, "4"))
        table.open(side, symbol=other)
        await table.wait(60)
        table.out_of_reach(from_ms, table.now_ms, "no stop is taken")
        assert table.working(side).price == held.price, "what rests stays"
        for symbol in (None, other):
            name = symbol or table.exchange.symbol
            alarms = [row for row in await table.facts("alarmed") if row.leg.symbol == name]
            assert any(row.text.count("the stop") for row in alarms), name
        assert table.status(side, other).protection in ("none", "unknown", "placing")
        assert table.amount(side, other) != 0, "nobody asked for a close"
        assert (table.served(table.exchange.place_stop) - asked) / 60 < 2
        rest._routes[tuple(table.exchange.place_stop)] = gone  # noqa: SLF001
        await table.wait(7)
        assert len(table.ours(side, other)) == 1
        assert table.working(side).price == table.behind(side, table.up(side, "4"), "0.5")

    sit(story)


@ONE_WAY
def test_endpoint_migration_never_sends_conditional_orders_to_the_old_service(
    sit, side, two_layers
):
    async def story(table):
        await trailing(table, side)
        table.price(table.up(side, "4"))
        await table.wait(3)
        # Market closes are all that the plain service has ever had from us.
        assert table.served(table.exchange.close) == 0
        assert table.served(table.exchange.place_stop) >= 4

    sit(story, policy=FAST)


# --- other forms ------------------------------------------------------------------------------
BINANCE_FIELDS = (
    "symbol positionSide positionAmt entryPrice markPrice liquidationPrice updateTime leverage "
    "algoId clientAlgoId orderType side quantity algoStatus triggerPrice reduceOnly closePosition"
)
BYBIT_FIELDS = (
    "symbol positionIdx side size avgPrice markPrice liqPrice stopLoss updatedTime orderId "
    "orderStatus stopOrderType triggerPrice nextPageCursor category"
)
FIELDS = {"binance": BINANCE_FIELDS.split(), "bybit": BYBIT_FIELDS.split()}


@pytest.mark.parametrize("value", [None, "", "what?"], ids=["dropped", "empty", "odd"])
def test_schema_drift_of_any_field_of_a_read_takes_no_stop_and_closes_nothing(sit, side, value):
    """Each in turn for two passes: nothing that was protected is let go or touched."""

    async def story(table):
        stop = await trailing(table, side)
        for name in FIELDS[table.exchange.name]:
            for call in (table.exchange.read_positions, table.exchange.read_stops):
                table.fault("tamper", call, field=name, value=value)
            await table.wait(11)
            table.paper.faults.clear()
            assert abs(table.amount(side)) == Decimal("0.1"), name
            assert table.guarded(side), name
            assert [each.price for each in table.ours(side)] == [stop.price], name
        await table.wait(8)
        table.price(table.up(side, "4"))
        await table.wait(5)
        assert table.working(side).price == table.behind(side, table.up(side, "4"), "0.5")
        assert len(table.backstops(side)) == table.layers - 1
        table.assert_never_bare()

    sit(story)


@ONE_WAY
@pytest.mark.parametrize("value", [None, "", "what?"], ids=["dropped", "empty", "odd"])
def test_schema_drift_of_the_answer_to_a_stop_is_looked_up(sit, side, value):
    names = {
        "binance": ["algoId", "clientAlgoId", "algoStatus", "triggerPrice", "createTime"],
        "bybit": ["retCode", "result", "time", "retMsg"],
    }

    async def story(table):
        await trailing(table, side)
        gain = Decimal(4)
        for name in names[table.exchange.name]:
            table.fault("tamper", table.exchange.place_stop, field=name, value=value, count=1)
            table.price(table.up(side, gain))
            await table.wait(12)
            table.paper.faults.clear()
            assert table.working(side).price == table.behind(side, table.up(side, gain), "0.5")
            gain += 1
        table.assert_never_bare()

    sit(story, policy=FAST)


@pytest.mark.parametrize("name", ["binance", "bybit"])
def test_schema_drift_of_fields_nobody_knows_is_no_news(name):
    """A row with more in it than ever before reads as it always did."""
    more: dict[str, Any] = {"brandNew": {"a": [1, None]}, "another": "x"}
    if name == "bybit":

        async def bybit(script, venue):
            script.answers[bybit_scripted.POSITIONS] = [
                bybit_scripted.listed(bybit_scripted.position() | more) | more
            ]
            return await venue.snapshot(None)

        snapshot = bybit_scripted.play_venue(bybit)
    else:
        row = {
            "symbol": "BTCUSDT",
            "positionSide": "BOTH",
            "positionAmt": "0.5",
            "entryPrice": "61000",
            "markPrice": "61100",
            "liquidationPrice": "0",
            "updateTime": 1_700_000_000_000,
        }

        async def binance(script, venue):
            script.answers["GET /fapi/v3/positionRisk"] = [[row | more]]
            script.answers["GET /fapi/v1/openAlgoOrders"] = [[]]
            script.answers["GET /fapi/v1/openOrders"] = [[]]
            return await venue.snapshot(None)

        snapshot = scripted.play_venue(binance)
    (held,) = snapshot.positions.values()
    assert held.quantity == Decimal("0.5")


# --- bursts -----------------------------------------------------------------------------------
FEW = {
    "limits": LimitSettings(orders_per_ten_seconds=10, orders_per_minute=1_200),
    "bybit_limits": BybitLimits(positions=2),
}


def test_order_burst_limit_gives_what_is_bare_its_stop_first_and_is_kept(sit, side, hedge):
    """Everything trails at once, over and over, and a position opens in the midst of it."""

    async def story(table):
        exchange = table.exchange
        table.open(side)
        await table.wait(3)
        other = exchange.other_symbol
        for step in range(1, 12):
            table.price(table.up(side, Decimal(2) + step * Decimal("0.5")))
            await table.wait(0.4)
        table.open(side, symbol=other)
        since_ms = table.now_ms
        await table.until(lambda: table.ours(side, other), 2)
        assert table.now_ms - since_ms <= 2_000
        await table.wait(25)
        assert table.working(side).price == table.behind(side, table.up(side, "7.5"), "0.5")
        assert health(table, side).shut_until_ms is None
        assert await told(table, side, "refused") == [], "no limit was ever met"
        table.assert_never_bare()

    sit(story, policy="update_interval_seconds = 0\nmin_improvement_percent = 0.01", **FEW)


def test_clock_skew_of_two_hundred_ppm_stays_within_every_window_for_a_day():
    """A clock of ours that loses or gains 17 s a day is read anew before it matters."""

    async def scenario(script, venue, drift):
        begun_ms = script.now_ms
        true = script.time

        def drifting() -> dict[str, int]:
            passed = script.now_ms - begun_ms
            return {"serverTime": begun_ms + passed + passed * drift // 1_000_000}

        script.time = drifting
        assert true() is not None
        worst = [0, 0]
        for _ in range(24 * 12):
            await asyncio.sleep(300)
            off_ms = venue.exchange_ms() - drifting()["serverTime"]
            worst = [min(worst[0], off_ms), max(worst[1], off_ms)]
        return worst, script.count("GET /fapi/v1/time")

    for drift in (200, -200):
        (behind, ahead), readings = scripted.play_venue(
            lambda script, venue, drift=drift: scenario(script, venue, drift)
        )
        assert -2_000 < behind <= 0 <= ahead < 1_000
        assert max(-behind, ahead) <= 100
        assert readings <= 3 * 290
