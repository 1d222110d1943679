"""The ticker of the last day, whose end clients show as the ticker's time."""

from __future__ import annotations

from tests.paper.server.support import SYMBOL, Client, run


def test_the_ticker_of_a_day_ends_now_and_not_with_the_quarter_that_has_begun():
    async def scenario(client: Client):
        ticker = await client.call("GET", "/fapi/v1/ticker/24hr", signed=False, symbol=SYMBOL)
        return ticker, client.now_ms

    ticker, now_ms = run(scenario)
    assert ticker["openTime"] < ticker["closeTime"] <= now_ms
