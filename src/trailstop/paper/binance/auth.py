"""Keys, signatures and the time rule (page "General Info", section "SIGNED Endpoint Security")."""

from __future__ import annotations

import hashlib
import hmac
import re

from trailstop.paper.binance.errors import (
    BAD_SIGNATURE,
    EARLY_TIMESTAMP,
    KEY_FORMAT,
    KEY_UNKNOWN,
    LATE_TIMESTAMP,
    illegal,
    missing,
)
from trailstop.paper.model import Account

KEY_LENGTH = 64
AHEAD_MS = 1_000
"""A timestamp may be this far ahead of the server's time."""
DEFAULT_RECV_WINDOW_MS = 5_000
MAX_RECV_WINDOW_MS = 60_000
SIGNATURE = re.compile(r"(?:^|&)signature=([^&]*)")


def sign(secret: str, payload: str) -> str:
    """HMAC-SHA256 of the payload in hexadecimal digits."""
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def account_of(accounts: dict[str, Account], key: str) -> Account:
    """The account of a key; ApiError -2014 for a malformed and -2015 for an unknown one."""
    account = accounts.get(key)
    if account is not None:
        return account
    if len(key) != KEY_LENGTH or not key.isalnum():
        raise KEY_FORMAT
    raise KEY_UNKNOWN


def check_signature(secret: str, query: str, body: str) -> None:
    """Compare the signature with query and body as sent, one directly after the other."""
    found = SIGNATURE.search(query) or SIGNATURE.search(body)
    if found is None:
        raise missing("signature")
    payload = SIGNATURE.sub("", query).lstrip("&") + SIGNATURE.sub("", body).lstrip("&")
    if not hmac.compare_digest(sign(secret, payload), found[1]):
        raise BAD_SIGNATURE


def check_time(params: dict[str, str], now_ms: int) -> None:
    """Accept `timestamp` from `recvWindow` ago to less than one second ahead; else -1021."""
    stamp = _whole(params, "timestamp", None)
    window = _whole(params, "recvWindow", DEFAULT_RECV_WINDOW_MS)
    if window > MAX_RECV_WINDOW_MS:
        raise illegal("recvWindow")
    if stamp >= now_ms + AHEAD_MS:
        raise EARLY_TIMESTAMP
    if now_ms - stamp > window:
        raise LATE_TIMESTAMP


def _whole(params: dict[str, str], name: str, default: int | None) -> int:
    text = params.get(name, "")
    if not text:
        if default is None:
            raise missing(name)
        return default
    if not text.isascii() or not text.isdigit():
        raise illegal(name)
    return int(text)
