"""pybit on every stream and on the trade socket: the market, and the account while it trades."""

import copy
import threading
import time

from hands import place, print_price, say
from pybit_setup import connect, private_stream, public_stream, trade_socket

SYMBOL = "BTCUSDT"
QUANTITY = "0.02"
STOP = "49500"
BEYOND_STOP = "49499.0"
BTC = {"category": "linear", "symbol": SYMBOL}
PATIENCE_S = 12.0


class Heard:
    """Everything that one stream has told."""

    def __init__(self):
        self.rows = []
        self._news = threading.Condition()

    def take(self, message):
        """The callback of the stream; pybit goes on writing into what it has given."""
        with self._news:
            data = message["data"]
            self.rows += copy.deepcopy(data if isinstance(data, list) else [data])
            self._news.notify_all()

    def until(self, is_it):
        """Wait for a row of this kind; None when patience ends."""
        with self._news:
            self._news.wait_for(lambda: any(map(is_it, self.rows)), PATIENCE_S)
            return next(filter(is_it, self.rows), None)


class Desk:
    """The trade socket, one request after the other."""

    def __init__(self, where):
        self.socket = trade_socket(where)
        until(lambda: self.socket.auth)

    def ask(self, call, **wishes):
        """The answer to one request, refusals included."""
        answers = []
        arrived = threading.Event()

        def take(answer):
            answers.append(answer)
            arrived.set()

        call(take, take, **wishes)
        arrived.wait(PATIENCE_S)
        return answers[0] if answers else None


def end(socket):
    """Close it; pybit waits without end for what one of its threads may have closed already."""
    closing = threading.Thread(target=socket.exit, daemon=True)
    closing.start()
    closing.join(PATIENCE_S)


def until(look):
    deadline_s = time.monotonic() + PATIENCE_S
    while not look() and time.monotonic() < deadline_s:
        time.sleep(0.02)


def watch_market(where):
    """The first rows of each stream that prices come by."""
    stream = public_stream(where)
    heard = {
        name: Heard() for name in ("ticker", "trades", "book", "deep_book", "candles", "limits")
    }
    stream.ticker_stream(SYMBOL, heard["ticker"].take)
    stream.trade_stream(SYMBOL, heard["trades"].take)
    stream.orderbook_stream(1, SYMBOL, heard["book"].take)
    stream.orderbook_stream(50, SYMBOL, heard["deep_book"].take)
    stream.kline_stream(1, SYMBOL, heard["candles"].take)
    stream.price_limit_stream(SYMBOL, heard["limits"].take)
    first = {name: one.until(bool) for name, one in heard.items()}
    # A minute may have ended just then.
    first["candles"] = heard["candles"].until(lambda row: not row["confirm"])
    print_price(where, SYMBOL, "50000.5")
    moved = heard["ticker"].until(lambda row: row["lastPrice"] == "50000.5")
    before = len(stream.subscriptions)
    stream.unsubscribe(f"tickers.{SYMBOL}")
    until(lambda: len(stream.subscriptions) < before)
    left = list(stream.callback_directory)
    end(stream)
    return {"first": first, "merged": moved, "left": left}


def trade(where, desk):
    """Open, rest stops, and let one trigger, by the trade socket alone; what is told of it."""
    stream = private_stream(where)
    heard = {name: Heard() for name in ("orders", "positions", "fills", "fast", "wallet")}
    stream.order_stream(heard["orders"].take)
    stream.position_stream(heard["positions"].take)
    stream.execution_stream(heard["fills"].take)
    stream.fast_execution_stream(heard["fast"].take)
    stream.wallet_stream(heard["wallet"].take)
    until(lambda: stream.auth)
    time.sleep(0.2)

    socket = desk.socket
    market = {**BTC, "orderType": "Market", "positionIdx": 0}
    stop = {
        **market,
        "side": "Sell",
        "qty": QUANTITY,
        "triggerPrice": STOP,
        "triggerDirection": 2,
        "reduceOnly": True,
    }
    told = {
        "open": desk.ask(
            socket.place_order, **market, side="Buy", qty=QUANTITY, orderLinkId="peer-open"
        )
    }
    told["filled"] = heard["orders"].until(
        lambda row: row["orderLinkId"] == "peer-open" and row["orderStatus"] == "Filled"
    )
    told["position"] = heard["positions"].until(lambda row: row["size"] == QUANTITY)
    told["fill"] = heard["fills"].until(lambda row: row["orderLinkId"] == "peer-open")
    told["fast_fill"] = heard["fast"].until(lambda row: row["orderLinkId"] == "peer-open")
    told["wallet"] = heard["wallet"].until(bool)
    told["stop"] = desk.ask(socket.place_order, **stop, orderLinkId="peer-stop")
    told["twin"] = desk.ask(socket.place_order, **stop, orderLinkId="peer-stop")
    told["amend"] = desk.ask(
        socket.amend_order, **BTC, orderLinkId="peer-stop", triggerPrice="49600"
    )
    told["cancel"] = desk.ask(socket.cancel_order, **BTC, orderLinkId="peer-stop")
    told["cancel_again"] = desk.ask(socket.cancel_order, **BTC, orderLinkId="peer-stop")
    told["cancelled"] = heard["orders"].until(
        lambda row: row["orderLinkId"] == "peer-stop" and row["orderStatus"] == "Deactivated"
    )
    batch = [{**stop, "orderLinkId": f"peer-batch-{number}"} for number in (1, 2)]
    for row in batch:
        del row["category"]
    told["batch"] = desk.ask(socket.place_batch_order, category="linear", request=batch)
    told["batch_cancel"] = desk.ask(
        socket.cancel_batch_order,
        category="linear",
        request=[{"symbol": SYMBOL, "orderLinkId": row["orderLinkId"]} for row in batch],
    )
    connect(where).set_trading_stop(**BTC, positionIdx=0, tpslMode="Full", stopLoss=STOP)
    told["own_stop"] = heard["orders"].until(lambda row: row["stopOrderType"] == "StopLoss")
    print_price(where, SYMBOL, BEYOND_STOP)
    told["flat"] = heard["positions"].until(
        lambda row: row["size"] == "0" and row["seq"] > told["position"]["seq"]
    )
    told["stopped"] = heard["fills"].until(lambda row: row["side"] == "Sell")
    # The topics come in no order: the fill may be told before the order that it ends.
    own_stop = told["own_stop"]["orderId"]
    heard["orders"].until(lambda row: (row["orderId"], row["orderStatus"]) == (own_stop, "Filled"))
    told["statuses"] = [
        row["orderStatus"] for row in heard["orders"].rows if row["orderId"] == own_stop
    ]
    end(stream)
    return told


def main():
    where = place()
    desk = Desk(where)
    understood = {"market": watch_market(where), "account": trade(where, desk)}
    end(desk.socket)
    say(understood)


main()
