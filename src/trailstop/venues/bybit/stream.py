"""How Bybit is spoken to on its sockets: subscriptions, pings, and the log-in."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

import aiohttp
import msgspec

from trailstop.errors import ReadFailed
from trailstop.venues.bybit import codes, frames
from trailstop.venues.stream import CLOSED_KINDS, Method, Socket, Speech, Text

PAUSE_SECONDS = 0.05
"""Between two messages. The exchange states no limit; a hundred symbols take five seconds."""
PING_SECONDS = 20.0
"""What page `ws/connect` recommends."""
AUTH_VALID_MS = 10_000
"""How long the log-in may be under way, clocks included."""


class LoginRefused(ReadFailed):
    """The exchange does not take the log-in; `lasting` where only another key will do."""

    def __init__(self, text: str, *, lasting: bool) -> None:
        super().__init__(text)
        self.lasting = lasting


def speech(venue: str) -> Speech:
    """Numbered subscriptions, a symbol a message, and pings."""
    numbers = itertools.count(1)

    def messages(method: Method, names: Sequence[str]) -> Iterable[str]:
        for topics in frames.by_symbol(names):
            yield frames.subscription(method, topics, next(numbers))

    return Speech(
        venue,
        messages,
        PAUSE_SECONDS,
        ping=lambda: frames.ping(next(numbers)),
        ping_seconds=PING_SECONDS,
    )


async def log_in(
    socket: Socket, key: str, secret: str, exchange_ms: Callable[[], int]
) -> list[Text]:
    """Log in, subscribe to the account's topics, and see both accepted.

    Returns what came of the topics before the subscription was answered.

    Raises: LoginRefused, ReadFailed for a refused subscription, ConnectionResetError.
    """
    early: list[Text] = []
    await socket.send_str(frames.auth(key, secret, exchange_ms() + AUTH_VALID_MS))
    answer = await _answer(socket, "auth", early)
    if answer.refused:
        raise LoginRefused(
            f"the log-in is refused ({answer.text})",
            lasting=answer.code is None or answer.code in codes.KEY_CODES,
        )
    await socket.send_str(frames.subscription("subscribe", frames.ACCOUNT_TOPICS, 1))
    answer = await _answer(socket, "subscribe", early)
    if answer.refused:
        raise ReadFailed(f"the account's topics are refused ({answer.text})")
    return early


async def _answer(socket: Socket, op: str, early: list[Text]) -> frames.Frame:
    """The next answer of this kind; pushes before it are kept. The caller bounds the time."""
    while True:
        message = await socket.receive()
        if message.type in CLOSED_KINDS:
            raise ConnectionResetError(f"closed by the exchange ({message.data})")
        if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            continue
        try:
            frame = frames.FRAME(message.data)
        except msgspec.DecodeError as error:
            raise ReadFailed(f"an answer to {op} cannot be read: {error}") from error
        if frame.topic:
            early.append(message.data)
        elif frame.op == op:
            return frame
