"""Listening to ccxt.pro: what a `watch` call gives, kept until it is asked for."""

import asyncio
import contextlib
import copy

import ccxt.pro

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


async def first_of(watches):
    """One message of each of these calls, which are given with their arguments."""
    heard = {name: Heard(*watch) for name, watch in watches.items()}
    first = {name: await one.until(anything) for name, one in heard.items()}
    for one in heard.values():
        one.stop()
    return first


class Account:
    """Everything that the streams of an account tell about one symbol."""

    def __init__(self, client, symbol):
        self.orders = Heard(client.watch_orders, symbol, kept=lambda: client.orders)
        self.positions = Heard(client.watch_positions, [symbol])
        self.trades = Heard(client.watch_my_trades, symbol, kept=lambda: client.myTrades)
        self.balance = Heard(client.watch_balance)

    def errors(self):
        heard = (self.orders, self.positions, self.trades, self.balance)
        return [one.error for one in heard if one.error]


async def connected(client):
    """Wait until the account's stream is open: what happens before it is told to nobody."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if any("/private" in url and is_open(one) for url, one in client.clients.items()):
                return
            await asyncio.sleep(POLL_S)


def is_open(client):
    return client.connection is not None and not client.connection.closed
