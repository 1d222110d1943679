"""ccxt's binanceusdm and bybit pointed at the paper exchange by their own tables of addresses."""

import ccxt

FUTURES = "fapi"
LINEAR_ALONE = {"fetchMarkets": {"types": ["linear"]}}
"""The paper exchange has no other markets than the linear ones."""


def settings(where, **changes):
    """What both flavours of the client are built from."""
    return {
        "apiKey": where["key"],
        "secret": where["secret"],
        "enableRateLimit": False,
        "options": {"fetchCurrencies": False},
        **changes,
    }


def point_at(client, where):
    """Send its futures calls and its streams to the paper exchange."""
    urls = client.urls["api"]
    for name, url in urls.items():
        if name.startswith(FUTURES):
            urls[name] = url.replace("https://fapi.binance.com", where["rest"])
    if "ws" in urls:
        urls["ws"]["linear"] = where["ws"] + "/ws"
    return client


def bybit_settings(where, **changes):
    """What both flavours of the bybit client are built from."""
    return {**settings(where), "options": LINEAR_ALONE, **changes}


def point_bybit_at(client, where):
    """Send its calls and its streams to the Bybit side of the paper exchange."""
    urls = client.urls["api"]
    urls["public"] = urls["private"] = where["bybit_rest"]
    client.has["fetchCurrencies"] = False
    if "ws" in urls:
        streams = where["bybit_ws"] + "/v5"
        urls["ws"]["public"]["linear"] = streams + "/public/linear"
        urls["ws"]["private"]["contract"] = streams + "/private"
        urls["ws"]["private"]["trade"] = streams + "/trade"
    return client


def refusal(call, *arguments):
    """Class and text of the error that a call ends with."""
    try:
        call(*arguments)
    except ccxt.BaseError as error:
        return {"class": type(error).__name__, "text": str(error)}
    return None
