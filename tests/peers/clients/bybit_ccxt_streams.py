"""ccxt.pro's bybit on the streams and on the trade socket, while a stop triggers."""

import asyncio

import ccxt.pro
from ccxt_heard import SILENT_START, Account, connected, first_of
from ccxt_setup import bybit_settings, point_bybit_at
from hands import place, print_price, say

SYMBOL = "BTC/USDT:USDT"
QUANTITY = 0.02
STOP = 49500
BEYOND_STOP = "49499.0"
SUBSCRIBING_S = 0.5
"""From the connection to the last of its subscriptions, which are told to nobody."""


async def watch_market(client):
    """One message of each stream that prices come by."""
    watches = {
        "trades": (client.watch_trades, SYMBOL),
        "bids_asks": (client.watch_bids_asks, [SYMBOL]),
        "book": (client.watch_order_book, SYMBOL, 50),
        "candles": (client.watch_ohlcv, SYMBOL, "1m"),
        "ticker": (client.watch_ticker, SYMBOL),
    }
    return await first_of(watches)


async def trade(client, where):
    """Open by the trade socket, rest and move a stop, and let the price fall through another."""
    account = Account(client, SYMBOL)
    orders = account.orders
    await connected(client)
    await asyncio.sleep(SUBSCRIBING_S)

    opened = await client.create_order_ws(SYMBOL, "market", "buy", QUANTITY)
    told = {
        "opened": await orders.until(
            lambda row: row["id"] == opened["id"] and row["status"] == "closed"
        ),
        "position": await account.positions.until(lambda row: row["contracts"] == QUANTITY),
        "balance": await account.balance.until(lambda row: row.get("USDT")),
    }
    wish = {"positionIdx": 0, "triggerBy": "LastPrice", "clientOrderId": "peer-stop"}
    stop = await client.create_order_ws(
        SYMBOL, "market", "sell", QUANTITY, None, {**wish, "stopLossPrice": STOP}
    )
    told["placed"] = await orders.until(lambda row: row["id"] == stop["id"])
    await client.edit_order_ws(
        stop["id"],
        SYMBOL,
        "market",
        "sell",
        None,
        None,
        {"triggerPrice": "49600.0", "triggerBy": "LastPrice"},
    )
    told["edited"] = await orders.until(
        lambda row: row["id"] == stop["id"] and row["triggerPrice"] == 49600
    )
    await client.cancel_order_ws(stop["id"], SYMBOL)
    told["cancelled"] = await orders.until(
        lambda row: row["id"] == stop["id"] and row["status"] == "canceled"
    )
    whole = {"stopLossPrice": STOP, "tradingStopEndpoint": True, "positionIdx": 0}
    await client.create_order(SYMBOL, "market", "sell", 0, None, whole)
    told["own_stop"] = await orders.until(lambda row: is_own_stop(row) and row["status"] == "open")
    print_price(where, "BTCUSDT", BEYOND_STOP)
    told["triggered"] = await orders.until(
        lambda row: is_own_stop(row) and row["status"] == "closed"
    )
    told["trade"] = await account.trades.until(lambda row: row["side"] == "sell")
    told["flat"] = await account.positions.until(lambda row: row["contracts"] == 0)
    return told | {
        "stop": stop,
        "errors": account.errors(),
    }


def is_own_stop(row):
    return row["info"]["stopOrderType"] == "StopLoss"


async def main():
    where = place()
    client = point_bybit_at(ccxt.pro.bybit(bybit_settings(where)), where)
    # Events alone: what arrives while a snapshot is fetched would be lost within the client.
    client.options["watchPositions"] = SILENT_START
    try:
        await client.load_markets()
        understood = {"market": await watch_market(client)}
        understood["account"] = await trade(client, where)
        understood["addresses"] = sorted(client.clients)
    finally:
        await client.close()
    say(understood)


asyncio.run(main())
