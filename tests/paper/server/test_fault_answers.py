"""Faults that hit requests: what a client is answered in each dialect, and what truly happened."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from tests.paper.bybit import support as bybit_support
from tests.paper.server.support import SYMBOL, run
from trailstop.paper.binance.limits import LimitSettings
from trailstop.paper.bybit.limits import BybitLimits
from trailstop.paper.trouble.faults import Asked, Fault, Faults

ALGO = "/fapi/v1/algoOrder"
OPEN_ALGO = "/fapi/v1/openAlgoOrders"
POSITIONS = "/fapi/v3/positionRisk"
TIME = "/fapi/v1/time"
LIST = "/v5/position/list"
TRADING_STOP = "/v5/position/trading-stop"
CREATE = "/v5/order/create"


async def fault(client, **fields):
    answer = await client.control("POST", "faults", {"add": [fields]})
    assert "error" not in answer, answer


async def happened(client):
    return (await client.control("GET", "state"))["faults_happened"]


async def resting(client):
    rows = await client.call("GET", OPEN_ALGO, symbol=SYMBOL)
    return [row["clientAlgoId"] for row in rows]


async def text_of(client, path):
    async with client.http.get(f"{client.addresses.rest}{path}") as response:
        return response.status, response.content_type, await response.text()


# --- Binance ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"kind": "rate_limited"}, 429, -1015),
        ({"kind": "clock_refused"}, 400, -1021),
        ({"kind": "clock_refused", "status": 5028}, 400, -5028),
        ({"kind": "maintenance"}, 503, -1001),
    ],
)
def test_a_refused_request_has_no_effect_on_binance(fields, status, code):
    async def scenario(client):
        await client.open_long()
        await fault(client, path=ALGO, count=1, **fields)
        answer = await client.stop_order(98, "g-1")
        return client.status, answer["code"], "Retry-After" in client.headers, await resting(client)

    assert run(scenario) == (status, code, False, [])


def test_only_requests_with_a_time_are_refused_for_it():
    async def scenario(client):
        await fault(client, kind="clock_refused", count=1)
        await client.call("GET", TIME, signed=False)
        unsigned = client.status
        await client.call("GET", POSITIONS)
        return unsigned, client.status, await happened(client)

    assert run(scenario) == (200, 400, {"clock_refused": 1})


def test_a_firewall_shuts_the_whole_address_for_a_while():
    async def scenario(client):
        market = await client.socket("/market/ws/btcusdt@aggTrade")
        await fault(client, kind="forbidden", path=ALGO, count=1, retry_after_s=600)
        statuses = []
        for pause_s in (0, 1, 300, 300):
            await asyncio.sleep(pause_s)
            path = TIME if statuses else ALGO
            statuses.append((await text_of(client, path))[0])
        return statuses, (await market.receive_json())["e"], market.closed

    statuses, event, closed = run(scenario, [100, 101] * 400)
    assert (statuses, event, closed) == ([403, 403, 403, 200], "aggTrade", False)


@pytest.mark.parametrize("status", [404, 410, 502])
def test_a_page_of_html_comes_in_place_of_an_answer(status):
    async def scenario(client):
        await fault(client, kind="html", status=status, path=ALGO, method="POST", count=1)
        await client.open_long()
        url = f"{client.addresses.rest}{ALGO}"
        async with client.http.post(url) as response:
            seen = response.status, response.content_type, (await response.text())[:6]
        return seen, await resting(client)

    assert run(scenario) == ((status, "text/html", "<html>"), [])


def test_a_read_can_be_empty_and_a_write_cannot():
    async def scenario(client):
        await client.open_long()
        await fault(client, kind="empty", count=2)
        placed = await client.stop_order(98, "g-1")
        empty = await client.call("GET", POSITIONS), client.status, await resting(client)
        return placed["clientAlgoId"], empty, len(await client.call("GET", POSITIONS))

    assert run(scenario) == ("g-1", ([], 200, []), 1)


def test_a_read_can_be_an_error_with_the_status_of_success():
    async def scenario(client):
        await client.open_long()
        await fault(client, kind="error_in_body", path=POSITIONS, count=1)
        return (await client.call("GET", POSITIONS))["code"], client.status

    assert run(scenario) == (-1000, 200)


def test_a_truncated_answer_belongs_to_a_request_that_took_effect():
    async def scenario(client):
        await client.open_long()
        await fault(client, kind="truncated", path=ALGO, method="POST", count=1)
        with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
            await client.stop_order(98, "g-1")
        return client.status, await resting(client)

    assert run(scenario) == (200, ["g-1"])


@pytest.mark.parametrize("value", ["", "0", "NaN", "1e400", "-1", "abc"])
def test_a_field_has_another_value_wherever_it_stands(value):
    async def scenario(client):
        await client.open_long()
        await fault(client, kind="tamper", path=POSITIONS, field="entryPrice", value=value)
        rows = await client.call("GET", POSITIONS)
        return [row["entryPrice"] for row in rows], rows[0]["symbol"]

    assert run(scenario) == ([value], SYMBOL)


def test_a_field_can_be_missing_and_a_flag_stays_a_flag():
    async def scenario(client):
        await client.open_long()
        await client.stop_order(98, "g-1")
        await fault(client, kind="tamper", path=POSITIONS, field="entryPrice")
        await fault(client, kind="tamper", path=OPEN_ALGO, field="reduceOnly", value="false")
        positions = await client.call("GET", POSITIONS)
        stops = await client.call("GET", OPEN_ALGO)
        return "entryPrice" in positions[0], stops[0]["reduceOnly"]

    assert run(scenario) == (False, False)


def test_somebody_else_uses_up_the_budget_of_address_and_account():
    async def scenario(client):
        await client.open_long()
        until_ms = client.now_ms // 60_000 * 60_000 + 120_000
        await fault(client, kind="foreign_use", weight=90, orders=4, until_ms=until_ms)
        seen = []
        await client.call("GET", TIME, signed=False)
        seen.append((client.status, client.headers["X-MBX-USED-WEIGHT-1M"]))
        for number in range(2):
            answer = await client.stop_order(98, f"g-{number}")
            counted = client.headers.get("X-MBX-ORDER-COUNT-10S")
            seen.append((client.status, counted or answer["code"]))
        await fault(client, kind="foreign_use", weight=20)
        answer = await client.call("GET", TIME, signed=False)
        seen.append((client.status, answer["code"]))
        await client.control("POST", "faults", {"clear": "all"})
        await client.call("GET", TIME, signed=False)
        seen.append(client.status)
        return seen

    limits = LimitSettings(weight_per_minute=100, orders_per_ten_seconds=5)
    assert run(scenario, limits=limits, latency_ms=0) == [
        (200, "91"),
        (200, "5"),
        (429, -1015),
        (429, -1003),
        200,
    ]


def test_what_somebody_else_used_stays_used_until_its_window_ends():
    async def scenario(client):
        minute_ms = client.now_ms // 60_000 * 60_000 + 60_000
        await asyncio.sleep((minute_ms - client.now_ms) / 1_000)
        await fault(
            client, kind="foreign_use", weight=50, from_ms=minute_ms, until_ms=minute_ms + 9_000
        )
        used = []
        for pause_s in (1, 30, 30):
            await asyncio.sleep(pause_s)
            await client.call("GET", TIME, signed=False)
            used.append(client.headers["X-MBX-USED-WEIGHT-1M"])
        return used

    assert run(scenario, latency_ms=0) == ["51", "52", "1"]


def test_maintenance_cuts_and_refuses_streams_and_requests_alike():
    async def scenario(client):
        book = await client.socket("/public/ws/btcusdt@bookTicker")
        from_ms = client.now_ms + 1_000
        await fault(client, kind="maintenance", from_ms=from_ms, until_ms=from_ms + 60_000)
        await asyncio.sleep(2)
        while not book.closed:
            await book.receive()
        with pytest.raises(Exception, match="503"):
            await client.socket("/public/ws/btcusdt@bookTicker")
        await client.call("GET", TIME, signed=False)
        seen = client.status, await happened(client)
        await asyncio.sleep(60)
        again = await client.socket("/public/ws/btcusdt@bookTicker")
        await client.call("GET", TIME, signed=False)
        return seen, again.closed, client.status

    assert run(scenario) == ((503, {"maintenance": 2}), False, 200)


# --- Bybit --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"kind": "rate_limited", "retry_after_s": 3}, 10006),
        ({"kind": "clock_refused"}, 10002),
        ({"kind": "maintenance"}, 10016),
    ],
)
def test_a_refused_request_has_no_effect_on_bybit(fields, code):
    async def scenario(bybit):
        await bybit.open()
        await fault(bybit.client, path=TRADING_STOP, count=1, **fields)
        answer = await bybit.trading_stop(stopLoss="95")
        return bybit.status, answer["retCode"], (await bybit.position())["stopLoss"]

    assert bybit_support.run(scenario) == (200, code, "")


def test_bybit_shuts_an_address_for_ten_minutes():
    async def scenario(bybit):
        await fault(bybit.client, kind="forbidden", path=LIST, count=1, retry_after_s=600)
        statuses = []
        for pause_s in (0, 300, 301):
            await asyncio.sleep(pause_s)
            await bybit.get("position/list", symbol=SYMBOL)
            statuses.append(bybit.status)
        return statuses

    assert bybit_support.run(scenario) == [403, 403, 200]


def test_spoilt_answers_of_bybit():
    async def scenario(bybit):
        await bybit.open()
        seen = []
        for kind in ("empty", "error_in_body", "truncated"):
            await fault(bybit.client, kind=kind, path=LIST, count=1)
            if kind == "truncated":
                with pytest.raises(msgspec.DecodeError):
                    await bybit.get("position/list", symbol=SYMBOL)
                seen.append(bybit.status)
                continue
            answer = await bybit.get("position/list", symbol=SYMBOL)
            seen.append((bybit.status, answer["retCode"], answer["result"].get("list")))
        return seen, (await bybit.position())["size"]

    assert bybit_support.run(scenario) == ([(200, 0, []), (200, 10016, None), 200], "0.1")


def test_a_field_of_bybit_is_changed_inside_its_envelope():
    async def scenario(bybit):
        await bybit.open()
        await fault(bybit.client, kind="tamper", path=LIST, field="avgPrice", value="1e400")
        await fault(bybit.client, kind="tamper", path=LIST, field="positionIdx", value="7")
        (row,) = await bybit.rows("position/list", symbol=SYMBOL)
        return row["avgPrice"], row["positionIdx"]

    # The first fault that matches is the one that hits.
    assert bybit_support.run(scenario) == ("1e400", 0)


def test_somebody_else_uses_up_the_calls_of_bybit():
    async def scenario(bybit):
        await bybit.open()
        await fault(bybit.client, kind="foreign_use", orders=9)
        seen = []
        for price in ("95", "96"):
            answer = await bybit.trading_stop(stopLoss=price)
            seen.append((answer["retCode"], bybit.headers["X-Bapi-Limit-Status"]))
        await bybit.client.control("POST", "faults", {"clear": "all"})
        await fault(bybit.client, kind="foreign_use", weight=599)
        answer = await bybit.get("position/list", symbol=SYMBOL)
        return seen, bybit.status

    limits = BybitLimits()
    ran = bybit_support.run(scenario, latency_ms=0, bybit_limits=limits)
    assert ran == ([(0, "0"), (10006, "0")], 403)


# --- The data -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"kind": "lightning"}, "lightning"),
        ({"kind": "delay", "delay": 3}, "delay"),
        ({"kind": "tamper"}, "tamper: give the field"),
        ({"kind": "lagging"}, "lagging: give lag_ms"),
        ({"kind": "late"}, "late: give delay_ms"),
        ({"kind": "clock_skew"}, "clock_skew: give delay_ms, drift_ppm or both"),
        ({"kind": "foreign_use"}, "foreign_use: give weight, orders or both"),
        ({"kind": "missing", "share": 2}, "missing: share is a part of 1"),
        ({"kind": "delay", "delay_ms": -1}, "delay: delay_ms is below zero"),
        ({"kind": "unknown", "count": -1}, "unknown: count is below zero"),
        ({"kind": "cut", "from_ms": 5, "until_ms": 4}, "cut: until_ms lies before from_ms"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_in_one_line(fields, says):
    async def scenario(client):
        return await client.control("POST", "faults", {"add": [fields]}), client.status

    answer, status = run(scenario)
    assert status == 400
    assert says in answer["error"]
    assert "\n" not in answer["error"]


def test_faults_of_streams_and_of_the_world_hit_no_request():
    faults = Faults()
    for kind in ("silence", "late", "frozen", "no_trigger", "clock_skew", "foreign_use"):
        faults.add(Fault(kind=kind, delay_ms=5, weight=1))
    faults.add(Fault(kind="tamper", event="kline", field="c"))
    assert faults.for_request(Asked(method="GET", path="/"), 0) is None
