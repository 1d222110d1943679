"""Helpers of the stream tests: sockets that ask, prove themselves and take what comes."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import Any

from tests.paper.bybit.support import Bybit
from tests.paper.server import support
from tests.paper.server.support import Client

QUIET_S = 40
PUBLIC, PRIVATE, TRADE = "/v5/public/linear", "/v5/private", "/v5/trade"

Message = dict[str, Any]


def run(scenario: Any, prices: Sequence[int | str] = (100,) * 400, **more: Any) -> Any:
    """Run `scenario(client)` against an exchange that speaks this dialect too."""
    return support.run(scenario, prices, bybit_port=0, **more)


class Stream:
    """One connection of a client."""

    def __init__(self, client: Client, socket: Any) -> None:
        self.client = client
        self.socket = socket

    @property
    def closed(self) -> bool:
        return bool(self.socket.closed)

    async def send(self, **frame: Any) -> None:
        await self.socket.send_json(frame)

    async def take(self, count: int = 1_000, within_s: float = QUIET_S) -> list[Message]:
        """So many messages, fewer where nothing more comes or the connection ends."""
        messages: list[Message] = []
        while len(messages) < count:
            try:
                messages.append(await self.socket.receive_json(timeout=within_s))
            except (TimeoutError, TypeError):
                break
        return messages

    async def take_for(self, span_s: float) -> list[Message]:
        """Everything that comes within so much virtual time."""
        messages: list[Message] = []
        until_ms = self.client.now_ms + span_s * 1_000
        while self.client.now_ms < until_ms:
            left_s = max((until_ms - self.client.now_ms) / 1_000, 0.001)
            messages += await self.take(1, left_s)
            if self.closed:
                break
        return messages

    async def ask(self, **frame: Any) -> Message:
        """The answer to a control frame; what else comes before it is dropped."""
        await self.send(**frame)
        return await self.until(lambda message: "topic" not in message)

    async def until(self, wanted: Callable[[Message], bool]) -> Message:
        """The first message of this kind."""
        while True:
            message: Message = await self.socket.receive_json()
            if wanted(message):
                return message

    async def subscribe(self, *topics: str, **more: Any) -> Message:
        return await self.ask(op="subscribe", args=list(topics), **more)

    async def authenticate(self, in_ms: int = 10_000, secret: str = "", key: str = "") -> Message:
        expires = self.client.now_ms + in_ms
        signature = sign(secret or self.client.secret, f"GET/realtime{expires}")
        return await self.ask(op="auth", args=[key or self.client.key, expires, signature])


async def post(client: Client, path: str, **body: Any) -> Message:
    """The answer to a signed REST call."""
    answer: Message = await Bybit(client).post(path, **body)
    return answer


def sign(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


async def connect(client: Client, path: str, query: str = "") -> Stream:
    address = f"{client.addresses.bybit_ws}{path}{query}"
    return Stream(client, await client.http.ws_connect(address))


async def private(client: Client, *topics: str) -> Stream:
    """A proven connection with these topics."""
    stream = await connect(client, PRIVATE)
    assert (await stream.authenticate())["success"]
    if topics:
        assert (await stream.subscribe(*topics))["success"]
    return stream


def rows(messages: list[Message], topic: str) -> list[Message]:
    """The rows of one topic, in their order."""
    return [row for message in messages if message.get("topic") == topic for row in message["data"]]


def merged(messages: list[Message]) -> list[Message]:
    """The ticker after each message, deltas merged over the snapshot."""
    whole: Message = {}
    states: list[Message] = []
    for message in messages:
        assert message["type"] == ("delta" if states else "snapshot")
        whole = whole | message["data"]
        states.append(whole)
    return states
