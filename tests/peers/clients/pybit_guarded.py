"""pybit opens a position that a guard watches, sees the guard's stop on it, and closes it again."""

import time

from hands import place, say
from pybit_setup import connect

BTC = {"category": "linear", "symbol": "BTCUSDT"}
QUANTITY = "0.02"
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
