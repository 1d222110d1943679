"""ccxt's binanceusdm over REST: markets, money, a position, its stops, and refusals."""

import ccxt
from ccxt_setup import point_at, refusal, settings
from hands import control, place, say

SYMBOL = "BTC/USDT:USDT"
QUANTITY = 0.02


def connect(where, **changes):
    return point_at(ccxt.binanceusdm(settings(where, **changes)), where)


def look_at_market(client):
    return {
        "markets": client.load_markets(),
        "time": client.fetch_time(),
        "ticker": client.fetch_ticker(SYMBOL),
        "tickers": client.fetch_tickers(),
        "last_prices": client.fetch_last_prices(),
        "bids_asks": client.fetch_bids_asks(),
        "mark": client.fetch_mark_price(SYMBOL),
        "funding": client.fetch_funding_rate(SYMBOL),
        "candles": client.fetch_ohlcv(SYMBOL, "1m"),
        "mark_candles": client.fetch_mark_ohlcv(SYMBOL, "1m"),
        "trades": client.fetch_trades(SYMBOL, limit=3),
        "book": client.fetch_order_book(SYMBOL, limit=5),
    }


def look_at_account(client):
    return {
        "balance": client.fetch_balance(),
        "fee": client.fetch_trading_fee(SYMBOL),
        "mode": client.fetch_position_mode(SYMBOL),
        "leverages": client.fetch_leverages([SYMBOL]),
        "leverage_set": client.set_leverage(7, SYMBOL),
        "leverage": client.fetch_leverage(SYMBOL),
        "same_margin_mode": refusal(client.set_margin_mode, "cross", SYMBOL),
    }


def open_position(client, where):
    opened = client.create_order(SYMBOL, "market", "buy", QUANTITY)
    own = client.fetch_positions([SYMBOL])
    control(
        where,
        "/control/positions",
        {"account": where["account"], "symbol": "ETHUSDT", "side": "short", "quantity": "1"},
    )
    return {
        "opened": opened,
        "opening": client.fetch_order(opened["id"], SYMBOL),
        "own": own,
        "all": client.fetch_positions(),
        "legacy": client.fetch_positions([SYMBOL], {"useV2": True}),
        "by_account": client.fetch_positions([SYMBOL], {"method": "account"}),
        "trades": client.fetch_my_trades(SYMBOL),
    }


def place_stops(client):
    sized = client.create_order(
        SYMBOL,
        "market",
        "sell",
        QUANTITY,
        None,
        {"stopLossPrice": 49000, "reduceOnly": True, "clientOrderId": "peer-sized"},
    )
    second = client.create_order(
        SYMBOL,
        "market",
        "sell",
        QUANTITY,
        None,
        {"stopLossPrice": 49100, "reduceOnly": True, "workingType": "MARK_PRICE"},
    )
    whole = client.create_order(
        SYMBOL, "STOP_MARKET", "sell", QUANTITY, None, {"stopPrice": 48000, "closePosition": True}
    )
    trailing = client.create_order(
        SYMBOL,
        "market",
        "sell",
        QUANTITY,
        None,
        {"trailingPercent": 1.5, "trailingTriggerPrice": 51000, "reduceOnly": True},
    )
    return {
        "sized": sized,
        "second": second,
        "whole": whole,
        "trailing": trailing,
        "listed": client.fetch_open_orders(SYMBOL, params={"trigger": True}),
        "listed_plain": client.fetch_open_orders(SYMBOL),
        "queried": client.fetch_order(sized["id"], SYMBOL, {"trigger": True}),
        "twin": refusal(
            client.create_order,
            SYMBOL,
            "STOP_MARKET",
            "sell",
            QUANTITY,
            None,
            {"stopPrice": 47000, "closePosition": True},
        ),
    }


def cancel_stops(client, stops):
    by_id = client.cancel_order(stops["second"]["id"], SYMBOL, {"trigger": True})
    by_name = client.cancel_order(
        None, SYMBOL, {"trigger": True, "clientAlgoId": stops["sized"]["clientOrderId"]}
    )
    left = client.fetch_open_orders(SYMBOL, params={"trigger": True})
    again = refusal(client.cancel_order, stops["second"]["id"], SYMBOL, {"trigger": True})
    client.cancel_all_orders(SYMBOL, {"trigger": True})
    return {
        "by_id": by_id,
        "by_name": by_name,
        "left": left,
        "again": again,
        "none_left": client.fetch_open_orders(SYMBOL, params={"trigger": True}),
        "queried": client.fetch_order(stops["second"]["id"], SYMBOL, {"trigger": True}),
        "history": client.fetch_orders(SYMBOL, params={"trigger": True}),
    }


def close_position(client):
    limit = client.create_order(SYMBOL, "limit", "sell", QUANTITY, 52000, {"reduceOnly": True})
    resting = client.fetch_open_orders(SYMBOL)
    cancelled = client.cancel_order(limit["id"], SYMBOL)
    closed = client.create_order(SYMBOL, "market", "sell", QUANTITY, None, {"reduceOnly": True})
    return {
        "limit": limit,
        "resting": resting,
        "cancelled": cancelled,
        "closed": closed,
        "closing": client.fetch_order(closed["id"], SYMBOL),
        "left": client.fetch_positions([SYMBOL]),
        "ledger": client.fetch_ledger(),
        "all_orders": client.fetch_orders(SYMBOL),
    }


def refused_orders(client):
    """Called while flat in the symbol."""
    old_route = {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET", "quantity": "0.02"}
    beyond = {"stopLossPrice": 51000, "reduceOnly": True}
    return {
        "would_trigger": refusal(
            client.create_order, SYMBOL, "market", "sell", QUANTITY, None, beyond
        ),
        "old_route": refusal(client.fapiPrivatePostOrder, {**old_route, "stopPrice": "49000"}),
        "close_while_flat": refusal(
            client.create_order,
            SYMBOL,
            "STOP_MARKET",
            "sell",
            QUANTITY,
            None,
            {"stopPrice": 48000, "closePosition": True},
        ),
        "reduce_while_flat": refusal(
            client.create_order, SYMBOL, "market", "sell", QUANTITY, None, {"reduceOnly": True}
        ),
        "unknown_stop": refusal(client.fetch_order, "123", SYMBOL, {"trigger": True}),
        "unknown_order": refusal(client.cancel_order, "123", SYMBOL),
        "unknown_symbol": refusal(client.fapiPublicGetKlines, {"symbol": "NO", "interval": "1m"}),
    }


def refused_access(where):
    made_up = {"apiKey": "f" * 64}
    return {
        "bad_signature": refusal(connect(where, secret="0" * 64).fetch_balance),
        "unknown_key": refusal(connect(where, **made_up).fetch_balance),
        "malformed_key": refusal(connect(where, apiKey="short").fetch_balance),
        "late": refusal(_late(where).fetch_balance),
    }


def _late(where):
    client = connect(where)
    client.options["timeDifference"] = 60_000
    return client


def main():
    where = place()
    client = connect(where)
    understood = {
        "market": look_at_market(client),
        "account": look_at_account(client),
        "position": open_position(client, where),
    }
    understood["stops"] = place_stops(client)
    understood["cancelled"] = cancel_stops(client, understood["stops"])
    understood["close"] = close_position(client)
    understood["refused"] = refused_orders(client) | refused_access(where)
    understood["headers"] = dict(client.last_response_headers)
    say(understood)


main()
