"""Binance's own connector on the streams: the market, and the account while a stop triggers."""

import asyncio

from connector_setup import connect, gather_complaints, plain
from hands import place, print_price, say

SYMBOL = "BTCUSDT"
QUANTITY = 0.02
STOP = 49500
BACKSTOP = 48000
BEYOND_STOP = "49499.0"
PATIENCE_S = 12.0
POLL_S = 0.02


async def until(rows, is_it):
    """Wait for a row of this kind."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            for row in rows:
                if is_it(row):
                    return row
            await asyncio.sleep(POLL_S)


async def watch_market(streams):
    """One message of each stream that prices come by."""
    name = SYMBOL.lower()
    subscribed = {
        "trade": await streams.aggregate_trade_streams(symbol=name),
        "book": await streams.individual_symbol_book_ticker_streams(symbol=name),
        "mark": await streams.mark_price_stream(symbol=name, update_speed="1s"),
        "candle": await streams.kline_candlestick_streams(symbol=name, interval="1m"),
        "ticker": await streams.individual_symbol_ticker_streams(symbol=name),
        "mini_ticker": await streams.individual_symbol_mini_ticker_stream(symbol=name),
    }
    heard = {kind: [] for kind in subscribed}
    for kind, stream in subscribed.items():
        stream.on("message", heard[kind].append)
    first = {kind: plain(await until(rows, bool)) for kind, rows in heard.items()}
    for stream in subscribed.values():
        await stream.unsubscribe()
    return first


async def watch_account(client, where):
    """Open a position, rest two stops beneath it, and let the price fall through the first."""
    api, streams = client.rest_api, client.websocket_streams
    listen_key = api.start_user_data_stream().data().listen_key
    extended = api.keepalive_user_data_stream().data().listen_key
    told = []
    user = await streams.user_data(listen_key)
    user.on("message", lambda event: told.append(event_of(event)))

    await asyncio.to_thread(
        api.new_order, symbol=SYMBOL, side="BUY", type="MARKET", quantity=QUANTITY
    )
    await until(told, lambda row: row["kind"] == "AccountUpdate")
    await asyncio.to_thread(
        api.new_algo_order,
        algo_type="CONDITIONAL",
        symbol=SYMBOL,
        side="SELL",
        type="STOP_MARKET",
        trigger_price=STOP,
        quantity=QUANTITY,
        reduce_only="true",
        client_algo_id="peer-triggered",
    )
    await asyncio.to_thread(
        api.new_algo_order,
        algo_type="CONDITIONAL",
        symbol=SYMBOL,
        side="SELL",
        type="STOP_MARKET",
        trigger_price=BACKSTOP,
        close_position="true",
        client_algo_id="peer-backstop",
    )
    await until(told, lambda row: is_stop(row, "peer-backstop", "NEW"))
    await asyncio.to_thread(print_price, where, SYMBOL, BEYOND_STOP)
    await until(told, lambda row: is_stop(row, "peer-triggered", "FINISHED"))
    await until(told, lambda row: is_stop(row, "peer-backstop", "EXPIRED"))
    await until(told, lambda row: row["kind"] == "OrderTradeUpdate" and is_closing(row["o"]))
    await until(told, lambda row: row["kind"] == "AccountUpdate" and is_flat(row["a"]))
    api.close_user_data_stream()
    await until(told, lambda row: row["kind"] == "ListenKeyExpired")
    return {"same_key": listen_key == extended, "told": told}


def event_of(event):
    """The event with the name of the connector's model for it, which tells its kind."""
    model = event.actual_instance
    return {**plain(model), "kind": type(model).__name__}


def is_stop(row, client_id, status):
    stop = row["o"] if row["kind"] == "AlgoUpdate" else {}
    return (stop.get("caid"), stop.get("X")) == (client_id, status)


def is_closing(order):
    return order["c"] == "peer-triggered" and order["X"] == "FILLED"


def is_flat(account):
    return any(float(row["pa"]) == 0 for row in account["P"])


async def main():
    where = place()
    complaints = gather_complaints()
    client = connect(where)
    streams = client.websocket_streams
    await streams.create_connection()
    try:
        understood = {"market": await watch_market(streams)}
        understood["account"] = await watch_account(client, where)
    finally:
        await streams.close_connection(close_session=True)
    understood["complaints"] = complaints
    say(understood)


asyncio.run(main())
