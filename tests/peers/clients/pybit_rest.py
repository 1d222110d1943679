"""pybit over REST: market, money, modes, positions, their stops in every form, and refusals."""

from hands import place, print_price, say
from pybit.exceptions import FailedRequestError, InvalidRequestError
from pybit_setup import connect

SYMBOL = "BTCUSDT"
QUANTITY = "0.02"
HALF = "0.01"
LINEAR = {"category": "linear"}
BTC = {**LINEAR, "symbol": SYMBOL}
ONE_WAY, HEDGE = 0, 3
RISES, FALLS = 1, 2
ACTIVATES = "50600.0"


def refusal(call, **wishes):
    """Code and text of the error that a call ends with."""
    try:
        call(**wishes)
    except (InvalidRequestError, FailedRequestError) as error:
        return {"code": error.status_code, "text": error.message}
    return None


def result(answer):
    return answer["result"]


def rows(answer):
    return answer["result"]["list"]


def look_at_market(session):
    return {
        "time": session.get_server_time(),
        "instruments": rows(session.get_instruments_info(**LINEAR)),
        "tickers": rows(session.get_tickers(**LINEAR)),
        "candles": result(session.get_kline(**BTC, interval=1, limit=5)),
        "mark_candles": result(session.get_mark_price_kline(**BTC, interval=1, limit=5)),
        "index_candles": result(session.get_index_price_kline(**BTC, interval=1, limit=5)),
        "book": result(session.get_orderbook(**BTC, limit=5)),
        "trades": rows(session.get_public_trade_history(**BTC, limit=3)),
        "price_limit": result(session.get_price_limit(**BTC)),
    }


def look_at_account(session):
    return {
        "wallet": rows(session.get_wallet_balance(accountType="UNIFIED")),
        "fees": rows(session.get_fee_rates(**BTC)),
        "info": result(session.get_account_info()),
        "key": result(session.get_api_key_information()),
        "leverage": session.set_leverage(**BTC, buyLeverage="7", sellLeverage="7"),
        "same_leverage": refusal(session.set_leverage, **BTC, buyLeverage="7", sellLeverage="7"),
        "flat": rows(session.get_positions(**BTC)),
    }


def open_long(session):
    placed = result(
        session.place_order(
            **BTC, side="Buy", orderType="Market", qty=QUANTITY, orderLinkId="peer-open"
        )
    )
    session.place_order(
        category="linear", symbol="ETHUSDT", side="Sell", orderType="Market", qty="1"
    )
    return {
        "placed": placed,
        "order": rows(session.get_order_history(**BTC, orderLinkId="peer-open")),
        "own": rows(session.get_positions(**BTC)),
        "all": rows(session.get_positions(**LINEAR, settleCoin="USDT")),
        "fills": rows(session.get_executions(**BTC)),
        "twin": refusal(
            session.place_order,
            **BTC,
            side="Buy",
            orderType="Market",
            qty=QUANTITY,
            orderLinkId="peer-open",
        ),
    }


def stops_of(session):
    return rows(session.get_open_orders(**BTC, orderFilter="StopOrder"))


