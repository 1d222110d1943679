"""The control interface, openings and the end of a run."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from tests.paper.server.support import START_US, SYMBOL, run
from trailstop.paper.openings import Leg, Schedule


def test_positions_are_opened_by_quantity_and_notional_and_closed():
    async def scenario(client):
        wish = {"account": "short", "symbol": SYMBOL, "side": "short"}
        by_quantity = await client.control("POST", "positions", wish | {"quantity": "0.250"})
        by_notional = await client.control("POST", "positions", wish | {"notional": "50"})
        by_default = await client.control("POST", "positions", wish)
        close = {"account": "short", "symbol": SYMBOL}
        closed = await client.control("POST", "close", close)
        again = await client.control("POST", "close", close)
        return by_quantity, by_notional, by_default, closed, again, client.status

    by_quantity, by_notional, by_default, closed, again, status = run(scenario)
    assert (by_quantity["quantity"], by_quantity["side"]) == ("0.250", "SELL")
    assert by_notional["quantity"] == "0.500"
    # The default notional of 1 000 at a price of 100.
    assert Decimal(by_default["quantity"]) == 10
    assert (Decimal(closed["quantity"]), closed["side"]) == (Decimal("10.75"), "BUY")
    assert status == 400
    assert again["error"].startswith("reduce_only")


def test_a_stop_removed_by_the_exchange_raises_the_clocks():
    async def scenario(client):
        await client.open_long()
        placed = await client.stop_order(98, "g-1")
        await client.control("POST", "stops/remove", {"algo_id": placed["algoId"]})
        await client.control("POST", "time", {"advance_ms": 3_000})
        return (await client.control("GET", "state"))["clocks"]

    assert run(scenario)["unprotected_ms"] == 3_000


def test_a_price_is_printed_with_or_without_the_book():
    async def scenario(client):
        stray = {"symbol": SYMBOL, "price": "120", "book": False}
        await client.control("POST", "price", stray)
        before = await client.call("GET", "/fapi/v1/ticker/bookTicker", symbol=SYMBOL)
        await client.control("POST", "price", stray | {"book": True})
        after = await client.call("GET", "/fapi/v1/ticker/bookTicker", symbol=SYMBOL)
        return before["bidPrice"], after["bidPrice"]

    before, after = run(scenario)
    assert float(before) == 100
    assert 119 < float(after) <= 120


@pytest.mark.parametrize(
    ("path", "content", "words"),
    [
        ("positions", {"account": "nobody", "symbol": SYMBOL, "side": "long"}, "no account"),
        (
            "positions",
            {"account": "long", "symbol": "X", "side": "long", "notional": 1},
            "no market",
        ),
        ("positions", {"account": "long", "symbl": SYMBOL, "side": "long"}, "symbl"),
        ("faults", {"add": [{"kind": "rain"}]}, "rain"),
        ("release", {}, "arrival_id"),
        ("nothing", {}, "no such path"),
    ],
)
def test_a_wrong_wish_is_answered_in_one_line(path, content, words):
    async def scenario(client):
        answer = await client.control("POST", path, content)
        return client.status, answer["error"]

    status, error = run(scenario)
    assert status in {400, 404}
    assert words in error
    assert "\n" not in error


def test_browsers_are_not_served():
    async def scenario(client):
        url = f"{client.addresses.control}/control/state"
        async with client.http.get(url, headers={"Origin": "http://evil.example"}) as response:
            return response.status

    assert run(scenario) == 403


LEGS = (
    Leg(account="long", symbol=SYMBOL, side="long"),
    Leg(account="short", symbol=SYMBOL, side="short"),
)


def test_openings_come_at_their_times_and_skip_legs_that_are_not_flat():
    async def scenario(client):
        await client.control("POST", "time", {"advance_ms": 70_000})
        await client.control("POST", "close", {"account": "long", "symbol": SYMBOL})
        await client.control("POST", "time", {"advance_ms": 60_000})
        state = await client.control("GET", "state")
        (epoch,) = state["accounts"]["long"]["epochs"]
        return state["openings"], epoch["opened_us"]

    openings, opened_us = run(
        scenario, schedule=Schedule(legs=LEGS, first_ms=5_000, every_ms=60_000)
    )
    assert openings == {"opened": 3, "skipped": 3, "refused": 0}
    assert opened_us == START_US + 5_000_000


def test_a_run_is_over_when_all_is_closed_and_time_then_stands():
    async def scenario(client):
        await client.control("POST", "time", {"advance_ms": 20_000})
        for name in ("long", "short"):
            await client.control("POST", "close", {"account": name, "symbol": SYMBOL})
        closed_ms = client.now_ms
        state = await client.control("GET", "finished")
        later = asyncio.ensure_future(asyncio.sleep(1))
        await client.control("GET", "state")
        return client.now_ms - closed_ms, state["finished"], state["data_over"], later.done()

    schedule = Schedule(legs=LEGS, first_ms=5_000)
    result = run(scenario, schedule=schedule, once=True, settle_ms=4_000, hold_at_end=True)
    assert result == (4_000, True, False, False)


def test_a_run_is_over_after_its_data():
    async def scenario(client):
        state = await client.control("GET", "finished")
        return state["data_over"], state["now_us"] - START_US

    assert run(scenario, [100] * 5, settle_ms=7_000) == (True, 67_000_000)


def test_a_run_is_over_after_its_time():
    async def scenario(client):
        state = await client.control("GET", "finished")
        return state["data_over"], state["now_us"] - START_US

    assert run(scenario, until_us=START_US + 33_000_000) == (False, 33_000_000)
