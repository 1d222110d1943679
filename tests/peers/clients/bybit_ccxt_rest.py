"""ccxt's bybit over REST: markets, money, modes, positions, their stops, and refusals."""

import time

import ccxt
from ccxt_setup import bybit_settings, point_bybit_at, refusal
from hands import place, say

SYMBOL = "BTC/USDT:USDT"
ETH = "ETH/USDT:USDT"
QUANTITY = 0.02
HALF = 0.01
ORDERS_LAST_S = 1.0
"""Ten orders a second are allowed: after so long those before count no more."""


def connect(where, **changes):
    return point_bybit_at(ccxt.bybit(bybit_settings(where, **changes)), where)


def look_at_market(client):
    return {
        "markets": client.load_markets(),
        "time": client.fetch_time(),
        "ticker": client.fetch_ticker(SYMBOL),
        "tickers": client.fetch_tickers([SYMBOL, ETH]),
        "bids_asks": client.fetch_bids_asks([SYMBOL]),
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
        "leverage_set": client.set_leverage(7, SYMBOL),
        "leverage": client.fetch_leverage(SYMBOL),
        "same_leverage": refusal(client.set_leverage, 7, SYMBOL),
        "margin_mode": refusal(client.set_margin_mode, "cross", SYMBOL),
    }


def open_position(client):
    opened = client.create_order(SYMBOL, "market", "buy", QUANTITY)
    client.create_order(ETH, "market", "sell", 1)
    return {
        "opened": opened,
        "opening": client.fetch_closed_order(opened["id"], SYMBOL),
        "acknowledged": client.fetch_order(opened["id"], SYMBOL, {"acknowledged": True}),
        "own": client.fetch_position(SYMBOL),
        "all": client.fetch_positions(),
        "trades": client.fetch_my_trades(SYMBOL),
    }


def keep_position_stops(client):
    """The position's own stops: set, moved in place, trailing, partial, removed."""

    def own(amount, wish):
        wish = {"tradingStopEndpoint": True, "positionIdx": 0, **wish}
        return client.create_order(SYMBOL, "market", "sell", amount, None, wish)

    full = {"slTriggerBy": "MarkPrice"}
    kept = {"set": own(0, {**full, "stopLossPrice": 49000})}
    kept["resting"] = client.fetch_open_orders(SYMBOL)
    own(0, {**full, "stopLossPrice": 49500})
    kept["moved"] = client.fetch_open_orders(SYMBOL)
    kept["position"] = client.fetch_position(SYMBOL)
    kept["same_again"] = refusal(own, 0, {**full, "stopLossPrice": 49500})
    kept["wrong_side"] = refusal(own, 0, {**full, "stopLossPrice": 51000})
    own(0, {"trailingAmount": "500", "trailingTriggerPrice": 50500, "tpslMode": "Full"})
    kept["trailing"] = client.fetch_position(SYMBOL)
    own(HALF, {"stopLossPrice": 48000})
    kept["all_forms"] = client.fetch_open_orders(SYMBOL, params={"trigger": True})
    client.cancel_all_orders(SYMBOL)
    kept["left"] = client.fetch_open_orders(SYMBOL)
    return kept


def keep_conditionals(client):
    """Conditional reduce-only stops: placed, amended in place, found, cancelled, refused."""
    stop = (SYMBOL, "market", "sell", QUANTITY, None)
    wish = {"positionIdx": 0, "triggerBy": "MarkPrice"}
    named = {**wish, "closeOnTrigger": True, "clientOrderId": "peer-stop"}
    placed = client.create_order(*stop, {**named, "stopLossPrice": 49000})
    second = client.create_order(
        *stop, {"triggerPrice": 48900, "triggerDirection": "descending", "reduceOnly": True}
    )
    kept = {"placed": placed, "second": second, "listed": client.fetch_open_orders(SYMBOL)}
    kept["one"] = client.fetch_open_order(placed["id"], SYMBOL)
    kept["edited"] = client.edit_order(
        placed["id"],
        SYMBOL,
        "market",
        "sell",
        None,
        None,
        {"triggerPrice": "49100.0", "triggerBy": "MarkPrice"},
    )
    kept["after_edit"] = client.fetch_open_order(placed["id"], SYMBOL)
    kept["twin"] = refusal(client.create_order, *stop, {**named, "stopLossPrice": 49000})
    kept["would_trigger"] = refusal(client.create_order, *stop, {**wish, "stopLossPrice": 51000})
    kept["cancelled"] = client.cancel_order(placed["id"], SYMBOL)
    kept["again"] = refusal(client.cancel_order, placed["id"], SYMBOL)
    client.cancel_all_orders(SYMBOL, {"trigger": True})
    kept["left"] = client.fetch_open_orders(SYMBOL)
    kept["history"] = client.fetch_canceled_and_closed_orders(SYMBOL)
    return kept


