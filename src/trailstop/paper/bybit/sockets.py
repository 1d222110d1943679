"""One WebSocket connection of a client, and the answers to its control frames."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from trailstop.paper.bybit.auth import check_stream
from trailstop.paper.bybit.errors import bad
from trailstop.paper.bybit.topics import Topic
from trailstop.paper.exchange import Exchange
from trailstop.paper.outbox import Outbox

IDLE_S = 600
"""Page "Connect": a connection without a frame of its client is cut after ten minutes."""
LEAST_IDLE_S = 30
AUTH_ARGS = 3
"""Key, expiry in milliseconds, signature."""
WRONG_AUTH = bad("Params Error")

Frame = dict[str, Any]


class Socket(Outbox):
    """A connection on one of the three paths; `group` is public, private or trade."""

    def __init__(self, ws: web.WebSocketResponse, group: str, conn_id: str, idle_s: int) -> None:
        super().__init__(ws)
        self.group = group
        self.conn_id = conn_id
        self.idle_s = idle_s
        self.account = ""
        """API key, once the connection has proven itself."""
        self.topics: dict[str, Topic] = {}
        """Subscribed topics, in the order of subscription."""
        self.request_ids: set[str] = set()
        """Ids of the order requests of this connection."""
        self.heard_us = 0
        """When its client last sent a frame, in virtual time."""

    def result(self, frame: Frame, ret_msg: str = "", *, success: bool = True) -> Frame:
        """The answer to a control frame of the public and the private path."""
        return {
            "success": success,
            "ret_msg": ret_msg,
            "conn_id": self.conn_id,
            **_request_id(frame),
            "op": frame.get("op", ""),
        }

    def pong(self, frame: Frame, now_ms: int) -> Frame:
        """The answer to a ping; each path has a shape of its own."""
        if self.group == "public":
            return self.result(frame, "pong")
        if self.group == "private":
            pong = {"op": "pong", "args": [str(now_ms)], "conn_id": self.conn_id}
            return {**_request_id(frame), **pong}
        return {
            "retCode": 0,
            "retMsg": "OK",
            "op": "pong",
            "data": [str(now_ms)],
            "connId": self.conn_id,
        }


def idle_seconds(text: str | None) -> int:
    """What `max_active_time` asks for: `30s` to `600s`, or `1m` to `10m`; else ten minutes."""
    unit = {"s": 1, "m": 60}.get((text or "")[-1:])
    if text is None or unit is None or not text[:-1].isdecimal():
        return IDLE_S
    return min(max(int(text[:-1]) * unit, LEAST_IDLE_S), IDLE_S)


def authenticate(socket: Socket, frame: Frame, exchange: Exchange) -> None:
    """Let an `auth` frame name the socket's account; ApiError if it may not."""
    args = frame.get("args")
    if not isinstance(args, list) or len(args) != AUTH_ARGS:
        raise WRONG_AUTH
    key, expires, signature = map(str, args)
    if not (expires.isascii() and expires.isdigit()):
        raise WRONG_AUTH
    account = check_stream(
        exchange.world.accounts, key, int(expires), signature, exchange.skew.now_ms
    )
    socket.account = account.key


def _request_id(frame: Frame) -> Frame:
    request_id = frame.get("req_id")
    return {} if request_id is None else {"req_id": str(request_id)}
