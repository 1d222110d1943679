"""What an adapter knows of its limits and its clock, and who has to wait for them."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.venues import bybit_scripted, scripted
from tests.venues.test_breaker import BINANCE, BYBIT, PLAY, STOP, TAKEN, WRITE
from trailstop.engine.events import Refusal
from trailstop.errors import ReadFailed
from trailstop.ports import Acknowledged, Refused

INFO = scripted.INFO | {
    "rateLimits": [
        {
            "rateLimitType": "ORDERS",
            "interval": "SECOND",
            "intervalNum": 10,
            "limit": 10,
        },
        {
            "rateLimitType": "REQUEST_WEIGHT",
            "interval": "MINUTE",
            "intervalNum": 1,
            "limit": 1_000,
        },
    ]
}
MOVE = {name: replace(stop, can_wait=True) for name, stop in STOP.items()}
CLOCK = {
    "binance": scripted.error(-1021, "outside of the recvWindow"),
    "bybit": bybit_scripted.refusal(10002, "check your server timestamp"),
}
HELD = bybit_scripted.position(stopLoss="60000.1", updatedTime="1700000000100")


def taken_by_bybit(left: int):
    headers = {"X-Bapi-Limit": "10", "X-Bapi-Limit-Status": str(left)}
    envelope = {"retCode": 0, "retMsg": "OK", "result": {}, "time": 1_700_000_000_000}
    return 200, envelope, headers


def test_moves_leave_binances_reserve_of_orders_to_first_stops():
    async def scenario(script, venue):
        script.answers["GET /fapi/v1/exchangeInfo"] = [INFO]
        await venue._instruments.read()  # noqa: SLF001 - else it takes half an hour
        assert venue.move_wait_ms(BINANCE.leg) == 0
        script.answers[WRITE["binance"]] = [(200, TAKEN, {"X-MBX-ORDER-COUNT-10S": "8"})]
        assert isinstance(await venue.place_stop(MOVE["binance"]), Acknowledged)
        wait_ms = venue.move_wait_ms(BINANCE.leg)
        health = venue.health()
        refused = await venue.place_stop(MOVE["binance"])
        sent = script.count(WRITE["binance"])
        first = await venue.place_stop(BINANCE)
        return wait_ms, health, refused, sent, first

    wait_ms, health, refused, sent, first = scripted.play_venue(scenario)
    assert 2_000 < wait_ms <= 10_000
    assert (health.orders_used, health.orders_limit) == (8, 10)
    assert (health.weight_limit, health.shut_until_ms) == (1_000, None)
    assert isinstance(refused, Refused)
    assert (refused.reason, sent) == (Refusal.BUDGET, 1), "nothing left the machine"
    assert isinstance(first, Acknowledged)


def test_a_move_waits_a_second_for_bybits_window_and_is_then_sent():
    async def scenario(script, venue):
        script.answers[WRITE["bybit"]] = [taken_by_bybit(2)]
        script.answers[bybit_scripted.POSITIONS] = [bybit_scripted.listed(HELD)]
        assert venue.move_wait_ms(BYBIT.leg) == 0
        await venue.place_stop(MOVE["bybit"])
        told = venue.move_wait_ms(BYBIT.leg)
        used = venue.health().orders_used
        asked_ms = script.now_ms
        await venue.place_stop(MOVE["bybit"])
        sent = [at for (call, _), at in zip(script.asked, script.at_ms, strict=True)
                if call == WRITE["bybit"]]  # fmt: skip
        return told, used, sent[-1] - sent[0], asked_ms

    told, used, gap_ms, _ = bybit_scripted.play_venue(scenario)
    # What the answers said was used counts from when it was told.
    assert 0 < told <= 1_200
    assert used == 8
    assert 1_000 <= gap_ms <= 1_300


@pytest.mark.parametrize("name", ["binance", "bybit"])
def test_a_shut_address_is_known_and_moves_fail_loudly_meanwhile(name):
    shut = {
        "binance": scripted.error(-1003, "", 418, **{"Retry-After": "120"}),
        "bybit": (403, "access too frequent"),
    }

    async def scenario(script, venue):
        script.answers[WRITE[name]] = [shut[name]]
        await venue.place_stop(STOP[name])
        before = len(script.asked)
        outcome = await venue.place_stop(MOVE[name])
        with pytest.raises(ReadFailed):
            await venue.last_price("BTCUSDT")
        health = venue.health()
        wait_ms = venue.move_wait_ms(STOP[name].leg)
        left_ms = health.shut_until_ms - venue.exchange_ms()
        return outcome, left_ms, wait_ms, len(script.asked) - before

    outcome, left_ms, wait_ms, asked = PLAY[name](scenario)
    assert (outcome.reason, asked) == (Refusal.TRANSIENT, 0)
    assert left_ms == wait_ms == {"binance": 120_000, "bybit": 600_000}[name]


@pytest.mark.parametrize("name", ["binance", "bybit"])
def test_a_cured_clock_is_counted_and_measured(name):
    async def scenario(script, venue):
        script.answers[WRITE[name]] = [CLOCK[name], TAKEN if name == "binance" else {}]
        await asyncio.sleep(1)
        await venue.place_stop(STOP[name])
        return venue.health()

    health = PLAY[name](scenario)
    assert health.clock_corrections == 1
    assert abs(health.clock_offset_ms) <= 100
    assert health.last_success_ms is not None


@pytest.mark.parametrize("name", ["binance", "bybit"])
def test_a_clock_that_no_reading_cures_is_left_alone_for_a_while(name):
    async def scenario(script, venue):
        script.answers[WRITE[name]] = [CLOCK[name]]
        for _ in range(8):
            outcome = await venue.place_stop(STOP[name])
            assert outcome.reason is Refusal.TRANSIENT
            await asyncio.sleep(1)
        return script.count(script.time_call), script.count(WRITE[name])

    readings, sent = PLAY[name](scenario)
    assert readings == 6, "three at the start, three for the cure"
    assert sent == 8 + 1


@pytest.mark.parametrize("name", ["binance", "bybit"])
def test_a_resync_reads_the_clock_and_opens_every_stream_anew(name):
    async def scenario(script, venue):
        readings = script.count(script.time_call)
        sockets = len(script.sockets if name == "binance" else script.private)
        await venue.resync()
        await asyncio.sleep(3)
        now = len(script.sockets if name == "binance" else script.private)
        return script.count(script.time_call) - readings, now - sockets

    readings, opened = PLAY[name](scenario)
    assert readings == 3
    assert opened == 1


def test_a_row_of_ours_that_changed_its_form_counts_as_it_was():
    row = TAKEN | {"algoStatus": "NEW", "workingType": "CONTRACT_PRICE"}
    held = {
        "symbol": "BTCUSDT",
        "positionSide": "BOTH",
        "positionAmt": "0.010",
        "entryPrice": "61000",
        "markPrice": "61000",
        "liquidationPrice": "0",
        "updateTime": 1,
    }

    async def scenario(script, venue):
        script.answers["GET /fapi/v3/positionRisk"] = [[held]]
        script.answers["GET /fapi/v1/openOrders"] = [[]]
        script.answers[WRITE["binance"]] = [row]
        await venue.place_stop(replace(BINANCE, quantity=Decimal("0.010")))
        seen = []
        for change in (
            {"clientAlgoId": "what?"},
            {"orderType": ""},
            {"symbol": ""},
            {"reduceOnly": False},
            {"triggerPrice": "NaN"},
            {"side": "LEFT"},
            {},
        ):
            script.answers["GET /fapi/v1/openAlgoOrders"] = [[row | change]]
            seen.append((await venue.snapshot(frozenset({"BTCUSDT"}))).stops)
        return seen

    seen = scripted.play_venue(scenario)
    assert {stops[0].price for stops in seen} == {Decimal("60000.1")}
    assert all(stops == seen[-1] for stops in seen)
