"""Grids that change, symbols that end, price bands: what a refusal leads to."""

from __future__ import annotations

import asyncio
import copy
from decimal import Decimal

import msgspec
import pytest

from tests.venues.scripted import INFO, error, play_venue
from tests.venues.stage import CUT, HANG
from trailstop.domain.position import Leg, Role
from trailstop.domain.price import Side
from trailstop.engine.events import Refusal
from trailstop.ports import CloseRequest, InstrumentChanged, StopRequest

LEG = Leg("main", "binance", "BTCUSDT")
STOP = StopRequest(
    LEG, Side.LONG, Role.WORKING, Decimal("60000.1"), Decimal("0.01"), "last", "ts-1"
)
PLACE, INFO_CALL = "POST /fapi/v1/algoOrder", "GET /fapi/v1/exchangeInfo"
MARK_CALL = "GET /fapi/v1/premiumIndex"
MINUTE_S = 60


def info(tick="0.10", status="TRADING"):
    changed = copy.deepcopy(INFO)
    symbol = changed["symbols"][0]
    symbol["status"] = status
    symbol["filters"][0]["tickSize"] = tick
    symbol["filters"].append(
        {"filterType": "PERCENT_PRICE", "multiplierUp": "1.05", "multiplierDown": "0.95"}
    )
    return changed


def listened(scenario):
    """Run a scenario with a started venue; returns its result and the changes that were told."""

    async def main(scripted, venue):
        told = []

        async def listen():
            async for event in venue.events():
                told.append(event)  # noqa: PERF401 - it never ends

        listener = asyncio.create_task(listen())
        try:
            result = await scenario(scripted, venue)
            await asyncio.sleep(0.1)
        finally:
            listener.cancel()
        return result, [event for event in told if isinstance(event, InstrumentChanged)]

    return play_venue(main)


@pytest.mark.parametrize("code", [-4014, -1111])
def test_a_tick_that_has_changed_is_known_before_the_refusal_is_told(code):
    async def scenario(scripted, venue):
        await asyncio.sleep(MINUTE_S)
        scripted.answers[INFO_CALL] = [info(tick="0.50")]
        scripted.answers[PLACE] = [error(code, "Price not increased by tick size.")]
        outcome = await venue.place_stop(STOP)
        return outcome, venue.instrument("BTCUSDT").tick_size

    (outcome, tick), changes = listened(scenario)
    assert (outcome.reason, outcome.code) == (Refusal.TRANSIENT, code), "it will do at once now"
    assert tick == Decimal("0.5")
    assert [(told.symbol, told.status, told.instrument.tick_size) for told in changes] == [
        ("BTCUSDT", "trading", Decimal("0.5"))
    ]


def test_a_close_that_is_off_a_new_step_is_understood_too():
    async def scenario(scripted, venue):
        await asyncio.sleep(MINUTE_S)
        coarse = info()
        coarse["symbols"][0]["filters"][1]["stepSize"] = "0.01"
        scripted.answers[INFO_CALL] = [coarse]
        scripted.answers["POST /fapi/v1/order"] = [error(-4023)]
        request = CloseRequest(LEG, Side.LONG, Decimal("0.015"), "ts-2")
        first = await venue.close_position(request)
        scripted.answers["POST /fapi/v1/order"] = [
            lambda asked: {
                "orderId": 1, "clientOrderId": "ts-3", "symbol": "BTCUSDT", "side": "SELL",
                "status": "NEW", "origQty": asked.query["quantity"],
            }
        ]  # fmt: skip
        await venue.close_position(msgspec.structs.replace(request, client_id="ts-3"))
        return first, scripted.asked[-1][1]["quantity"]

    (first, quantity), _ = listened(scenario)
    assert first.reason is Refusal.TRANSIENT
    assert Decimal(quantity) == Decimal("0.01")


def test_a_mistake_of_ours_that_is_refused_again_and_again_is_no_storm_of_reads():
    async def scenario(scripted, venue):
        await asyncio.sleep(MINUTE_S)
        scripted.answers[PLACE] = [error(-4014)]
        before = scripted.count(INFO_CALL)
        outcomes = []
        for _ in range(20):
            outcomes.append(await venue.place_stop(STOP))
            await asyncio.sleep(1)
        return outcomes, scripted.count(INFO_CALL) - before

    (outcomes, reads), changes = listened(scenario)
    assert {outcome.reason for outcome in outcomes} == {Refusal.OTHER}
    assert reads == 4
    assert changes == []


