"""ccxt.pro's binanceusdm on the streams: the market, and the account while a stop triggers."""

import asyncio

import ccxt.pro
from ccxt_heard import SILENT_START, Account, connected, first_of
from ccxt_setup import point_at, settings
from hands import place, print_price, say

SYMBOL = "BTC/USDT:USDT"
QUANTITY = 0.02
STOP = 49500
BEYOND_STOP = "49499.0"


async def watch_market(client):
    """One message of each stream that prices come by."""
    watches = {
        "trades": (client.watch_trades, SYMBOL, None, None, {"name": "aggTrade"}),
        "bids_asks": (client.watch_bids_asks, [SYMBOL]),
        "mark_price": (client.watch_mark_price, SYMBOL),
        "candles": (client.watch_ohlcv, SYMBOL, "1m"),
        "ticker": (client.watch_ticker, SYMBOL),
    }
    return await first_of(watches)


async def watch_account(client, where):
    """Open a position, rest a stop beneath it, and let the price fall through."""
    account = Account(client, SYMBOL)
    orders = account.orders
    await connected(client)

    opened = await client.create_order(SYMBOL, "market", "buy", QUANTITY)
    told = {
        "opened": await orders.until(
            lambda row: row["id"] == opened["id"] and row["status"] == "closed"
        ),
        "position": await account.positions.until(lambda row: row["contracts"] == QUANTITY),
    }
    stop = await client.create_order(
        SYMBOL, "market", "sell", QUANTITY, None, {"stopLossPrice": STOP, "reduceOnly": True}
    )
    told["placed"] = await orders.until(lambda row: row["info"].get("X") == "NEW" and is_algo(row))
    print_price(where, "BTCUSDT", BEYOND_STOP)
    told["finished"] = await orders.until(
        lambda row: row["info"].get("X") == "FINISHED" and is_algo(row)
    )
    told["child"] = await orders.until(
        lambda row: (
            not is_algo(row)
            and row["clientOrderId"] == stop["clientOrderId"]
            and row["status"] == "closed"
        )
    )
    told["trade"] = await account.trades.until(lambda row: row["side"] == "sell")
    told["flat"] = await account.positions.until(lambda row: row["contracts"] == 0)
    told["balance"] = await account.balance.until(lambda row: row.get("USDT"))
    algo = [row["info"] for row in orders.rows if is_algo(row)]
    return told | {
        "stop": stop,
        "algo_statuses": [row["X"] for row in algo],
        "algo_children": sorted({row["ai"] for row in algo if row.get("ai")}),
        "errors": account.errors(),
    }


def is_algo(row):
    return "aid" in row["info"]


async def main():
    where = place()
    client = point_at(ccxt.pro.binanceusdm(settings(where)), where)
    # Events alone: what arrives while a snapshot is fetched would be lost within the client.
    client.options["watchPositions"] = SILENT_START
    try:
        await client.load_markets()
        understood = {"market": await watch_market(client)}
        understood["account"] = await watch_account(client, where)
        understood["addresses"] = sorted(client.clients)
    finally:
        await client.close()
    say(understood)


asyncio.run(main())
