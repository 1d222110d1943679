"""ccxt opens a position that a guard watches, sees the guard's stops, and closes it again."""

import ccxt
from ccxt_setup import point_at, settings
from hands import place, say, until

SYMBOL = "BTC/USDT:USDT"
QUANTITY = 0.02


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
