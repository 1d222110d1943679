"""Keys, signatures and the time rule (page "Integration Guidance", section "Authentication")."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from trailstop.paper.bybit.errors import KEY_INVALID, UNAUTHORIZED, ApiError
from trailstop.paper.model import Account

KEY_HEADER = "X-BAPI-API-KEY"
TIME_HEADER = "X-BAPI-TIMESTAMP"
WINDOW_HEADER = "X-BAPI-RECV-WINDOW"
SIGN_HEADER = "X-BAPI-SIGN"
DEFAULT_RECV_WINDOW_MS = 5_000
AHEAD_MS = 1_000
"""A timestamp must be less than this far ahead of the server's time."""
STREAM_PAYLOAD = "GET/realtime"
HEADERS_MISSING = ApiError(10003, "API key is missing or headers are incomplete.", UNAUTHORIZED)
SIGN_ERROR = 10004
TIME_ERROR = 10002


def sign(secret: str, payload: str) -> str:
    """HMAC-SHA256 of the payload in hexadecimal digits."""
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def account_of(accounts: Mapping[str, Account], key: str) -> Account:
    """The account of a key; ApiError 10003 for an unknown one."""
    account = accounts.get(key)
    if account is None:
        raise KEY_INVALID
    return account


def check_request(
    accounts: Mapping[str, Account], headers: Mapping[str, str], payload: str, now_ms: int
) -> Account:
    """The account that signed a request over `payload`: its query as sent, or its raw body.

    ApiError 401 without the headers, 10003 for an unknown key, 10002 outside of the time
    window, 10004 for a wrong signature.
    """
    key, stamp, given = (headers.get(name, "") for name in (KEY_HEADER, TIME_HEADER, SIGN_HEADER))
    if not key or not stamp or not given:
        raise HEADERS_MISSING
    account = account_of(accounts, key)
    window = headers.get(WINDOW_HEADER, "")
    check_time(stamp, window, now_ms)
    origin = f"{stamp}{key}{window}{payload}"
    if not hmac.compare_digest(sign(account.secret, origin), given):
        raise ApiError(
            SIGN_ERROR,
            "error sign! please check your signature generation algorithm. "
            f"origin_string[{origin}]",
        )
    return account


def check_time(stamp: str, window: str, now_ms: int) -> None:
    """Accept a timestamp from `window` ago to less than a second ahead; else ApiError 10002."""
    stamp_ms = int(stamp) if stamp.isascii() and stamp.isdigit() else 0
    window_ms = int(window) if window.isascii() and window.isdigit() else DEFAULT_RECV_WINDOW_MS
    if not now_ms - window_ms <= stamp_ms < now_ms + AHEAD_MS:
        raise ApiError(
            TIME_ERROR,
            "invalid request, please check your server timestamp or recv_window param. "
            f"req_timestamp[{stamp}],server_timestamp[{now_ms}],recv_window[{window_ms}]",
        )


def check_stream(
    accounts: Mapping[str, Account], key: str, expires_ms: int, signature: str, now_ms: int
) -> Account:
    """The account of a socket's `auth` frame; ApiError 10003, 10004 or, expired, 10004."""
    account = account_of(accounts, key)
    expected = sign(account.secret, f"{STREAM_PAYLOAD}{expires_ms}")
    if not hmac.compare_digest(expected, signature):
        raise ApiError(SIGN_ERROR, "Params Error: error sign!")
    if expires_ms <= now_ms:
        raise ApiError(SIGN_ERROR, "Params Error: expires is in the past")
    return account
