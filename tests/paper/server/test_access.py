"""Keys, signatures, time and limits."""

from __future__ import annotations

import pytest

from tests.paper.server.support import START_US, SYMBOL, run
from trailstop.paper.binance.auth import sign
from trailstop.paper.binance.limits import LimitSettings

MINUTE_MS = 60_000


def test_the_published_signature_example():
    secret = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
    payload = (
        "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC"
        "&recvWindow=5000&timestamp=1591702613943"
    )
    expected = "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"
    assert sign(secret, payload) == expected


def test_query_and_body_are_signed_one_after_the_other():
    async def scenario(client):
        query, body = f"symbol={SYMBOL}&leverage=3", f"timestamp={client.now_ms}"
        signature = sign(client.secret, query + body)
        request = client.http.post(
            f"{client.addresses.rest}/fapi/v1/leverage?{query}",
            data=f"{body}&signature={signature}",
            headers={
                "X-MBX-APIKEY": client.key,
                "Content-Type": "application/x-www-form-urlencoded",
            },
        )
        async with request as response:
            return await response.json()

    assert run(scenario)["leverage"] == 3


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param({"secret": "wrong"}, -1022, id="wrong secret"),
        pytest.param({"key": "short"}, -2014, id="malformed key"),
        pytest.param({"key": "a" * 64}, -2015, id="unknown key"),
        pytest.param({"timestamp_shift_ms": -5_200}, -1021, id="too late"),
        pytest.param({"timestamp_shift_ms": 1_200}, -1021, id="ahead of the server"),
    ],
)
def test_access_is_refused(change, code):
    async def scenario(client):
        for name, value in change.items():
            setattr(client, name, value)
        return await client.call("GET", "/fapi/v3/account")

    assert run(scenario)["code"] == code


def test_a_longer_window_lets_a_late_request_in():
    async def scenario(client):
        client.timestamp_shift_ms = -20_000
        await client.call("GET", "/fapi/v3/account", recvWindow=30_000)
        return client.status

    assert run(scenario) == 200


def test_every_answer_carries_the_weight_and_orders_their_counts():
    async def scenario(client):
        seen = []
        await client.open_long("0.300")
        for path in ("/fapi/v1/accountConfig", "/fapi/v3/positionRisk", "/fapi/v1/openAlgoOrders"):
            await client.call("GET", path)
            seen.append(client.headers["X-MBX-USED-WEIGHT-1M"])
        for price in (95, 96):
            await client.stop_order(price)
        return seen, client.headers["X-MBX-ORDER-COUNT-10S"], client.headers["X-MBX-ORDER-COUNT-1M"]

    assert run(scenario) == (["5", "10", "50"], "2", "2")


def test_over_the_weight_comes_429_then_a_ban_and_both_end():
    async def scenario(client):
        seen = []
        for _ in range(30):
            answer = await client.call("GET", "/fapi/v1/ping", signed=False)
            seen.append((client.status, answer.get("code")))
        retry_s = int(client.headers["Retry-After"])
        await client.control("POST", "time", {"advance_ms": retry_s * 1000})
        await client.call("GET", "/fapi/v1/ping", signed=False)
        return seen, retry_s, client.status

    seen, retry_s, after = run(scenario, latency_ms=0, limits=LimitSettings(weight_per_minute=15))
    assert seen[:15] == [(200, None)] * 15
    assert seen[15] == (429, -1003)
    assert seen[-1] == (418, -1003)
    assert 100 < retry_s <= 120
    assert after == 200


def test_too_many_orders_are_refused_with_429():
    async def scenario(client):
        await client.open_long()
        answers = [await client.stop_order(price) for price in (91, 92, 93, 94)]
        return [answer.get("code") for answer in answers], client.status

    codes, status = run(scenario, limits=LimitSettings(orders_per_ten_seconds=3))
    assert codes == [None, None, None, -1015]
    assert status == 429


def test_keys_are_a_function_of_the_seed():
    async def scenario(client):
        return client.key

    assert run(scenario) == run(scenario)
    assert START_US % 1000 == 0
