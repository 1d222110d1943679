"""python-binance: stops through its own re-routing to the Algo Service, and its user socket."""

import asyncio

from binance import AsyncClient, BinanceSocketManager
from binance.exceptions import BinanceAPIException
from hands import place, print_price, say

SYMBOL = "BTCUSDT"
QUANTITY = "0.02"
STOP = {"symbol": SYMBOL, "side": "SELL", "type": "STOP_MARKET"}
TRIGGERED = "49500"
BEYOND_STOP = "49499.0"
PATIENCE_S = 12.0


async def refusal(call):
    """Code and text of the error that a call ends with."""
    try:
        await call
    except BinanceAPIException as error:
        return {"code": error.code, "text": error.message, "status": error.status_code}
    return None


async def look(client):
    return {
        "info": await client.futures_exchange_info(),
        "price": await client.futures_symbol_ticker(symbol=SYMBOL),
        "mark": await client.futures_mark_price(symbol=SYMBOL),
        "candles": await client.futures_klines(symbol=SYMBOL, interval="1m", limit=3),
        "balance": await client.futures_account_balance(),
        "commission": await client.futures_commission_rate(symbol=SYMBOL),
        "mode": await client.futures_get_position_mode(),
    }


async def keep_stops(client):
    """Place a sized stop and one of the whole position, find them, and cancel both."""
    sized = await client.futures_create_order(
        **STOP, stopPrice="49000", quantity=QUANTITY, reduceOnly="true", clientAlgoId="peer-sized"
    )
    whole = await client.futures_create_order(**STOP, stopPrice="48000", closePosition="true")
    return {
        "sized": sized,
        "whole": whole,
        "listed": await client.futures_get_open_orders(symbol=SYMBOL, conditional=True),
        "queried": await client.futures_get_order(symbol=SYMBOL, algoId=sized["algoId"]),
        "twin": await refusal(
            client.futures_create_order(**STOP, stopPrice="47000", closePosition="true")
        ),
        "would_trigger": await refusal(
            client.futures_create_order(
                **STOP, stopPrice="51000", quantity=QUANTITY, reduceOnly="true"
            )
        ),
        "cancelled": await client.futures_cancel_order(symbol=SYMBOL, clientAlgoId="peer-sized"),
        "all_cancelled": await client.futures_cancel_all_open_orders(
            symbol=SYMBOL, conditional=True
        ),
        "left": await client.futures_get_open_orders(symbol=SYMBOL, conditional=True),
    }


async def let_stop_trigger(client, socket, where):
    """Rest a stop, let the price fall through, and listen until the account is flat."""
    await client.futures_create_order(
        **STOP,
        stopPrice=TRIGGERED,
        quantity=QUANTITY,
        reduceOnly="true",
        clientAlgoId="peer-triggered",
    )
    await asyncio.to_thread(print_price, where, SYMBOL, BEYOND_STOP)
    told = []
    async with asyncio.timeout(PATIENCE_S):
        while not is_over(told):
            told.append(await socket.recv())
    return told


def is_over(told):
    flat = any(
        float(row["pa"]) == 0
        for event in told
        if event["e"] == "ACCOUNT_UPDATE"
        for row in event["a"]["P"]
    )
    finished = any(event["e"] == "ALGO_UPDATE" and event["o"]["X"] == "FINISHED" for event in told)
    return flat and finished


async def main():
    where = place()
    client = AsyncClient(where["key"], where["secret"])
    client.FUTURES_URL = where["rest"] + "/fapi"
    manager = BinanceSocketManager(client)
    manager.FSTREAM_URL = where["ws"] + "/"
    try:
        understood = {"look": await look(client)}
        async with manager.symbol_ticker_futures_socket(SYMBOL) as tickers:
            async with asyncio.timeout(PATIENCE_S):
                understood["streamed"] = await tickers.recv()
        # Not closed by its own hand: its reader would first wait ten seconds for one more event.
        socket = manager.futures_user_socket()
        await socket.connect()
        understood["opened"] = await client.futures_create_order(
            symbol=SYMBOL, side="BUY", type="MARKET", quantity=QUANTITY
        )
        understood["positions"] = await client.futures_position_information(symbol=SYMBOL)
        understood["stops"] = await keep_stops(client)
        understood["told"] = await let_stop_trigger(client, socket, where)
        understood["left"] = await client.futures_position_information(symbol=SYMBOL)
    finally:
        await client.close_connection()
    say(understood)


asyncio.run(main())
