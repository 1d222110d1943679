"""One WebSocket connection of a client, and the answers to its control frames."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from trailstop.paper.outbox import Outbox

MESSAGES_PER_SECOND = 10
"""Page "Connect" of the market streams: more from a client ends the connection."""
US_PER_SECOND = 1_000_000


class Socket(Outbox):
    """A connection on one of the routed paths.

    `group` is public, market or private; un-routed connections are public ones.
    """

    def __init__(self, ws: web.WebSocketResponse, group: str, combined: bool) -> None:
        super().__init__(ws)
        self.group = group
        self.combined = combined
        self.events: frozenset[str] = frozenset()
        """Kinds of user events that were asked for; empty means all."""
        self.streams: dict[str, None] = {}
        """Names of subscribed streams, in the order of subscription."""
        self._second = -1
        self._in_second = 0

    def too_fast(self, now_us: int) -> bool:
        """Count one message of the client; whether these are too many for one second."""
        second = now_us // US_PER_SECOND
        if second != self._second:
            self._second, self._in_second = second, 0
        self._in_second += 1
        return self._in_second > MESSAGES_PER_SECOND

    def wrap(self, stream: str, event: bytes) -> bytes:
        """The event in the form of this connection: raw, or named by its stream."""
        if not self.combined:
            return event
        return b'{"stream":"' + stream.encode() + b'","data":' + event + b"}"


def answer(request_id: Any, result: Any = None) -> dict[str, Any]:
    """The answer to a control frame."""
    return {"result": result, "id": request_id}


def refusal(text: str) -> dict[str, Any]:
    """The answer to a control frame that cannot be understood."""
    return {"error": {"code": 2, "msg": f"Invalid request: {text}"}}
