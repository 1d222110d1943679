"""Opens and closes positions by one of the clients, as its standard input asks.

Its one argument names the `client` (a key of CLIENTS), the addresses and the accounts. Each line
that it reads is one wish, each line that it prints is the answer:

    {"do": "hold_both_ways", "account": NAME, "symbols": [...]}     switch to hedge mode
    {"do": "open", "account": NAME, "symbol": "BTCUSDT", "side": "long", "hedge": false,
     "quantity": "0.02"}
    {"do": "close", ...}                                            the same position
"""

import json
import sys
from functools import cache

from hands import place

TRADES = {("open", "long"): "buy", ("open", "short"): "sell"}
TRADES |= {("close", "long"): "sell", ("close", "short"): "buy"}
INDEX = {"long": 1, "short": 2}
ONE_WAY = 0
PATIENCE_S = 10.0


class Ccxt:
    """What both of ccxt's exchanges have in common."""

    def __init__(self, client):
        self.client = client
        client.load_markets()

    def trade(self, wish):
        symbol = self.client.markets_by_id[wish["symbol"]][0]["symbol"]
        side = TRADES[wish["do"], wish["side"]]
        self.client.create_order(
            symbol, "market", side, float(wish["quantity"]), None, self.of(wish)
        )


class CcxtBinance(Ccxt):
    def __init__(self, where):
        import ccxt
        from ccxt_setup import point_at, settings

        super().__init__(point_at(ccxt.binanceusdm(settings(where)), where))

    def hold_both_ways(self, symbols):
        self.client.set_position_mode(True)

    def of(self, wish):
        if wish["hedge"]:
            return {"positionSide": wish["side"].upper()}
        return {"reduceOnly": True} if wish["do"] == "close" else {}


class CcxtBybit(Ccxt):
    def __init__(self, where):
        import ccxt
        from ccxt_setup import bybit_settings, point_bybit_at

        super().__init__(point_bybit_at(ccxt.bybit(bybit_settings(where)), where))

    def hold_both_ways(self, symbols):
        for symbol in symbols:
            self.client.set_position_mode(True, self.client.markets_by_id[symbol][0]["symbol"])

    def of(self, wish):
        wanted = {"positionIdx": INDEX[wish["side"]] if wish["hedge"] else ONE_WAY}
        return wanted | ({"reduceOnly": True} if wish["do"] == "close" else {})


class Pybit:
    """Over REST."""

    def __init__(self, where):
        from pybit_setup import connect

        self.session = connect(where)

    def hold_both_ways(self, symbols):
        for symbol in symbols:
            self.session.switch_position_mode(category="linear", symbol=symbol, mode=3)

    def trade(self, wish):
        self.place(
            category="linear",
            symbol=wish["symbol"],
            side=TRADES[wish["do"], wish["side"]].capitalize(),
            orderType="Market",
            qty=wish["quantity"],
            positionIdx=INDEX[wish["side"]] if wish["hedge"] else ONE_WAY,
            reduceOnly=wish["do"] == "close",
        )

    def place(self, **order):
        self.session.place_order(**order)


class PybitSocket(Pybit):
    """Orders over the trade socket."""

    def __init__(self, where):
        from pybit_setup import trade_socket

        super().__init__(where)
        self.socket = trade_socket(where)

    def place(self, **order):
        from queue import Queue

        answers = Queue()
        self.socket.place_order(answers.put, answers.put, **order)
        answer = answers.get(timeout=PATIENCE_S)
        if answer["retCode"] != 0:
            raise RuntimeError(answer["retMsg"])


class PythonBinance:
    def __init__(self, where):
        from binance import Client

        self.client = Client(where["key"], where["secret"], ping=False)
        self.client.FUTURES_URL = where["rest"] + "/fapi"

    def hold_both_ways(self, symbols):
        self.client.futures_change_position_mode(dualSidePosition="true")

    def trade(self, wish):
        self.client.futures_create_order(
            symbol=wish["symbol"],
            side=TRADES[wish["do"], wish["side"]].upper(),
            type="MARKET",
            quantity=wish["quantity"],
            **self.of(wish),
        )

    def of(self, wish):
        if wish["hedge"]:
            return {"positionSide": wish["side"].upper()}
        return {"reduceOnly": "true"} if wish["do"] == "close" else {}


class Connector:
    """Binance's own."""

    def __init__(self, where):
        from connector_setup import connect

        self.api = connect(where).rest_api

    def hold_both_ways(self, symbols):
        self.api.change_position_mode(dual_side_position="true")

    def trade(self, wish):
        self.api.new_order(
            symbol=wish["symbol"],
            side=TRADES[wish["do"], wish["side"]].upper(),
            type="MARKET",
            quantity=float(wish["quantity"]),
            **self.of(wish),
        )

    def of(self, wish):
        if wish["hedge"]:
            return {"position_side": wish["side"].upper()}
        return {"reduce_only": "true"} if wish["do"] == "close" else {}


CLIENTS = {
    "connector": Connector,
    "python-binance": PythonBinance,
    "ccxt binance": CcxtBinance,
    "ccxt bybit": CcxtBybit,
    "pybit": Pybit,
    "pybit trade socket": PybitSocket,
}


def main():
    where = place()

    @cache
    def client_of(account):
        return CLIENTS[where["client"]]({**where, **where["accounts"][account]})

    for line in sys.stdin:
        wish = json.loads(line)
        client = client_of(wish["account"])
        if wish["do"] == "hold_both_ways":
            client.hold_both_ways(wish["symbols"])
        else:
            client.trade(wish)
        print(json.dumps({"done": wish["do"]}), flush=True)


main()