def keep_position_stops(session, where):
    """The position's own stops: set, moved in place, beside a trailing one, partial, removed."""
    own = {**BTC, "positionIdx": 0}
    full = {**own, "tpslMode": "Full", "slTriggerBy": "MarkPrice"}
    kept = {"set": session.set_trading_stop(**full, stopLoss="49000")}
    kept["resting"] = stops_of(session)
    kept["moved"] = session.set_trading_stop(**full, stopLoss="49500")
    kept["resting_moved"] = stops_of(session)
    kept["same_again"] = refusal(session.set_trading_stop, **full, stopLoss="49500")
    kept["wrong_side"] = refusal(session.set_trading_stop, **full, stopLoss="51000")
    kept["wrong_index"] = refusal(
        session.set_trading_stop, **{**full, "positionIdx": 1}, stopLoss="49000"
    )
    session.set_trading_stop(**own, tpslMode="Full", takeProfit="52000")
    session.set_trading_stop(**own, tpslMode="Full", trailingStop="900", activePrice="50500")
    kept["asleep"] = stops_of(session)
    print_price(where, SYMBOL, ACTIVATES)
    kept["all_three"] = stops_of(session)
    kept["on_the_position"] = rows(session.get_positions(**BTC))
    session.set_trading_stop(**own, tpslMode="Full", stopLoss="0", takeProfit="0", trailingStop="0")
    kept["removed"] = stops_of(session)
    partial = {**own, "tpslMode": "Partial", "slSize": HALF}
    session.set_trading_stop(**partial, stopLoss="48000")
    session.set_trading_stop(**partial, stopLoss="48500")
    kept["partial"] = stops_of(session)
    first = kept["partial"][-1]["orderId"]
    session.amend_order(**BTC, orderId=first, triggerPrice="48100")
    kept["partial_amended"] = stops_of(session)
    for stop in kept["partial"]:
        session.cancel_order(**BTC, orderId=stop["orderId"])
    kept["left"] = stops_of(session)
    return kept


def keep_conditionals(session):
    """Conditional reduce-only orders: placed, amended in place, listed, cancelled, refused."""
    stop = {
        **BTC,
        "side": "Sell",
        "orderType": "Market",
        "qty": QUANTITY,
        "triggerDirection": FALLS,
        "triggerBy": "LastPrice",
        "reduceOnly": True,
        "positionIdx": 0,
    }
    first = result(session.place_order(**stop, triggerPrice="49000", orderLinkId="peer-stop"))
    session.place_order(**stop, triggerPrice="48900", closeOnTrigger=True)
    kept = {"first": first, "listed": stops_of(session)}
    kept["amended"] = result(
        session.amend_order(**BTC, orderLinkId="peer-stop", triggerPrice="49100")
    )
    kept["after_amend"] = stops_of(session)
    kept["same_again"] = refusal(
        session.amend_order, **BTC, orderLinkId="peer-stop", triggerPrice="49100"
    )
    kept["would_trigger"] = refusal(session.place_order, **stop, triggerPrice="51000")
    kept["cancelled"] = result(session.cancel_order(**BTC, orderLinkId="peer-stop"))
    kept["again"] = refusal(session.cancel_order, **BTC, orderLinkId="peer-stop")
    kept["history"] = rows(session.get_order_history(**BTC, orderLinkId="peer-stop"))
    kept["all_cancelled"] = result(session.cancel_all_orders(**BTC, orderFilter="StopOrder"))
    kept["left"] = stops_of(session)
    return kept


def trade_limits(session):
    """Orders in batches: placed, amended, cancelled."""
    limit = {
        "symbol": SYMBOL,
        "side": "Buy",
        "orderType": "Limit",
        "qty": QUANTITY,
        "timeInForce": "PostOnly",
    }
    placed = session.place_batch_order(
        **LINEAR, request=[{**limit, "price": "49600"}, {**limit, "price": "49700"}]
    )
    ids = [row["orderId"] for row in rows(placed)]
    amended = session.amend_batch_order(
        **LINEAR, request=[{"symbol": SYMBOL, "orderId": ids[0], "price": "49650"}]
    )
    resting = rows(session.get_open_orders(**BTC, orderFilter="Order"))
    cancelled = session.cancel_batch_order(
        **LINEAR, request=[{"symbol": SYMBOL, "orderId": order} for order in ids]
    )
    return {
        "placed": placed,
        "amended": amended,
        "resting": resting,
        "cancelled": cancelled,
        "left": rows(session.get_open_orders(**BTC)),
    }


def close_all(session):
    """Close the whole position by a quantity of 0, and read what came of it."""
    placed = result(
        session.place_order(
            **BTC, side="Sell", orderType="Market", qty="0", reduceOnly=True, closeOnTrigger=True
        )
    )
    return {
        "placed": placed,
        "left": rows(session.get_positions(**LINEAR, settleCoin="USDT")),
        "fills": rows(session.get_executions(**BTC)),
        "closed_pnl": rows(session.get_closed_pnl(**BTC)),
        "log": rows(session.get_transaction_log(accountType="UNIFIED")),
    }


