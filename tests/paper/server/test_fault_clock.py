"""An exchange whose clock is wrong: what it shows, what it accepts, and what stays true."""

from __future__ import annotations

import asyncio

import pytest

from tests.paper.bybit import stream_support as bybit
from tests.paper.bybit.support import Bybit
from tests.paper.server.support import SYMBOL, run, tape

TIME = "/fapi/v1/time"
POSITIONS = "/fapi/v3/positionRisk"
TRADES = "/fapi/v1/userTrades"


async def fault(client, **fields):
    answer = await client.control("POST", "faults", {"add": [fields]})
    assert "error" not in answer, answer


@pytest.mark.parametrize("off_ms", [-4_000, 3_000])
def test_server_time_and_time_check_are_off_together(off_ms):
    async def scenario(client):
        await fault(client, kind="clock_skew", delay_ms=off_ms, until_ms=client.now_ms + 60_000)
        shown = (await client.call("GET", TIME, signed=False))["serverTime"] - client.now_ms
        client.timestamp_shift_ms = -5_500 if off_ms > 0 else 0
        refused = (await client.call("GET", POSITIONS))["code"]
        client.timestamp_shift_ms = off_ms
        await client.call("GET", POSITIONS)
        accepted = client.status
        await asyncio.sleep(60)
        client.timestamp_shift_ms = 0
        await client.call("GET", POSITIONS)
        again = (await client.call("GET", TIME, signed=False))["serverTime"] - client.now_ms
        return shown, refused, accepted, client.status, again

    assert run(scenario, latency_ms=0) == (off_ms, -1021, 200, 200, 0)


def test_a_clock_drifts_away():
    async def scenario(client):
        await fault(client, kind="clock_skew", drift_ppm=500)
        shown = []
        for _ in range(3):
            shown.append((await client.call("GET", TIME, signed=False))["serverTime"])
            shown[-1] -= client.now_ms
            await asyncio.sleep(1_000)
        return shown

    assert run(scenario, latency_ms=0) == [0, 500, 1_000]


def test_event_times_are_off_and_candles_and_settlements_are_not():
    async def scenario(client):
        trades = await client.socket("/market/stream?streams=btcusdt@aggTrade/btcusdt@kline_1m")
        marks = await client.socket("/market/ws/btcusdt@markPrice@1s")
        await fault(client, kind="clock_skew", delay_ms=1_500)
        seen = {}
        while len(seen) < 2:
            row = (await trades.receive_json())["data"]
            seen[row["e"]] = row, client.now_ms
        mark = await marks.receive_json()
        trade, came_ms = seen["aggTrade"]
        candle, _ = seen["kline"]
        return trade["E"] - came_ms, trade["T"] - came_ms, candle["k"]["t"], mark["T"]

    event, traded, opened, settles = run(scenario, tapes=[tape(range(100, 200), every_s=1)])
    assert (event, traded) == (1_500, 1_500)
    assert opened % 60_000 == 0
    assert settles % 3_600_000 == 0


def test_the_accounts_own_history_is_asked_for_and_told_by_the_shown_clock():
    async def scenario(client):
        await fault(client, kind="clock_skew", delay_ms=4_000)
        client.timestamp_shift_ms = 4_000
        await client.open_long()
        opened_ms = client.now_ms
        later = await client.call("GET", TRADES, symbol=SYMBOL, startTime=opened_ms + 4_001)
        since = await client.call("GET", TRADES, symbol=SYMBOL, startTime=opened_ms + 3_000)
        return later, [row["time"] - opened_ms for row in since]

    assert run(scenario, latency_ms=0) == ([], [4_000])


def test_the_oracle_keeps_the_true_time():
    async def scenario(client):
        await client.open_long()
        await fault(client, kind="clock_skew", delay_ms=60_000)
        state = await client.control("GET", "state")
        return state["now_us"] // 1_000 - client.now_ms, state["clocks"]["unprotected_ms"]

    assert run(scenario) == (0, 0)


def test_bybit_shows_the_wrong_time_in_every_answer_and_message():
    async def scenario(client):
        own = await bybit.private(client, "order", "position")
        await fault(client, kind="clock_skew", delay_ms=-2_500)
        rest = Bybit(client)
        rest.timestamp_shift_ms = -2_500
        await client.open_long()
        answer = await rest.get("position/list", symbol=SYMBOL)
        shown = await rest.get("market/time", signed=False)
        messages = await own.take(2)
        stamps = [row["creationTime"] - client.now_ms for row in messages]
        updated = int(answer["result"]["list"][0]["updatedTime"])
        rest.timestamp_shift_ms = 0
        refused = await rest.get("position/list", symbol=SYMBOL)
        return (
            answer["retCode"],
            shown["time"] - client.now_ms,
            int(shown["result"]["timeNano"]) // 1_000_000 - client.now_ms,
            set(stamps),
            updated - client.now_ms,
            refused["retCode"],
        )

    expected = (0, -2_500, -2_500, {-2_500}, -2_500, 10002)
    assert bybit.run(scenario, latency_ms=0) == expected
