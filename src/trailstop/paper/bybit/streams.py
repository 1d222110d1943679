"""The WebSocket side: three paths, subscriptions, and the facts that are pushed to them.

/v5/public/linear carries market data, /v5/private what happens to an account, /v5/trade takes
orders (see `trade_socket`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs
from uuid import NAMESPACE_OID, uuid5

import msgspec
from aiohttp import WSMsgType, web

from trailstop.paper.bybit.desk import Desk
from trailstop.paper.bybit.errors import NOT_FOUND, ApiError
from trailstop.paper.bybit.sockets import IDLE_S, Frame, Socket, authenticate, idle_seconds
from trailstop.paper.bybit.spelling import CATEGORY
from trailstop.paper.bybit.stream_private import FAST_EXECUTION, ORDER, PrivateEvents
from trailstop.paper.bybit.stream_public import PublicEvents
from trailstop.paper.bybit.topics import (
    MOST_ARGS_CHARS,
    Topic,
    mixes_forms,
    private_topic,
    public_topic,
)
from trailstop.paper.bybit.trade_socket import TradeSockets
from trailstop.paper.bybit.wire_market import Row
from trailstop.paper.chance import chance
from trailstop.paper.exchange import Exchange
from trailstop.paper.facts import Fact
from trailstop.paper.serving import Conditions
from trailstop.paper.trouble.faults import Told
from trailstop.paper.trouble.interference import Interference

PATHS = {"/v5/public/linear": "public", "/v5/private": "private", "/v5/trade": "trade"}
GROUPS = tuple(PATHS.values())
FAULT_GROUPS = {"public": ("public", "market"), "private": ("private",), "trade": ("trade",)}
"""Names by which faults know a path: market data have one path here, two elsewhere."""
SERVICE_UNAVAILABLE = 503
FRAME_BEFORE_ANSWER_BELOW = 0.5
US_PER_SECOND = 1_000_000
QUOTED = len('"",')


class Streams:
    """All connections, found by the topics that they have."""

    def __init__(self, exchange: Exchange, conditions: Conditions, desk: Desk) -> None:
        self._exchange = exchange
        self._faults = conditions.faults
        self._interference = Interference(exchange, conditions.faults)
        self.trade = TradeSockets(exchange, conditions, desk)
        self._sockets: dict[Socket, None] = {}
        self._by_topic: dict[str, dict[Socket, None]] = {}
        self._public = PublicEvents(exchange, self._push, self._by_topic.__contains__)
        self._private = PrivateEvents(exchange, desk, self._has_account)
        self._opened = 0
        self._told = 0
        exchange.listen(self._hear)
        desk.on_order(self._tell_order)

    @property
    def connections(self) -> dict[str, int]:
        """Open connections by group."""
        return {group: sum(socket.group == group for socket in self._sockets) for group in GROUPS}

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Take one connection and serve it until it ends."""
        path, _, query = request.raw_path.partition("?")
        group = PATHS.get(path)
        if group is None:
            return web.Response(status=NOT_FOUND)
        now_us = self._exchange.loop.now_us
        if self._faults.refuses_connection("", FAULT_GROUPS[group], now_us):
            return web.Response(status=SERVICE_UNAVAILABLE)
        ws = web.WebSocketResponse(compress=False)
        await ws.prepare(request)
        self._opened += 1
        conn_id = str(uuid5(NAMESPACE_OID, f"{self._exchange.seed}:connection:{self._opened}"))
        asked = parse_qs(query).get("max_active_time", [None])[0]
        idle_s = idle_seconds(asked) if group == "private" else IDLE_S
        socket = Socket(ws, group, conn_id, idle_s)
        socket.heard_us = self._exchange.loop.now_us
        self._sockets[socket] = None
        self._watch_idle(socket)
        sender = asyncio.ensure_future(socket.send_all())
        try:
            async for message in ws:
                socket.heard_us = self._exchange.loop.now_us
                if message.type is WSMsgType.TEXT:
                    self._take(socket, message.data)
        finally:
            sender.cancel()
            self._forget(socket)
        return ws

    def cut(self, group: str) -> None:
        """End the connections of a group, those that have a topic, or all where it is empty."""
        for socket in list(self._sockets):
            if group in {"", *FAULT_GROUPS[socket.group], *socket.topics}:
                socket.close()

    def close(self) -> None:
        """End everything."""
        self._public.close()
        self.trade.close()
        self.cut("")

    # --- Frames of clients ----------------------------------------------------------------------

    def _take(self, socket: Socket, text: str) -> None:
        try:
            frame = msgspec.json.decode(text, type=dict[str, Any])
        except msgspec.DecodeError:
            self._answer(socket, socket.result({}, "Params Error", success=False))
            return
        op = frame.get("op")
        if op == "ping":
            self._answer(socket, socket.pong(frame, self._exchange.skew.now_ms))
        elif socket.group == "trade":
            self.trade.take(socket, frame)
        elif op == "auth" and socket.group == "private":
            self._answer(socket, self._authenticate(socket, frame))
        elif op in ("subscribe", "unsubscribe"):
            self._change_topics(socket, frame)
        else:
            self._answer(socket, socket.result(frame, "error:invalid op", success=False))

    def _answer(self, socket: Socket, answer: Frame) -> None:
        socket.push(msgspec.json.encode(answer))

    def _authenticate(self, socket: Socket, frame: Frame) -> Frame:
        if socket.account:
            return socket.result(frame, "Repeat auth", success=False)
        try:
            authenticate(socket, frame, self._exchange)
        except ApiError as error:
            return socket.result(frame, error.text, success=False)
        return socket.result(frame)

    def _change_topics(self, socket: Socket, frame: Frame) -> None:
        names = frame.get("args")
        if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
            self._answer(socket, socket.result(frame, "Params Error", success=False))
            return
        if frame["op"] == "unsubscribe":
            for name in names:
                self._unsubscribe(socket, name)
            self._answer(socket, socket.result(frame))
            return
        topics, refusal = self._topics(socket, names)
        if refusal:
            self._answer(socket, socket.result(frame, refusal, success=False))
            return
        self._exchange.sync()
        frames = [(topic, first) for topic in topics if (first := self._subscribe(socket, topic))]
        drawn = chance(self._exchange.seed, "first_frame", self._exchange.loop.now_us, *names)
        if drawn >= FRAME_BEFORE_ANSWER_BELOW:
            self._answer(socket, socket.result(frame))
        for topic, first in frames:
            self._interference.send(socket, _told(socket.group, topic.name), first)
        if drawn < FRAME_BEFORE_ANSWER_BELOW:
            self._answer(socket, socket.result(frame))

    def _topics(self, socket: Socket, names: list[str]) -> tuple[list[Topic], str]:
        """The topics of these names, or why the request is refused as a whole."""
        if socket.group == "private" and not socket.account:
            return [], "Request not authorized"
        if sum(len(name) + QUOTED for name in (*socket.topics, *names)) > MOST_ARGS_CHARS:
            return [], f"error:length of args is over {MOST_ARGS_CHARS}"
        symbols = self._exchange.world.markets
        topics = []
        for name in names:
            private = socket.group == "private"
            topic = private_topic(name) if private else public_topic(name, symbols)
            if topic is None:
                return [], f"Invalid topic: {name}"
            if name in socket.topics:
                return [], f"error:already subscribed,topic:{name}"
            topics.append(topic)
        if mixes_forms(topics):
            return [], "error:all-in-one and categorised topics cannot be mixed in one request"
        return topics, ""

    def _subscribe(self, socket: Socket, topic: Topic) -> bytes | None:
        """Give the socket a topic; the frame that it begins with, if any."""
        socket.topics[topic.name] = topic
        self._by_topic.setdefault(topic.name, {})[socket] = None
        first = self._public.open(topic) if socket.group == "public" else None
        return None if first is None else msgspec.json.encode(first)

    def _unsubscribe(self, socket: Socket, name: str) -> None:
        socket.topics.pop(name, None)
        held = self._by_topic.get(name, {})
        held.pop(socket, None)
        if not held:
            self._by_topic.pop(name, None)
            self._public.end(name)

    def _forget(self, socket: Socket) -> None:
        for name in list(socket.topics):
            self._unsubscribe(socket, name)
        self._sockets.pop(socket, None)

    def _watch_idle(self, socket: Socket) -> None:
        """Cut the connection when its client has been silent for too long."""
        if socket not in self._sockets:
            return
        loop = self._exchange.loop
        due_us = socket.heard_us + socket.idle_s * US_PER_SECOND
        if loop.now_us >= due_us:
            socket.close()
        else:
            loop.call_at_us(due_us, self._watch_idle, socket)

    # --- Facts ----------------------------------------------------------------------------------

    def _hear(self, facts: Sequence[Fact]) -> None:
        if not self._by_topic:
            return
        self._public.hear(facts)
        for account, kind, told in self._private.of(facts):
            self._tell_account(account, kind, told)

    def _tell_order(self, key: str, row: Row, at_us: int) -> None:
        """An order that the world does not know, or the echo of a cancel that came too late."""
        del at_us
        self._tell_account(key, ORDER, [row])

    def _push(self, name: str, event: Row) -> None:
        """Send an event to everybody who has this topic."""
        sockets = self._by_topic.get(name)
        if not sockets:
            return
        encoded = msgspec.json.encode(event)
        for socket in list(sockets):
            self._interference.send(socket, _told(socket.group, name), encoded)

    def _tell_account(self, key: str, kind: str, rows: list[Row]) -> None:
        """Send rows to the account's connections, under the name of the topic that each has."""
        for name in (kind, f"{kind}.{CATEGORY}"):
            sockets = [row for row in self._by_topic.get(name, {}) if row.account == key]
            if not sockets:
                continue
            self._told += 1
            now_ms = self._exchange.now_ms
            number = {} if kind == FAST_EXECUTION else {"id": f"{now_ms}-{self._told}"}
            message = {**number, "topic": name, "creationTime": now_ms, "data": rows}
            encoded = msgspec.json.encode(message)
            told = Told(
                groups=FAULT_GROUPS["private"],
                stream=name,
                event=kind,
                account=key,
                account_name=self._exchange.world.accounts[key].name,
                symbol=rows[0].get("symbol", ""),
            )
            for socket in sockets:
                self._interference.send(socket, told, encoded)

    def _has_account(self, key: str) -> bool:
        return any(socket.account == key and socket.topics for socket in self._sockets)


def _told(group: str, topic: str) -> Told:
    kind, _, rest = topic.partition(".")
    return Told(
        groups=FAULT_GROUPS[group], stream=topic, event=kind, symbol=rest.rpartition(".")[2]
    )