@pytest.mark.parametrize("answer", [HANG, CUT, (500, "")])
def test_a_refusal_waits_two_seconds_at_most_for_the_grid(answer):
    async def scenario(scripted, venue):
        await asyncio.sleep(MINUTE_S)
        scripted.answers[INFO_CALL] = [answer]
        scripted.answers[PLACE] = [error(-4014)]
        before_ms = scripted.now_ms
        return await venue.place_stop(STOP), scripted.now_ms - before_ms

    (outcome, waited_ms), changes = listened(scenario)
    assert outcome.reason is Refusal.OTHER
    assert waited_ms <= 2_000
    assert changes == []


@pytest.mark.parametrize(
    ("status", "word"),
    [("HALT", "halted"), ("SETTLING", "settling"), ("CLOSE", "closed")],
)
def test_a_status_that_changes_is_told_within_the_half_hour(status, word):
    async def scenario(scripted, venue):
        scripted.answers[INFO_CALL] = [info(status=status)]
        await asyncio.sleep(31 * MINUTE_S)

    _, changes = listened(scenario)
    assert [(told.status, told.text) for told in changes] == [(word, status)]


def test_a_refusal_by_status_reads_the_status_at_once():
    async def scenario(scripted, venue):
        await asyncio.sleep(MINUTE_S)
        scripted.answers[INFO_CALL] = [info(status="CLOSE")]
        scripted.answers[PLACE] = [error(-4141, "Symbol is closed.")]
        return await venue.place_stop(STOP)

    outcome, changes = listened(scenario)
    assert outcome.reason is Refusal.OTHER
    assert [told.status for told in changes] == ["closed"]


def test_a_list_that_is_not_whole_ends_nothing():
    async def scenario(scripted, venue):
        scripted.answers[INFO_CALL] = [{"rateLimits": [], "symbols": []}]
        await asyncio.sleep(31 * MINUTE_S)
        return venue.instrument("BTCUSDT").tick_size

    tick, changes = listened(scenario)
    assert (tick, changes) == (Decimal("0.1"), [])


def banded(code, price, mark, side=Side.LONG):
    async def scenario(scripted, venue):
        scripted.answers[INFO_CALL] = [info()]
        await asyncio.sleep(31 * MINUTE_S)
        scripted.answers[MARK_CALL] = [mark]
        scripted.answers[PLACE] = [error(code)]
        request = msgspec.structs.replace(STOP, price=Decimal(price), side=side)
        before_ms = scripted.now_ms
        return await venue.place_stop(request), scripted.now_ms - before_ms

    return play_venue(scenario)


def mark(price):
    return {"symbol": "BTCUSDT", "markPrice": price, "time": 1}


@pytest.mark.parametrize(
    ("code", "price", "side", "nearest"),
    [
        pytest.param(-4184, "50000", Side.LONG, "57000.1", id="floor"),
        pytest.param(-4211, "50000", Side.LONG, "57000.1", id="floor, the other code"),
        pytest.param(-4024, "50000", Side.LONG, "57000.1", id="floor of limit prices"),
        pytest.param(-4183, "70000", Side.SHORT, "63000.0", id="cap"),
        pytest.param(-4210, "70000", Side.SHORT, "63000.0", id="cap, the other code"),
        pytest.param(-4016, "70000", Side.SHORT, "63000.0", id="cap of limit prices"),
    ],
)
def test_a_price_outside_the_band_is_refused_with_the_nearest_one_inside(
    code, price, side, nearest
):
    outcome, _ = banded(code, price, mark("60000.04"), side)
    assert (outcome.reason, outcome.nearest) == (Refusal.BAND, Decimal(nearest))


@pytest.mark.parametrize("answer", [mark("50000"), HANG, CUT, (500, ""), mark("0")])
def test_where_no_price_can_be_computed_none_is_told_soon(answer):
    outcome, waited_ms = banded(-4184, "50000", answer)
    assert (outcome.reason, outcome.nearest) == (Refusal.BAND, None)
    assert waited_ms <= 2_000


def test_a_close_in_a_thin_book_may_be_repeated():
    async def scenario(scripted, venue):
        scripted.answers["POST /fapi/v1/order"] = [error(-4131)]
        return await venue.close_position(CloseRequest(LEG, Side.LONG, Decimal("0.01"), "ts-2"))

    assert play_venue(scenario).reason is Refusal.TRANSIENT
