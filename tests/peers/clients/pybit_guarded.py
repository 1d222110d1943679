"""pybit opens a position that a guard watches, sees the guard's stop on it, and closes it again."""

from hands import place, say, until
from pybit_setup import connect

BTC = {"category": "linear", "symbol": "BTCUSDT"}
QUANTITY = "0.02"


def main():
    session = connect(place())

    def stops():
        return session.get_open_orders(**BTC, orderFilter="StopOrder")["result"]["list"]

    session.place_order(**BTC, side="Sell", orderType="Market", qty=QUANTITY)
    resting = until(stops)
    (position,) = session.get_positions(**BTC)["result"]["list"]
    session.place_order(**BTC, side="Buy", orderType="Market", qty=QUANTITY, reduceOnly=True)
    swept = until(lambda: not stops())
    say({"stops": resting, "position": position, "swept": swept})


main()
