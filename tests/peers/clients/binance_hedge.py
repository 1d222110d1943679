"""The clients of Binance in hedge mode: both legs of a symbol, each with stops of its own.

What each gives is brought to one form, so that one test reads all; the `client` says which.
"""

from hands import place, say

SYMBOL = "BTCUSDT"
UNIFIED = "BTC/USDT:USDT"
SIZES = {"LONG": "0.02", "SHORT": "0.01"}
OPENS = {"LONG": "BUY", "SHORT": "SELL"}
CLOSES = {"LONG": "SELL", "SHORT": "BUY"}
STOPS = {"LONG": "49000", "SHORT": "51000"}
WHOLE_STOPS = {"LONG": "48000", "SHORT": "52000"}


class Ccxt:
    def __init__(self, where):
        import ccxt
        from ccxt_setup import point_at, settings

        self.refusals = ccxt.BaseError
        self.client = point_at(ccxt.binanceusdm(settings(where)), where)
        self.client.load_markets()

    def switch(self, hedge):
        self.client.set_position_mode(hedge)

    def mode(self):
        return self.client.fetch_position_mode(UNIFIED)["hedged"]

    def trade(self, side, size, **more):
        if "position_side" in more:
            more["positionSide"] = more.pop("position_side")
        if "reduce_only" in more:
            more["reduceOnly"] = more.pop("reduce_only")
        self.client.create_order(UNIFIED, "market", side.lower(), float(size), None, more)

    def stop(self, leg):
        wish = {"stopLossPrice": STOPS[leg], "positionSide": leg}
        side = CLOSES[leg].lower()
        self.client.create_order(UNIFIED, "market", side, float(SIZES[leg]), None, wish)
        whole = {"stopPrice": WHOLE_STOPS[leg], "closePosition": True, "positionSide": leg}
        self.client.create_order(UNIFIED, "STOP_MARKET", side, float(SIZES[leg]), None, whole)

    def positions(self):
        rows = self.client.fetch_positions([UNIFIED])
        return [(row["side"].upper(), row["contracts"], row["hedged"]) for row in rows]

    def stops(self):
        rows = self.client.fetch_open_orders(UNIFIED, params={"trigger": True})
        return [
            (row["info"]["positionSide"], row["side"].upper(), row["triggerPrice"]) for row in rows
        ]


class PythonBinance:
    def __init__(self, where):
        from binance import Client
        from binance.exceptions import BinanceAPIException

        self.refusals = BinanceAPIException
        self.client = Client(where["key"], where["secret"], ping=False)
        self.client.FUTURES_URL = where["rest"] + "/fapi"

    def switch(self, hedge):
        self.client.futures_change_position_mode(dualSidePosition=str(hedge).lower())

    def mode(self):
        return self.client.futures_get_position_mode()["dualSidePosition"]

    def trade(self, side, size, **more):
        if "position_side" in more:
            more["positionSide"] = more.pop("position_side")
        if "reduce_only" in more:
            more["reduceOnly"] = "true" if more.pop("reduce_only") else "false"
        self.client.futures_create_order(
            symbol=SYMBOL, side=side, type="MARKET", quantity=size, **more
        )

    def stop(self, leg):
        wish = {"symbol": SYMBOL, "side": CLOSES[leg], "type": "STOP_MARKET", "positionSide": leg}
        self.client.futures_create_order(**wish, quantity=SIZES[leg], stopPrice=STOPS[leg])
        self.client.futures_create_order(**wish, closePosition="true", stopPrice=WHOLE_STOPS[leg])

    def positions(self):
        rows = self.client.futures_position_information(symbol=SYMBOL)
        return [
            (row["positionSide"], abs(float(row["positionAmt"])), row["positionSide"] != "BOTH")
            for row in rows
            if float(row["positionAmt"])
        ]

    def stops(self):
        rows = self.client.futures_get_open_orders(symbol=SYMBOL, conditional=True)
        return [(row["positionSide"], row["side"], float(row["triggerPrice"])) for row in rows]


class Connector:
    def __init__(self, where):
        from binance_common.errors import Error
        from connector_setup import connect, gather_complaints

        self.refusals = Error
        self.complaints = gather_complaints()
        self.api = connect(where).rest_api

    def switch(self, hedge):
        self.api.change_position_mode(dual_side_position=str(hedge).lower())

    def mode(self):
        return self.api.get_current_position_mode().data().dual_side_position

    def trade(self, side, size, **more):
        if "reduce_only" in more:
            more["reduce_only"] = "true" if more["reduce_only"] else "false"
        self.api.new_order(symbol=SYMBOL, side=side, type="MARKET", quantity=float(size), **more)

    def stop(self, leg):
        wish = {
            "algo_type": "CONDITIONAL",
            "symbol": SYMBOL,
            "side": CLOSES[leg],
            "type": "STOP_MARKET",
            "position_side": leg,
        }
        self.api.new_algo_order(**wish, quantity=float(SIZES[leg]), trigger_price=float(STOPS[leg]))
        self.api.new_algo_order(
            **wish, close_position="true", trigger_price=float(WHOLE_STOPS[leg])
        )

    def positions(self):
        rows = self.api.position_information_v3(symbol=SYMBOL).data()
        return [
            (row.position_side, abs(float(row.position_amt)), row.position_side != "BOTH")
            for row in rows
            if float(row.position_amt)
        ]

    def stops(self):
        rows = self.api.current_all_algo_open_orders(symbol=SYMBOL).data()
        return [(row.position_side, row.side, float(row.trigger_price)) for row in rows]


CLIENTS = {"ccxt": Ccxt, "python-binance": PythonBinance, "connector": Connector}


def refusal(client, call, *arguments, **more):
    """The text of the error that a call ends with, and its code where the client has it apart."""
    try:
        call(*arguments, **more)
    except client.refusals as error:
        code = getattr(error, "code", None) or getattr(error, "status_code", None)
        return f"{code} {error}"
    return None


def main():
    where = place()
    client = CLIENTS[where["client"]](where)
    client.switch(True)
    understood = {
        "hedge": client.mode(),
        "same_mode": refusal(client, client.switch, True),
        "without_leg": refusal(client, client.trade, "BUY", SIZES["LONG"]),
    }
    for leg, size in SIZES.items():
        client.trade(OPENS[leg], size, position_side=leg)
    understood["positions"] = client.positions()
    understood["reduce_only"] = refusal(
        client,
        client.trade,
        "SELL",
        SIZES["LONG"],
        position_side="LONG",
        reduce_only=True,
    )
    for leg in SIZES:
        client.stop(leg)
    understood["stops"] = client.stops()
    understood["held"] = refusal(client, client.switch, False)
    client.trade(CLOSES["LONG"], SIZES["LONG"], position_side="LONG")
    understood["half"] = {"positions": client.positions(), "stops": client.stops()}
    client.trade(CLOSES["SHORT"], SIZES["SHORT"], position_side="SHORT")
    understood["left"] = {"positions": client.positions(), "stops": client.stops()}
    understood["complaints"] = getattr(client, "complaints", [])
    say(understood)


main()
