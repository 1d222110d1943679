"""ccxt opens a position that a guard watches, sees the guard's stops, and closes it again."""

import time

import ccxt
from ccxt_setup import point_at, settings
from hands import place, say

SYMBOL = "BTC/USDT:USDT"
QUANTITY = 0.02
PATIENCE_S = 10.0
POLL_S = 0.1


def until(look):
    """What `look` finds first; None when patience ends."""
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        found = look()
        if found:
            return found
        time.sleep(POLL_S)
    return None


def sized(rows):
    return [row for row in rows if not row["info"]["closePosition"]]


def main():
    where = place()
    client = point_at(ccxt.binanceusdm(settings(where)), where)
    client.load_markets()

    def stops():
        return client.fetch_open_orders(SYMBOL, params={"trigger": True})

    opened = client.create_order(SYMBOL, "market", "buy", QUANTITY)
    resting = until(lambda: sized(stops()) and stops())
    position = client.fetch_positions([SYMBOL])
    client.create_order(SYMBOL, "market", "sell", QUANTITY, None, {"reduceOnly": True})
    swept = until(lambda: not stops())
    say({"opened": opened, "stops": resting, "position": position, "swept": swept})


main()
