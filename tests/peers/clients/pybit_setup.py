"""pybit pointed at the paper exchange by its own addresses; nothing else of it is touched."""

from pybit import _websocket_trading as trading
from pybit import unified_trading
from pybit.unified_trading import HTTP, WebSocket, WebSocketTrading

AUTH_EXPIRES_S = 10
"""A clock may be seconds off; pybit's own default allows for one."""


def connect(where, **changes):
    """A client for REST."""
    session = HTTP(**{**keys(where), **changes})
    session.endpoint = where["bybit_rest"]
    return session


def public_stream(where):
    """A connection for market data."""
    _point_streams_at(where)
    return WebSocket("linear", testnet=False)


def private_stream(where):
    """A connection that tells what happens to the account."""
    _point_streams_at(where)
    return WebSocket("private", testnet=False, private_auth_expire=AUTH_EXPIRES_S, **keys(where))


def trade_socket(where):
    """A connection that takes orders."""
    _point_streams_at(where)
    return WebSocketTrading(testnet=False, private_auth_expire=AUTH_EXPIRES_S, **keys(where))


def keys(where):
    """Key and secret by pybit's names."""
    return {"api_key": where["key"], "api_secret": where["secret"]}


def _point_streams_at(where):
    streams = where["bybit_ws"] + "/v5"
    unified_trading.PUBLIC_WSS = streams + "/public/{CHANNEL_TYPE}"
    unified_trading.PRIVATE_WSS = streams + "/private"
    trading.TRADE_WSS = streams + "/trade"
