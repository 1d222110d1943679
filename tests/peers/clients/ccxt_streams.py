"""ccxt.pro's binanceusdm on the streams: the market, and the account while a stop triggers."""

import asyncio
import contextlib
import copy

import ccxt.pro
from ccxt_setup import point_at, settings
from hands import place, print_price, say

SYMBOL = "BTC/USDT:USDT"
QUANTITY = 0.02
STOP = 49500
BEYOND_STOP = "49499.0"
SILENT_START = {"fetchPositionsSnapshot": False, "awaitPositionsSnapshot": False}
PATIENCE_S = 12.0
POLL_S = 0.02


def nothing():
    return ()


class Heard:
    """Everything that one `watch` call has given, for as long as it is kept running.

    Of two events that arrive at once a call may give the first alone, while the client keeps
    what both have said: `kept` shows that.
    """

    def __init__(self, watch, *arguments, kept=nothing):
        self.rows = []
        self._kept = kept
        self.error = None
        self._task = asyncio.create_task(self._listen(watch, arguments))

    async def _listen(self, watch, arguments):
        try:
            while True:
                news = await watch(*arguments)
                # The client goes on writing into what it has given.
                self.rows += copy.deepcopy(list(news) if isinstance(news, list) else [dict(news)])
        except ccxt.BaseError as error:
            self.error = repr(error)

    async def until(self, is_it):
        """Wait for a row of this kind; None when patience ends."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    for row in (*self.rows, *(self._kept() or ())):
                        if is_it(row):
                            return copy.deepcopy(row)
                    if self.error:
                        return {"error": self.error}
                    await asyncio.sleep(POLL_S)
        return None

    def stop(self):
        self._task.cancel()


def anything(_row):
    return True


async def watch_market(client):
    """One message of each stream that prices come by."""
    watches = {
        "trades": (client.watch_trades, SYMBOL, None, None, {"name": "aggTrade"}),
        "bids_asks": (client.watch_bids_asks, [SYMBOL]),
        "mark_price": (client.watch_mark_price, SYMBOL),
        "candles": (client.watch_ohlcv, SYMBOL, "1m"),
        "ticker": (client.watch_ticker, SYMBOL),
    }
    heard = {name: Heard(*watch) for name, watch in watches.items()}
    first = {name: await one.until(anything) for name, one in heard.items()}
    for one in heard.values():
        one.stop()
    return first


async def watch_account(client, where):
    """Open a position, rest a stop beneath it, and let the price fall through."""
    orders = Heard(client.watch_orders, SYMBOL, kept=lambda: client.orders)
    positions = Heard(client.watch_positions, [SYMBOL])
    trades = Heard(client.watch_my_trades, SYMBOL, kept=lambda: client.myTrades)
    balance = Heard(client.watch_balance)
    await connected(client)

    opened = await client.create_order(SYMBOL, "market", "buy", QUANTITY)
    told = {
        "opened": await orders.until(
            lambda row: row["id"] == opened["id"] and row["status"] == "closed"
        ),
        "position": await positions.until(lambda row: row["contracts"] == QUANTITY),
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
    told["trade"] = await trades.until(lambda row: row["side"] == "sell")
    told["flat"] = await positions.until(lambda row: row["contracts"] == 0)
    told["balance"] = await balance.until(lambda row: row.get("USDT"))
    algo = [row["info"] for row in orders.rows if is_algo(row)]
    return told | {
        "stop": stop,
        "algo_statuses": [row["X"] for row in algo],
        "algo_children": sorted({row["ai"] for row in algo if row.get("ai")}),
        "errors": [one.error for one in (orders, positions, trades, balance) if one.error],
    }


def is_algo(row):
    return "aid" in row["info"]


async def connected(client):
    """Wait until the account's stream is open: what happens before it is told to nobody."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if any("/private/" in url and is_open(one) for url, one in client.clients.items()):
                return
            await asyncio.sleep(POLL_S)


def is_open(client):
    return client.connection is not None and not client.connection.closed


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
