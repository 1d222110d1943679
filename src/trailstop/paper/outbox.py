"""What waits to be sent on one WebSocket connection of the paper exchange, in any dialect."""

from __future__ import annotations

import asyncio
from collections import deque

from aiohttp import WSMsgType, web

MAX_WAITING = 20_000
"""Messages that may wait for a slow client before its connection is closed."""
POLICY_VIOLATION = 1008
GOING_AWAY = 1001


class Outbox:
    """Sends messages in the order in which they were pushed, as fast as the client takes them."""

    def __init__(self, ws: web.WebSocketResponse) -> None:
        self._ws = ws
        self._waiting: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._close_code: int | None = None

    def push(self, message: bytes) -> None:
        """Send a message as soon as the connection takes it."""
        if len(self._waiting) >= MAX_WAITING:
            self.close(POLICY_VIOLATION)
            return
        self._waiting.append(message)
        self._news.set()

    def close(self, code: int = GOING_AWAY) -> None:
        """End the connection; what still waits is dropped."""
        self._close_code = code
        self._news.set()

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
