"""Several plain orders cancelled by one request."""

from __future__ import annotations

import pytest

from tests.paper.server.support import SYMBOL, Client, run

BATCH = "/fapi/v1/batchOrders"


@pytest.mark.parametrize("name", ["orderIdList", "orderidlist"])
def test_orders_are_cancelled_by_a_list_of_ids_in_either_spelling(name):
    async def scenario(client: Client):
        resting = [
            await client.call(
                "POST",
                "/fapi/v1/order",
                symbol=SYMBOL,
                side="BUY",
                type="LIMIT",
                timeInForce="GTC",
                quantity="0.100",
                price=price,
            )
            for price in (98, 99)
        ]
        ids = [row["orderId"] for row in resting]
        cancelled = await client.call("DELETE", BATCH, symbol=SYMBOL, **{name: ids})
        return cancelled, await client.call("GET", "/fapi/v1/openOrders", symbol=SYMBOL)

    cancelled, left = run(scenario)
    assert [row["status"] for row in cancelled] == ["CANCELED", "CANCELED"]
    assert left == []


def test_a_list_that_is_none_is_refused_with_the_parameters_name():
    async def scenario(client: Client):
        return await client.call("DELETE", BATCH, symbol=SYMBOL, orderIdList="7,8"), client.status

    refused, status = run(scenario)
    assert (status, refused["code"]) == (400, -1130)
    assert "orderIdList" in refused["msg"]
