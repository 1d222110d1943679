"""Keys, signatures, the time rule, limits, faults and holds of the REST side."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from tests.paper.bybit.support import run
from tests.paper.server.support import SYMBOL
from trailstop.paper.bybit.limits import BybitLimits

LOST = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)


def test_a_request_without_headers_is_401():
    async def scenario(bybit):
        await bybit.get("position/list", signed=False, symbol=SYMBOL)
        return bybit.status

    assert run(scenario) == 401


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"key": "unknown"}, 10003, "API key is invalid"),
        ({"secret": "wrong"}, 10004, "error sign! please check your signature"),
        ({"timestamp_shift_ms": -6_000}, 10002, "recv_window[5000]"),
        ({"timestamp_shift_ms": 1_200}, 10002, "check your server timestamp or recv_window"),
    ],
)
def test_a_bad_key_signature_or_time_is_refused(changes, code, words):
    async def scenario(bybit):
        for name, value in changes.items():
            setattr(bybit, name, value)
        return await bybit.get("position/list", symbol=SYMBOL), bybit.status

    answer, status = run(scenario)
    assert (status, answer["retCode"]) == (200, code)
    assert words in answer["retMsg"]


def test_a_wider_window_takes_an_older_request():
    async def scenario(bybit):
        bybit.timestamp_shift_ms, bybit.window = -6_000, "10000"
        return await bybit.get("position/list", symbol=SYMBOL)

    assert run(scenario)["retCode"] == 0


def test_the_signature_covers_the_raw_body():
    async def scenario(bybit):
        await bybit.open()
        body = '{"category": "linear",  "symbol":"BTCUSDT", "positionIdx":0,"stopLoss":"95"}'
        spaced = await bybit.send("POST", "/v5/position/trading-stop", body)
        broken = await bybit.send("POST", "/v5/position/trading-stop", "{no json")
        return spaced["retCode"], broken["retCode"]

    assert run(scenario) == (0, 10001)


def test_calls_of_one_endpoint_are_counted_by_rolling_second_and_account():
    async def scenario(bybit):
        await bybit.open()
        answers = await asyncio.gather(*(bybit.trading_stop(stopLoss=f"9{n}") for n in range(5)))
        codes = sorted(answer["retCode"] for answer in answers)
        over = bybit.headers
        reads = await bybit.get("position/list", symbol=SYMBOL)
        await asyncio.sleep(1.1)
        later = await bybit.trading_stop(stopLoss="89")
        return codes, over, reads["retCode"], later["retCode"], bybit.headers, bybit.now_ms

    codes, over, reads, later, headers, now_ms = run(
        scenario, latency_ms=0, bybit_limits=BybitLimits(positions=3)
    )
    assert codes == [0, 0, 0, 10006, 10006]
    assert (over["X-Bapi-Limit"], over["X-Bapi-Limit-Status"]) == ("3", "0")
    assert reads == 0
    assert later == 0
    assert headers["X-Bapi-Limit-Status"] == "2"
    assert now_ms - 5 <= int(headers["X-Bapi-Limit-Reset-Timestamp"]) - 1_000 <= now_ms


def test_a_batch_counts_by_its_orders():
    async def scenario(bybit):
        await bybit.open("1.000")
        order = {"symbol": SYMBOL, "side": "Sell", "orderType": "Market", "qty": "0.1"}
        answer = await bybit.post("order/create-batch", request=[order] * 4)
        return answer["retCode"]

    assert run(scenario, bybit_limits=BybitLimits(orders=3)) == 10006


def test_too_many_requests_of_an_address_are_403_for_a_while():
    async def scenario(bybit):
        statuses = []
        for _ in range(7):
            await bybit.get("market/time", signed=False)
            statuses.append(bybit.status)
        await asyncio.sleep(20)
        await bybit.get("market/time", signed=False)
        statuses.append(bybit.status)
        return statuses

    limits = BybitLimits(address_requests=5, address_ban_ms=10_000)
    assert run(scenario, latency_ms=0, bybit_limits=limits) == [200] * 5 + [403] * 2 + [200]


SHUT_S = 1.1
"""Longer than a firewall that is told nothing else keeps an address shut."""


async def fault(bybit, **fields):
    wish = {"add": [{"path": "/v5/position/trading-stop", "count": 1, **fields}]}
    await bybit.client.control("POST", "faults", wish)


@pytest.mark.parametrize(
    ("fields", "status", "code", "moved"),
    [
        ({"kind": "unknown"}, 200, 10016, False),
        ({"kind": "unknown", "executed": True}, 200, 10016, True),
        ({"kind": "unavailable", "executed": True}, 503, None, False),
        ({"kind": "overloaded"}, 200, 10429, False),
        ({"kind": "internal", "executed": True}, 200, 10000, True),
        ({"kind": "timeout", "executed": True}, 504, None, True),
        ({"kind": "too_many_requests", "retry_after_s": 3}, 200, 10006, False),
        ({"kind": "forbidden"}, 403, None, False),
    ],
)
def test_error_answers_with_and_without_effect(fields, status, code, moved):
    async def scenario(bybit):
        await bybit.open()
        await fault(bybit, **fields)
        answer = await bybit.trading_stop(stopLoss="95")
        seen = bybit.status, answer["retCode"] if isinstance(answer, dict) else None
        reset = bybit.headers.get("X-Bapi-Limit-Reset-Timestamp")
        sent_ms = bybit.now_ms
        await asyncio.sleep(SHUT_S)
        row = await bybit.position()
        return seen, row["stopLoss"] == "95", reset, sent_ms

    seen, effect, reset, sent_ms = run(scenario)
    assert seen == (status, code)
    assert effect is moved
    if fields["kind"] == "too_many_requests":
        assert 2_800 < int(reset) - sent_ms <= 3_000


def test_a_banned_address_gets_no_answer_but_403_until_the_ban_ends():
    async def scenario(bybit):
        await fault(bybit, kind="banned", retry_after_s=4)
        statuses = []
        for pause in (0, 0, 5):
            await asyncio.sleep(pause)
            await bybit.trading_stop(stopLoss="95")
            statuses.append(bybit.status)
        return statuses

    assert run(scenario) == [403, 403, 200]


@pytest.mark.parametrize(("kind", "rests"), [("lost_request", ""), ("lost_answer", "95")])
def test_a_lost_request_has_no_effect_and_a_lost_answer_has(kind, rests):
    async def scenario(bybit):
        await bybit.open()
        await fault(bybit, kind=kind, symbol=SYMBOL)
        with pytest.raises(LOST):
            await bybit.trading_stop(stopLoss="95")
        return (await bybit.position())["stopLoss"]

    assert run(scenario) == rests


def test_faults_and_holds_find_an_order_by_its_link_id():
    async def scenario(bybit):
        await bybit.open()
        await bybit.client.control(
            "POST", "hold", {"path": "/v5/order/create", "client_id": "g-", "stage": "answer"}
        )
        other = await bybit.create(orderLinkId="other")
        sending = asyncio.ensure_future(bybit.stop(orderLinkId="g-1"))
        arrivals = (await bybit.client.control("GET", "arrivals"))["arrivals"]
        await bybit.client.control("POST", "release", {"all": True})
        return other["retCode"], arrivals[0]["request"]["client_id"], (await sending)["retCode"]

    assert run(scenario, [100] * 200)[1] == "g-1"


def test_requests_are_counted_as_served():
    async def scenario(bybit):
        await bybit.open()
        await bybit.trading_stop(stopLoss="95")
        return (await bybit.client.control("GET", "state"))["served"]

    assert run(scenario)["POST /v5/position/trading-stop"] == 1
