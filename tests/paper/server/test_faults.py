"""Faults and holds: what a client sees, and what truly happened."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from tests.paper.server.support import START_US, SYMBOL, run
from trailstop.paper.trouble.faults import Asked, Fault, Faults

START_MS = START_US // 1000
ALGO = "/fapi/v1/algoOrder"
LOST = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)


async def resting(client):
    rows = await client.call("GET", "/fapi/v1/openAlgoOrders", symbol=SYMBOL)
    return [row["clientAlgoId"] for row in rows]


async def fault(client, **fields):
    await client.control("POST", "faults", {"add": [{"method": "POST", "path": ALGO} | fields]})


@pytest.mark.parametrize(("kind", "rests"), [("lost_request", []), ("lost_answer", ["g-1"])])
def test_a_lost_request_has_no_effect_and_a_lost_answer_has(kind, rests):
    async def scenario(client):
        await client.open_long()
        await fault(client, kind=kind, count=1)
        with pytest.raises(LOST):
            await client.stop_order(98, "g-1")
        return await resting(client), (await client.control("GET", "state"))["faults_happened"]

    assert run(scenario) == (rests, {kind: 1})


def test_an_answer_that_never_comes_leaves_the_connection_open():
    async def scenario(client):
        await client.open_long()
        await fault(client, kind="lost_answer", cut=False)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await client.stop_order(98, "g-1")
        return await resting(client)

    assert run(scenario) == ["g-1"]


@pytest.mark.parametrize(
    ("fields", "status", "code", "rests"),
    [
        ({"kind": "unknown"}, 503, -1000, []),
        ({"kind": "unknown", "executed": True}, 503, -1000, ["g-1"]),
        ({"kind": "unavailable", "executed": True}, 503, -1001, []),
        ({"kind": "overloaded"}, 503, -1008, []),
        ({"kind": "internal", "executed": True}, 500, -1001, ["g-1"]),
        ({"kind": "timeout", "executed": True}, 408, -1007, ["g-1"]),
        ({"kind": "too_many_requests", "retry_after_s": 9}, 429, -1003, []),
    ],
)
def test_error_answers_with_and_without_effect(fields, status, code, rests):
    async def scenario(client):
        await client.open_long()
        await fault(client, count=1, **fields)
        answer = await client.stop_order(98, "g-1")
        return (
            client.status,
            answer["code"],
            client.headers.get("Retry-After"),
            await resting(client),
        )

    retry_after = "9" if status == 429 else None
    assert run(scenario) == (status, code, retry_after, rests)


def test_a_ban_holds_for_every_request_until_it_ends():
    async def scenario(client):
        await fault(client, kind="banned", retry_after_s=60, count=1)
        seen = []
        for _ in range(2):
            await client.call("POST", ALGO)
            seen.append(client.status)
        await client.control("POST", "time", {"advance_ms": 60_000})
        await client.call("GET", "/fapi/v1/ping", signed=False)
        return [*seen, client.status]

    assert run(scenario) == [418, 418, 200]


def test_a_firewall_answers_with_a_page():
    async def scenario(client):
        await client.control(
            "POST", "faults", {"add": [{"kind": "forbidden", "path": "/fapi/v1/ping"}]}
        )
        async with client.http.get(f"{client.addresses.rest}/fapi/v1/ping") as response:
            return response.status, response.content_type

    assert run(scenario) == (403, "text/html")


def test_a_delay_comes_on_top_both_ways():
    async def scenario(client):
        await fault(client, kind="delay", delay_ms=700)
        await client.open_long()
        sent_ms = client.now_ms
        placed = await client.stop_order(98, "g-1")
        return placed["createTime"] - sent_ms, client.now_ms - sent_ms

    assert run(scenario, latency_ms=0) == (700, 1400)


def test_faults_choose_calls_accounts_and_times():
    asked = Asked(method="POST", path=ALGO, account="k", account_name="long", symbol=SYMBOL)
    chosen = Faults()
    chosen.add(Fault(kind="unknown", path="/fapi/v1/algo", account="long", skip=1, count=2))
    assert [chosen.for_request(asked, START_US) is not None for _ in range(5)] == [
        False, True, True, False, False,
    ]  # fmt: skip
    assert [(row.met, row.happened) for row in chosen.listed()] == [(5, 2)]
    windowed = Faults()
    windowed.add(Fault(kind="unknown", from_ms=START_MS + 10, until_ms=START_MS + 20))
    assert [
        windowed.for_request(asked, START_US + offset_ms * 1000) is not None
        for offset_ms in (9, 10, 19, 20)
    ] == [False, True, True, False]
    other = Faults()
    other.add(Fault(kind="unknown", account="short"))
    assert other.for_request(asked, START_US) is None
    other.clear()
    assert other.listed() == ()


def test_shares_are_drawn_by_time_not_by_order():
    asked = [Asked(method="GET", path=f"/{name}") for name in "abcdefgh"]

    def hits(order):
        faults = Faults(seed=3)
        faults.add(Fault(kind="unknown", share=0.5))
        return {row.path for row in order if faults.for_request(row, START_US)}

    assert hits(asked) == hits(asked[::-1])
    assert 0 < len(hits(asked)) < len(asked)


def test_a_silent_stream_stays_open_and_a_cut_ends_it():
    async def scenario(client):
        market = await client.socket("/market/ws/btcusdt@aggTrade")
        book = await client.socket("/public/ws/btcusdt@bookTicker")
        await client.control("POST", "faults", {"add": [{"kind": "silence", "stream": "market"}]})
        with pytest.raises(TimeoutError):
            await market.receive(timeout=60)
        heard = await book.receive_json(timeout=60)
        await client.control("POST", "faults", {"clear": "all"})
        again = await market.receive_json(timeout=60)
        until_ms = client.now_ms + 10_000
        cut = {"kind": "cut", "stream": "public", "until_ms": until_ms}
        await client.control("POST", "faults", {"add": [cut]})
        ended = []
        while not book.closed:
            ended.append((await book.receive()).type)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await client.socket("/public/ws/btcusdt@bookTicker")
        await client.control("POST", "time", {"advance_ms": 10_000})
        await client.socket("/public/ws/btcusdt@bookTicker")
        return heard["e"], again["e"], ended[-1], refused.value.status, market.closed

    heard, again, ended, status, closed = run(scenario, [100, 101] * 100)
    assert (heard, again, status, closed) == ("bookTicker", "aggTrade", 503, False)
    assert ended in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING}


def test_a_child_order_can_be_refused_at_its_trigger():
    async def scenario(client):
        await client.open_long()
        await client.stop_order(98, "g-1")
        await client.control("POST", "faults", {"add": [{"kind": "reject_at_trigger"}]})
        await client.control("POST", "time", {"advance_ms": 60_000})
        algo = await client.call("GET", ALGO, clientAlgoId="g-1")
        positions = await client.call("GET", "/fapi/v3/positionRisk")
        return algo["algoStatus"], [row["positionAmt"] for row in positions]

    assert run(scenario, [100, 100, 97, 97, 97, 97]) == ("REJECTED", ["0.100"])


@pytest.mark.parametrize(("stage", "rests_while_held"), [("effect", []), ("answer", ["g-1"])])
def test_a_held_request_is_announced_and_time_stands_still(stage, rests_while_held):
    async def scenario(client):
        await client.open_long()
        await client.control("POST", "hold", {"method": "POST", "path": ALGO, "stage": stage})
        placing = asyncio.ensure_future(client.stop_order(98, "g-1"))
        (arrival,) = (await client.control("GET", "arrivals?after=0"))["arrivals"]
        held_at_ms = client.now_ms
        waiting = asyncio.ensure_future(asyncio.sleep(1))
        state = await client.control("GET", "state")
        stands = (client.now_ms == held_at_ms, waiting.done())
        await client.control("POST", "time", {"advance_ms": 3_000})
        granted = (client.now_ms - held_at_ms, waiting.done(), placing.done())
        rests = [row["client_id"] for row in state["accounts"]["long"]["open_conditionals"]]
        await client.control("POST", "release", {"arrival_id": arrival["arrival_id"]})
        placed = await placing
        await asyncio.sleep(100)
        return arrival["request"]["client_id"], stands, granted, rests, placed["algoStatus"]

    client_id, stands, granted, rests, status = run(scenario)
    assert client_id == "g-1"
    assert stands == (True, False)
    assert granted == (3_000, True, False)
    assert rests == rests_while_held
    assert status == "NEW"
