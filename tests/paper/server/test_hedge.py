"""Hedge mode on the wire: what the exchange asks for, and what its events list."""

from __future__ import annotations

import asyncio

import pytest

from tests.paper.server.support import SYMBOL, Client, run

HEDGE = ("POST", "/fapi/v1/positionSide/dual")


async def events_of(client: Client, kind: str, act, within_s: float = 5):
    """Events of a kind that the account's stream brings after an act."""
    key = (await client.call("POST", "/fapi/v1/listenKey", signed=False))["listenKey"]
    socket = await client.socket(f"/private/ws?listenKey={key}&events={kind}")
    await act()
    found = []
    try:
        while True:
            found.append(await socket.receive_json(timeout=within_s))
    except TimeoutError:
        return found
    finally:
        await socket.close()


@pytest.mark.parametrize("flag", ["true", "false"])
def test_no_order_may_carry_the_flag_in_hedge_mode(flag):
    async def scenario(client: Client):
        await client.call(*HEDGE, dualSidePosition="true")
        await client.open_long()
        order = {"symbol": SYMBOL, "side": "SELL", "type": "MARKET", "quantity": "0.1"}
        plain = await client.call(
            "POST", "/fapi/v1/order", positionSide="LONG", **order, reduceOnly=flag
        )
        stop = await client.stop_order(90, positionSide="LONG", reduceOnly=flag)
        return plain["code"], stop["code"]

    assert run(scenario) == (-1106, -1106)


def test_a_changed_leg_is_told_with_the_other_one_and_the_empty_row():
    async def scenario(client: Client):
        await client.call(*HEDGE, dualSidePosition="true")
        await client.open_long("0.2")
        return await events_of(client, "ACCOUNT_UPDATE", lambda: client.open_long("0.1"))

    (event,) = run(scenario)
    rows = {(row["ps"], row["pa"]) for row in event["a"]["P"]}
    assert {(side, float(amount)) for side, amount in rows} == {
        ("BOTH", 0), ("LONG", 0.3), ("SHORT", 0),
    }  # fmt: skip


def test_funding_of_a_crossed_position_names_symbol_and_amount_but_no_row():
    async def scenario(client: Client):
        await client.open_long("0.5")
        # Funding is at midnight, some seven minutes later.
        await asyncio.sleep(6_000)
        return await events_of(client, "ACCOUNT_UPDATE", lambda: asyncio.sleep(0), within_s=1_800)

    (event,) = run(scenario, prices=(100,) * 800)
    assert (event["a"]["m"], event["a"]["S"], event["a"]["P"]) == ("FUNDING_FEE", SYMBOL, [])
    assert float(event["a"]["B"][0]["bc"]) == pytest.approx(-0.005)


def test_a_resting_limit_order_is_modified_in_place():
    async def scenario(client: Client):
        await client.open_long()
        order = await client.call(
            "POST", "/fapi/v1/order", symbol=SYMBOL, side="SELL", type="LIMIT",
            timeInForce="GTC", quantity="0.1", price=120,
        )  # fmt: skip
        changes = {"symbol": SYMBOL, "side": "SELL", "orderId": order["orderId"]}
        path = "/fapi/v1/order"
        moved = await client.call("PUT", path, **changes, quantity="0.05", price=115)
        again = await client.call("PUT", path, **changes, quantity="0.05", price=115)
        unpriced = await client.call("PUT", path, **changes, quantity="0.05")
        return order, moved, again, unpriced

    order, moved, again, unpriced = run(scenario)
    assert (moved["orderId"], moved["price"], moved["origQty"]) == (order["orderId"], "115", "0.05")
    assert (again["code"], unpriced["code"]) == (-5027, -1102)