def close_position(client):
    limit = client.create_order(SYMBOL, "limit", "sell", QUANTITY, 50400, {"reduceOnly": True})
    resting = client.fetch_open_orders(SYMBOL)
    cancelled = client.cancel_order(limit["id"], SYMBOL)
    closed = client.create_order(
        SYMBOL, "market", "sell", 0, None, {"qty": "0", "reduceOnly": True, "closeOnTrigger": True}
    )
    return {
        "limit": limit,
        "resting": resting,
        "cancelled": cancelled,
        "closing": client.fetch_closed_order(closed["id"], SYMBOL),
        "left": client.fetch_positions(),
        "closed_pnl": client.fetch_positions_history([SYMBOL]),
        "ledger": client.fetch_ledger("USDT"),
        "trades": client.fetch_my_trades(SYMBOL),
    }


def hold_both_ways(client):
    """Hedge mode: both legs of a symbol, a stop on each, and back to one-way."""
    time.sleep(ORDERS_LAST_S)
    held = {"blocked": refusal(client.set_position_mode, True, ETH)}
    client.set_position_mode(True, SYMBOL)
    held["same_mode"] = refusal(client.set_position_mode, True, SYMBOL)
    held["without_index"] = refusal(client.create_order, SYMBOL, "market", "buy", QUANTITY)
    client.create_order(SYMBOL, "market", "buy", QUANTITY, None, {"hedged": True})
    client.create_order(SYMBOL, "market", "sell", HALF, None, {"positionIdx": 2})
    held["positions"] = client.fetch_positions([SYMBOL])
    for index, side, price in ((1, "sell", 49000), (2, "buy", 51000)):
        client.create_order(
            SYMBOL,
            "market",
            side,
            0,
            None,
            {"stopLossPrice": price, "tradingStopEndpoint": True, "positionIdx": index},
        )
    client.create_order(
        SYMBOL,
        "market",
        "sell",
        QUANTITY,
        None,
        {"stopLossPrice": 48900, "hedged": True, "reduceOnly": True},
    )
    held["stops"] = client.fetch_open_orders(SYMBOL)
    close = {"reduceOnly": True, "hedged": True}
    client.create_order(SYMBOL, "market", "sell", QUANTITY, None, close)
    client.create_order(SYMBOL, "market", "buy", HALF, None, close)
    held["stops_left"] = client.fetch_open_orders(SYMBOL)
    held["with_orders"] = refusal(client.set_position_mode, False, SYMBOL)
    client.cancel_all_orders(SYMBOL)
    held["one_way"] = client.set_position_mode(False, SYMBOL)
    held["left"] = client.fetch_positions([SYMBOL])
    return held


def open_with_stops(client):
    """Stops that come with the opening order, and end with its position."""
    stops = {"stopLoss": {"triggerPrice": 51000}, "takeProfit": {"triggerPrice": 48000}}
    client.create_order(SYMBOL, "market", "sell", HALF, None, stops)
    attached = {
        "stops": client.fetch_open_orders(SYMBOL),
        "position": client.fetch_position(SYMBOL),
    }
    client.create_order(SYMBOL, "market", "buy", HALF, None, {"reduceOnly": True})
    attached["left"] = client.fetch_open_orders(SYMBOL)
    return attached


def be_refused(client, where):
    """Called while flat in the symbol."""
    made_up = {"apiKey": "f" * 36}
    late = connect(where)
    late.options["timeDifference"] = 60_000
    whole = {"stopLossPrice": 49000, "tradingStopEndpoint": True, "positionIdx": 0}
    return {
        "no_position": refusal(client.create_order, SYMBOL, "market", "sell", 0, None, whole),
        "reduce_while_flat": refusal(
            client.create_order, SYMBOL, "market", "sell", QUANTITY, None, {"reduceOnly": True}
        ),
        "unknown_order": refusal(client.cancel_order, "never-was", SYMBOL),
        "bad_signature": refusal(connect(where, secret="0" * 64).fetch_balance),
        "unknown_key": refusal(connect(where, **made_up).fetch_balance),
        "late": refusal(late.fetch_balance),
    }


def main():
    where = place()
    client = connect(where)
    understood = {
        "market": look_at_market(client),
        "account": look_at_account(client),
        "position": open_position(client),
        "position_stops": keep_position_stops(client),
        "conditionals": keep_conditionals(client),
        "closed": close_position(client),
        "hedge": hold_both_ways(client),
        "attached": open_with_stops(client),
        "headers": dict(client.last_response_headers),
    }
    understood["refused"] = be_refused(client, where)
    say(understood)


main()
