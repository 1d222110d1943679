"""A second bot's own requests: signed and sent over the exchange's protocol, as anybody's are."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import select
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from benchmarks.crash.processes import DrillError, ExchangeProcess

STEP_MS = 100
"""Virtual time that is granted at once while an answer is waited for."""
PATIENCE = 100
WAIT_SECONDS = 0.02
RECEIVE_WINDOW_MS = 5_000
OK = 200
US_PER_MS = 1_000


class Wire:
    """Sends signed requests in the drill's virtual time, which passes while they are under way."""

    def __init__(self, exchange: ExchangeProcess) -> None:
        self._exchange = exchange

    def ask(self, account: str, method: str, path: str, params: Mapping[str, object]) -> bool:
        """Whether the exchange did it. Raises: DrillError where it does not answer."""
        keys = self._exchange.accounts[account]
        now_ms = self._exchange.state()["now_us"] // US_PER_MS
        if self._exchange.scenario.venue == "bybit":
            target, headers, body = _bybit(keys, path, params, now_ms)
        else:
            target, headers, body = _binance(keys, path, params, now_ms)
        parts = urlsplit(self._exchange.rest)
        line = http.client.HTTPConnection(parts.hostname or "", parts.port)
        try:
            line.request(method, target, body, headers)
            for _ in range(PATIENCE):
                self._exchange.grant(STEP_MS)
                if select.select([line.sock], [], [], WAIT_SECONDS)[0]:
                    answer = line.getresponse()
                    return _is_done(answer.status, json.loads(answer.read()))
        finally:
            line.close()
        raise DrillError(f"the second bot's {method} {path} is not answered")


def _binance(
    keys: dict[str, str], path: str, params: Mapping[str, object], now_ms: int
) -> tuple[str, dict[str, str], str | None]:
    query = urlencode({**params, "timestamp": now_ms, "recvWindow": RECEIVE_WINDOW_MS})
    signature = _sign(keys["secret"], query)
    return f"{path}?{query}&signature={signature}", {"X-MBX-APIKEY": keys["key"]}, None


def _bybit(
    keys: dict[str, str], path: str, params: Mapping[str, object], now_ms: int
) -> tuple[str, dict[str, str], str | None]:
    body = json.dumps({"category": "linear", **params})
    signed = f"{now_ms}{keys['key']}{RECEIVE_WINDOW_MS}{body}"
    headers = {
        "Content-Type": "application/json",
        "X-BAPI-API-KEY": keys["key"],
        "X-BAPI-TIMESTAMP": str(now_ms),
        "X-BAPI-RECV-WINDOW": str(RECEIVE_WINDOW_MS),
        "X-BAPI-SIGN": _sign(keys["secret"], signed),
    }
    return path, headers, body


def _sign(secret: str, payload: str) -> str:
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def _is_done(status: int, answer: Any) -> bool:
    return status == OK and answer.get("retCode", 0) == 0
