"""ccxt's binanceusdm while the exchange fails it: what error it has for each failure."""

import ccxt
from ccxt_setup import point_at, settings
from hands import control, place, say

SYMBOL = "BTC/USDT:USDT"
QUANTITY = 0.02
ALGO = "/fapi/v1/algoOrder"
FAULTS = {
    "too_many_requests": {"kind": "too_many_requests"},
    "overloaded": {"kind": "overloaded"},
    "unavailable": {"kind": "unavailable"},
    "unknown_not_executed": {"kind": "unknown"},
    "unknown_executed": {"kind": "unknown", "executed": True},
    "timeout_executed": {"kind": "timeout", "executed": True},
    "lost_request": {"kind": "lost_request"},
    "lost_answer": {"kind": "lost_answer"},
    # The last one: it bans the address for a while.
    "banned": {"kind": "banned"},
}


def main():
    where = place()
    client = point_at(ccxt.binanceusdm(settings(where)), where)
    client.load_markets()
    client.create_order(SYMBOL, "market", "buy", QUANTITY)
    understood = {}
    for number, (name, fault) in enumerate(FAULTS.items()):
        hit = fault | {"method": "POST", "path": ALGO, "count": 1}
        control(where, "/control/faults", {"add": [hit]})
        understood[name] = {"client_id": f"peer-{number}", **place_stop(client, f"peer-{number}")}
    say(understood)


def place_stop(client, client_id):
    """Place one stop; the error, and whether it is found when looked up by its name."""
    wish = {"stopLossPrice": 49000, "reduceOnly": True, "clientOrderId": client_id}
    refused = {"class": None, "network": None, "text": ""}
    try:
        client.create_order(SYMBOL, "market", "sell", QUANTITY, None, wish)
    except ccxt.BaseError as error:
        refused = {
            "class": type(error).__name__,
            "network": isinstance(error, ccxt.NetworkError),
            "text": str(error),
        }
    return refused | {"found": is_found(client, client_id)}


def is_found(client, client_id):
    try:
        client.fetch_order(None, SYMBOL, {"trigger": True, "clientAlgoId": client_id})
    except ccxt.OrderNotFound:
        return False
    except ccxt.DDoSProtection:
        return None
    return True


main()
