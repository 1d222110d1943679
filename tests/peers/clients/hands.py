"""What the client scripts share: their place, the exchange's control interface, waiting and saying."""

import json
import sys
import time
import urllib.request

CONTROL_S = 10.0
PATIENCE_S = 10.0
POLL_S = 0.1


def place():
    """The one argument of a script: addresses, account, key and secret."""
    return json.loads(sys.argv[1])


def control(where, path, wish):
    """Ask the paper exchange's control interface for something."""
    body = json.dumps(wish).encode()
    request = urllib.request.Request(where["control"] + path, data=body)  # noqa: S310
    with urllib.request.urlopen(request, timeout=CONTROL_S) as answer:  # noqa: S310
        return json.load(answer)


def print_price(where, symbol, price):
    """Let a trade happen at this price."""
    control(where, "/control/price", {"symbol": symbol, "price": price})


def say(understood):
    """Print what the client understood; objects of a library become their texts."""
    print(json.dumps(understood, default=str))


def until(look):
    """What `look` finds first; None when patience ends."""
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        found = look()
        if found:
            return found
        time.sleep(POLL_S)
    return None