def hold_both_ways(session):
    """Hedge mode: both legs of a symbol, a stop on each, and back to one-way."""
    held = {
        "blocked": refusal(session.switch_position_mode, **LINEAR, symbol="ETHUSDT", mode=HEDGE)
    }
    held["hedge"] = session.switch_position_mode(**BTC, mode=HEDGE)
    held["same_mode"] = refusal(session.switch_position_mode, **BTC, mode=HEDGE)
    held["flat"] = rows(session.get_positions(**BTC))
    market = {**BTC, "orderType": "Market"}
    held["without_index"] = refusal(session.place_order, **market, side="Buy", qty=QUANTITY)
    session.place_order(**market, side="Buy", qty=QUANTITY, positionIdx=1)
    session.place_order(**market, side="Sell", qty=HALF, positionIdx=2)
    held["positions"] = rows(session.get_positions(**BTC))
    session.set_trading_stop(**BTC, positionIdx=1, tpslMode="Full", stopLoss="49000")
    session.set_trading_stop(**BTC, positionIdx=2, tpslMode="Full", stopLoss="51000")
    held["stops"] = stops_of(session)
    close = {"qty": "0", "reduceOnly": True, "closeOnTrigger": True}
    session.place_order(**market, side="Sell", positionIdx=1, **close)
    session.place_order(**market, side="Buy", positionIdx=2, **close)
    held["left"] = rows(session.get_positions(**BTC))
    held["stops_left"] = stops_of(session)
    held["one_way"] = session.switch_position_mode(**BTC, mode=ONE_WAY)
    return held


def open_with_stops(session):
    """Stops that come with the opening order; the stop is then amended and cancelled as an order."""
    opened = session.place_order(
        **BTC,
        side="Sell",
        orderType="Market",
        qty=HALF,
        tpslMode="Full",
        stopLoss="51000",
        slTriggerBy="MarkPrice",
        takeProfit="48000",
    )
    attached = {"opened": opened, "stops": stops_of(session)}
    stop = next(row for row in attached["stops"] if row["stopOrderType"] == "StopLoss")
    session.amend_order(**BTC, orderId=stop["orderId"], triggerPrice="51500")
    attached["amended"] = stops_of(session)
    attached["position"] = rows(session.get_positions(**BTC))
    session.cancel_order(**BTC, orderId=stop["orderId"])
    attached["cancelled"] = stops_of(session)
    session.place_order(
        **BTC, side="Buy", orderType="Market", qty="0", reduceOnly=True, closeOnTrigger=True
    )
    attached["left"] = stops_of(session)
    return attached


def be_refused(session, where):
    """Called while flat in the symbol."""
    market = {**BTC, "orderType": "Market"}
    forged = connect(where, api_secret="0" * 64)
    return {
        "no_position": refusal(
            session.set_trading_stop, **BTC, positionIdx=0, tpslMode="Full", stopLoss="49000"
        ),
        "reduce_while_flat": refusal(
            session.place_order, **market, side="Sell", qty=QUANTITY, reduceOnly=True
        ),
        "too_small": refusal(session.place_order, **market, side="Buy", qty="0.0001"),
        "unknown_order": refusal(session.cancel_order, **BTC, orderLinkId="never-was"),
        "unknown_symbol": refusal(session.get_tickers, category="linear", symbol="NOUSDT"),
        "bad_signature": refusal(forged.get_wallet_balance, accountType="UNIFIED"),
        "unknown_key": refusal(
            connect(where, api_key="f" * 36).get_wallet_balance, accountType="UNIFIED"
        ),
    }


def main():
    where = place()
    session = connect(where)
    understood = {
        "market": look_at_market(session),
        "account": look_at_account(session),
        "long": open_long(session),
        "position_stops": keep_position_stops(session, where),
        "conditionals": keep_conditionals(session),
        "limits": trade_limits(session),
        "closed": close_all(session),
        "hedge": hold_both_ways(session),
        "attached": open_with_stops(session),
    }
    understood["refused"] = be_refused(session, where)
    say(understood)


main()
