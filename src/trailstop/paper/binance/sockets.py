"""One WebSocket connection of a client: what it has subscribed to and what waits to be sent."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from aiohttp import WSMsgType, web

MAX_WAITING = 20_000
"""Messages that may wait for a slow client before its connection is closed."""
MESSAGES_PER_SECOND = 10
"""Page "Connect" of the market streams: more from a client ends the connection."""
US_PER_SECOND = 1_000_000
POLICY_VIOLATION = 1008
GOING_AWAY = 1001


class Socket:
    """A connection on one of the routed paths.

    `group` is public, market or private; un-routed connections are public ones.
    """

    def __init__(self, ws: web.WebSocketResponse, group: str, combined: bool) -> None:
        self.group = group
        self.combined = combined
        self.events: frozenset[str] = frozenset()
        """Kinds of user events that were asked for; empty means all."""
        self.streams: dict[str, None] = {}
        """Names of subscribed streams, in the order of subscription."""
        self._ws = ws
        self._waiting: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._second = -1
        self._in_second = 0
        self._close_code: int | None = None

    def push(self, message: bytes) -> None:
        """Send a message as soon as the connection takes it."""
        if len(self._waiting) >= MAX_WAITING:
            self.close(POLICY_VIOLATION)
            return
        self._waiting.append(message)
        self._news.set()

    def close(self, code: int = GOING_AWAY) -> None:
        """End the connection."""
        self._close_code = code
        self._news.set()

    def too_fast(self, now_us: int) -> bool:
        """Count one message of the client; whether these are too many for one second."""
        second = now_us // US_PER_SECOND
        if second != self._second:
            self._second, self._in_second = second, 0
        self._in_second += 1
        return self._in_second > MESSAGES_PER_SECOND

    async def send_all(self) -> None:
        """Send what waits until the connection ends."""
        try:
            while self._close_code is None:
                await self._news.wait()
                self._news.clear()
                while self._waiting and self._close_code is None:
                    await self._ws.send_frame(self._waiting.popleft(), WSMsgType.TEXT)
            await self._ws.close(code=self._close_code)
        except ConnectionError:
            self._waiting.clear()

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
