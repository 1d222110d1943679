"""The life of listen keys (page "Start User Data Stream"): 60 minutes, extended by a call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from trailstop.paper.binance.errors import UNKNOWN_LISTEN_KEY
from trailstop.paper.binance.routes import Call, Route, Security
from trailstop.timelink import VirtualLoop

LIFE_US = 60 * 60 * 1_000_000


class ListenKeys:
    """At most one living key for each account."""

    def __init__(self, loop: VirtualLoop, seed: int, expired: Callable[[str, int], None]) -> None:
        """Call `expired` with each key that ends, and how many events say so."""
        self._loop = loop
        self._seed = seed
        self._expired = expired
        self._keys: dict[str, str] = {}
        self._accounts: dict[str, str] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._generation = 0

    def account_of(self, listen_key: str) -> str | None:
        """The API key of the account whose living listen key this is."""
        return self._accounts.get(listen_key)

    def key_of(self, account: str) -> str | None:
        """The living listen key of the account with this API key."""
        return self._keys.get(account)

    def start(self, account: str) -> str:
        """The account's key, new or the living one, good for another hour."""
        listen_key = self._keys.get(account)
        if listen_key is None:
            self._generation += 1
            source = f"{self._seed}|{account}|{self._generation}"
            listen_key = sha256(source.encode()).hexdigest()
            self._keys[account] = listen_key
            self._accounts[listen_key] = account
        self.extend(account)
        return listen_key

    def extend(self, account: str) -> str:
        """Give the account's key another hour; ApiError -1125 where there is none."""
        listen_key = self._keys.get(account)
        if listen_key is None:
            raise UNKNOWN_LISTEN_KEY
        timer = self._timers.get(account)
        if timer is not None:
            timer.cancel()
        self._timers[account] = self._loop.call_at_us(
            self._loop.now_us + LIFE_US, self.end, account
        )
        return listen_key

    def end(self, account: str, events: int = 1) -> bool:
        """End the account's key, by age, by its owner's wish or by a fault; False without one."""
        listen_key = self._keys.pop(account, None)
        if listen_key is None:
            return False
        timer = self._timers.pop(account)
        timer.cancel()
        self._expired(listen_key, events)
        del self._accounts[listen_key]
        return True


def start(call: Call) -> Any:
    """Page "Start User Data Stream"."""
    return {"listenKey": call.listen_keys.start(call.key)}


def keep_alive(call: Call) -> Any:
    """Page "Keepalive User Data Stream"."""
    return {"listenKey": call.listen_keys.extend(call.key)}


def close(call: Call) -> Any:
    """Page "Close User Data Stream"."""
    call.listen_keys.end(call.key)
    return {}


PATH = "/fapi/v1/listenKey"
ROUTES = (
    Route("POST", PATH, Security.KEY, 1, start),
    Route("PUT", PATH, Security.KEY, 1, keep_alive),
    Route("DELETE", PATH, Security.KEY, 1, close),
)
