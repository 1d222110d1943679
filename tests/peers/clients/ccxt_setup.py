"""ccxt's binanceusdm pointed at the paper exchange by its own table of addresses."""

FUTURES = "fapi"


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
