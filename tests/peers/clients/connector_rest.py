"""Binance's own connector over REST: market, money, a position, its stops, and refusals."""

from binance_common.errors import Error
from connector_setup import connect, gather_complaints, plain
from hands import control, place, say

SYMBOL = "BTCUSDT"
QUANTITY = 0.02
SIZED = {
    "algo_type": "CONDITIONAL",
    "symbol": SYMBOL,
    "side": "SELL",
    "type": "STOP_MARKET",
    "quantity": QUANTITY,
    "reduce_only": "true",
}
WHOLE = {
    "algo_type": "CONDITIONAL",
    "symbol": SYMBOL,
    "side": "SELL",
    "type": "STOP_MARKET",
    "close_position": "true",
}


def data(answer):
    return plain(answer.data())


def refusal(call, **wishes):
    """Class, code and text of the error that a call ends with."""
    try:
        call(**wishes)
    except Error as error:
        return {
            "class": type(error).__name__,
            "code": getattr(error, "status_code", None),
            "text": str(error),
        }
    return None


def look_at_market(api):
    return {
        "time": data(api.check_server_time()),
        "info": data(api.exchange_information()),
        "price": data(api.symbol_price_ticker_v2(symbol=SYMBOL)),
        "book": data(api.symbol_order_book_ticker(symbol=SYMBOL)),
        "day": data(api.ticker24hr_price_change_statistics(symbol=SYMBOL)),
        "mark": data(api.mark_price(symbol=SYMBOL)),
        "depth": data(api.order_book(symbol=SYMBOL, limit=5)),
        "trades": data(api.compressed_aggregate_trades_list(symbol=SYMBOL, limit=3)),
        "recent": data(api.recent_trades_list(symbol=SYMBOL, limit=3)),
        "candles": data(api.kline_candlestick_data(symbol=SYMBOL, interval="1m", limit=5)),
        "mark_candles": data(
            api.mark_price_kline_candlestick_data(symbol=SYMBOL, interval="1m", limit=5)
        ),
    }


def look_at_account(api):
    return {
        "balance": data(api.futures_account_balance_v3()),
        "account": data(api.account_information_v3()),
        "account_v2": data(api.account_information_v2()),
        "config": data(api.futures_account_configuration()),
        "symbol_config": data(api.symbol_configuration(symbol=SYMBOL)),
        "commission": data(api.user_commission_rate(symbol=SYMBOL)),
        "mode": data(api.get_current_position_mode()),
        "brackets": data(api.notional_and_leverage_brackets()),
        "order_limits": data(api.query_user_rate_limit()),
        "leverage": data(api.change_initial_leverage(symbol=SYMBOL, leverage=7)),
    }


def open_position(api, where):
    opened = data(
        api.new_order(
            symbol=SYMBOL,
            side="BUY",
            type="MARKET",
            quantity=QUANTITY,
            new_client_order_id="peer-open",
        )
    )
    control(
        where,
        "/control/positions",
        {"account": where["account"], "symbol": "ETHUSDT", "side": "short", "quantity": "1"},
    )
    return {
        "opened": opened,
        "order": data(api.query_order(symbol=SYMBOL, orig_client_order_id="peer-open")),
        "positions": data(api.position_information_v3()),
        "positions_v2": data(api.position_information_v2(symbol=SYMBOL)),
        "fills": data(api.account_trade_list(symbol=SYMBOL)),
        "account": data(api.account_information_v3()),
    }


def place_stops(api):
    placed = api.new_algo_order(**SIZED, trigger_price=49000, client_algo_id="peer-sized")
    sized = data(placed)
    whole = data(api.new_algo_order(**WHOLE, trigger_price=48000, working_type="MARK_PRICE"))
    trailing = data(
        api.new_algo_order(
            **{**SIZED, "type": "TRAILING_STOP_MARKET"}, callback_rate=1.5, activate_price=51000
        )
    )
    return {
        "sized": sized,
        "counted": [
            {"type": row.rateLimitType, "interval": row.interval, "count": row.count}
            for row in placed.rate_limits
        ],
        "whole": whole,
        "trailing": trailing,
        "listed": data(api.current_all_algo_open_orders(symbol=SYMBOL)),
        "listed_plain": data(api.current_all_open_orders(symbol=SYMBOL)),
        "queried": data(api.query_algo_order(client_algo_id="peer-sized")),
        "twin": refusal(api.new_algo_order, **WHOLE, trigger_price=47000),
    }


def cancel_stops(api, stops):
    return {
        "by_name": data(api.cancel_algo_order(client_algo_id="peer-sized")),
        "by_id": data(api.cancel_algo_order(algo_id=stops["whole"]["algo_id"])),
        "left": data(api.current_all_algo_open_orders(symbol=SYMBOL)),
        "again": refusal(api.cancel_algo_order, client_algo_id="peer-sized"),
        "queried": data(api.query_algo_order(algo_id=stops["sized"]["algo_id"])),
        "all": data(api.cancel_all_algo_open_orders(symbol=SYMBOL)),
        "history": data(api.query_all_algo_orders(symbol=SYMBOL)),
    }


def close_position(api):
    closed = data(
        api.new_order(
            symbol=SYMBOL, side="SELL", type="MARKET", quantity=QUANTITY, reduce_only="true"
        )
    )
    return {
        "closed": closed,
        "order": data(api.query_order(symbol=SYMBOL, order_id=closed["order_id"])),
        "positions": data(api.position_information_v3(symbol=SYMBOL)),
        "income": data(api.get_income_history(symbol=SYMBOL)),
        "orders": data(api.all_orders(symbol=SYMBOL)),
    }


def refused_orders(api, where):
    flat = api.new_algo_order
    forged = connect(where, api_secret="0" * 64).rest_api
    return {
        "would_trigger": refusal(flat, **SIZED, trigger_price=51000),
        "close_while_flat": refusal(flat, **WHOLE, trigger_price=48000),
        "old_route": refusal(
            api.new_order, symbol=SYMBOL, side="SELL", type="STOP_MARKET", quantity=QUANTITY
        ),
        "too_precise": refusal(flat, **SIZED, trigger_price=49000.123),
        "unknown_stop": refusal(api.query_algo_order, algo_id=123),
        "bad_signature": refusal(forged.futures_account_balance_v3),
    }


def main():
    where = place()
    complaints = gather_complaints()
    api = connect(where).rest_api
    understood = {
        "market": look_at_market(api),
        "account": look_at_account(api),
        "position": open_position(api, where),
        "stops": place_stops(api),
    }
    understood["cancelled"] = cancel_stops(api, understood["stops"])
    understood["close"] = close_position(api)
    understood["refused"] = refused_orders(api, where)
    understood["complaints"] = complaints
    say(understood)


main()
