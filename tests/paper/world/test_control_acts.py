"""The control interface's way to what people and the exchange do."""

from __future__ import annotations

from typing import Any

import pytest

from tests.paper.server.support import START_US, SYMBOL, run

LEG = {"account": "long", "symbol": SYMBOL}


async def guarded(client: Any) -> Any:
    """A long with a stop of its own; returns the stop."""
    await client.open_long("0.500")
    (stop,) = await client.control("POST", "position_stop", LEG | {"stop_loss": "95"})
    return stop


async def rows(client: Any, name: str = "open_conditionals") -> Any:
    return (await client.control("GET", "state"))["accounts"]["long"][name]


def test_a_person_handles_stops():
    async def scenario(client):
        stop = await guarded(client)
        number = {"account": "long", "algo_id": stop["algo_id"]}
        amended = await client.control("POST", "stop/amend", number | {"trigger_price": "94"})
        placed = await client.control(
            "POST",
            "stop/place",
            LEG
            | {
                "side": "SELL",
                "type": "STOP_MARKET",
                "trigger_price": "93",
                "quantity": "0.1",
                "reduce_only": True,
                "client_id": "hand-1",
            },
        )
        both = await rows(client)
        await client.control("POST", "stop/cancel", number)
        return stop, amended, placed, both, await rows(client)

    stop, amended, placed, both, left = run(scenario)
    assert (stop["slot"], stop["author"]) == ("stop_loss", "user")
    assert (amended["algo_id"], amended["trigger_price"]) == (stop["algo_id"], "94")
    assert [row["algo_id"] for row in both] == [stop["algo_id"], placed["algo_id"]]
    assert [(row["client_id"], row["author"]) for row in left] == [("hand-1", "user")]


def test_a_person_places_orders_and_withdraws():
    async def scenario(client):
        order = {"side": "BUY", "type": "LIMIT", "price": "90", "quantity": "1"}
        placed = await client.control("POST", "order", LEG | order)
        await client.control("POST", "withdraw", {"account": "long", "amount": "1000"})
        state = await client.control("GET", "state")
        return placed, state["accounts"]["long"]

    placed, account = run(scenario)
    assert [row["order_id"] for row in account["open_orders"]] == [placed["order_id"]]
    assert account["wallet"] == "99000"


@pytest.mark.parametrize(
    ("path", "more", "kind", "left"),
    [
        ("liquidate", {}, "liquidation", "0"),
        ("deleverage", {}, "adl", "0"),
        ("deleverage", {"quantity": "0.2"}, None, "0.3"),
    ],
)
def test_the_exchange_takes_positions(path, more, kind, left):
    async def scenario(client):
        await guarded(client)
        fill = await client.control("POST", path, LEG | more)
        return fill, await rows(client, "positions"), await rows(client, "epochs")

    fill, positions, epochs = run(scenario)
    assert fill["side"] == "SELL"
    assert [float(row["amount"]) for row in positions] == ([float(left)] if float(left) else [])
    assert [row["closed_kind"] for row in epochs] == ([kind] if kind else [])


@pytest.mark.parametrize(
    ("calls", "status"),
    [
        ([("halt", {})], "HALTED"),
        ([("halt", {}), ("resume", {})], "TRADING"),
        ([("halt", {"until_ms": START_US // 1_000 + 5_000}), ("time", None)], "TRADING"),
        ([("delist", {})], "SETTLING"),
        ([("delist", {}), ("settle", {"price": "99"})], "CLOSED"),
    ],
)
def test_a_market_changes_its_status(calls, status):
    async def scenario(client):
        for path, more in calls:
            wish = {"advance_ms": 6_000} if more is None else {"symbol": SYMBOL} | more
            await client.control("POST", path, wish)
            assert client.status == 200
        return (await client.control("GET", "state"))["markets"][SYMBOL]["status"]

    assert run(scenario) == status


def test_a_market_changes_its_contract():
    async def scenario(client):
        await guarded(client)
        await client.control("POST", "market", {"symbol": SYMBOL, "multiplier": "10"})
        state = await client.control("GET", "state")
        return state["markets"][SYMBOL], state["accounts"]["long"]

    market, account = run(scenario)
    assert (market["tick_size"], market["last"]) == ("0.01", "10")
    assert float(account["positions"][0]["amount"]) == 5
    assert float(account["open_conditionals"][0]["trigger_price"]) == 9.5


@pytest.mark.parametrize(
    ("path", "wish", "words"),
    [
        ("liquidate", LEG, "zero_position"),
        ("position_stop", LEG | {"stop_los": "95"}, "stop_los"),
        ("stop/cancel", {"account": "long", "algo_id": 1}, "order_not_found"),
        ("halt", {"symbol": "X"}, "unknown_symbol"),
        ("withdraw", {"account": "nobody", "amount": "1"}, "no account"),
    ],
)
def test_a_wish_that_cannot_be_met_is_answered_in_one_line(path, wish, words):
    async def scenario(client):
        answer = await client.control("POST", path, wish)
        return client.status, answer["error"]

    status, error = run(scenario)
    assert status == 400
    assert words in error
