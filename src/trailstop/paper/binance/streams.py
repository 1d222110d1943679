"""The WebSocket side: routed paths, subscriptions, and the facts that are pushed to them.

Since 2026-04-23 the paths are split: /public carries books, /market trades, marks and candles,
/private user data. A connection without a route stays open and gets public data only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qs

import msgspec
from aiohttp import WSMsgType, web

from trailstop.paper.binance import events
from trailstop.paper.binance.beats import Beats
from trailstop.paper.binance.listenkeys import ListenKeys
from trailstop.paper.binance.market_routes import INTERVALS
from trailstop.paper.binance.sockets import Socket, answer, refusal
from trailstop.paper.binance.user_events import UserEvents
from trailstop.paper.exchange import Exchange
from trailstop.paper.facts import BookMoved, Fact, KlineMoved, MarketChanged, TradePrinted
from trailstop.paper.outbox import POLICY_VIOLATION
from trailstop.paper.trouble.faults import Faults, Told
from trailstop.paper.trouble.interference import Interference

GROUPS = ("public", "market", "private")
DEPTH_LEVELS = (5, 10, 20)
DEPTH_SPEEDS = ("", "@100ms", "@250ms", "@500ms")
PUBLIC_KINDS = ("bookTicker", "depth", "rpiDepth", "!bookTicker")
MINUTE = "1m"
SERVICE_UNAVAILABLE = 503


class Streams:
    """All connections, found by the names of their streams."""

    def __init__(self, exchange: Exchange, faults: Faults) -> None:
        self._exchange = exchange
        self._faults = faults
        self._interference = Interference(exchange, faults)
        self._sockets: dict[Socket, None] = {}
        self._by_stream: dict[str, dict[Socket, None]] = {}
        self.listen_keys = ListenKeys(exchange.loop, exchange.seed, self._expire)
        self._user_events = UserEvents(exchange, self.listen_keys)
        self._beats = Beats(exchange, self.push, self.wanted)
        exchange.listen(self._hear)

    @property
    def connections(self) -> dict[str, int]:
        """Open connections by group."""
        return {group: sum(socket.group == group for socket in self._sockets) for group in GROUPS}

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Take one connection and serve it until it ends."""
        path, _, query = request.raw_path.partition("?")
        parts = [part for part in path.split("/") if part]
        group = parts.pop(0) if parts and parts[0] in GROUPS else "public"
        now_us = self._exchange.loop.now_us
        if self._faults.refuses_connection("", (group,), now_us):
            return web.Response(status=SERVICE_UNAVAILABLE)
        ws = web.WebSocketResponse(compress=False)
        await ws.prepare(request)
        socket = Socket(ws, group, combined=bool(parts) and parts[0] == "stream")
        for name in self._named(parts, query, socket):
            self._subscribe(socket, name)
        self._sockets[socket] = None
        sender = asyncio.ensure_future(socket.send_all())
        try:
            async for message in ws:
                if message.type is WSMsgType.TEXT:
                    self._command(socket, message.data)
        finally:
            sender.cancel()
            self._forget(socket)
        return ws

    def push(self, stream: str, spell: Callable[[], Any]) -> None:
        """Send an event to everybody who has this stream; it is spelled only if somebody has."""
        sockets = self._by_stream.get(stream)
        if not sockets:
            return
        event = spell()
        encoded = msgspec.json.encode(event)
        first = event[0] if isinstance(event, list) else event
        for socket in list(sockets):
            told = Told(
                groups=(socket.group,),
                stream=stream,
                event=first["e"],
                symbol=first.get("s", ""),
            )
            self._send(socket, told, stream, encoded)

    def wanted(self, suffix: str) -> list[str]:
        """Streams with this ending that somebody has."""
        return [name for name, held in self._by_stream.items() if held and name.endswith(suffix)]

    def cut(self, group: str) -> None:
        """End the connections of a group, or of all groups where it is empty."""
        for socket in list(self._sockets):
            if group in {"", socket.group}:
                socket.close()

    def close(self) -> None:
        """End everything."""
        self._beats.close()
        self.cut("")

    def _named(self, parts: list[str], query: str, socket: Socket) -> list[str]:
        """The streams that the address itself names."""
        asked = parse_qs(query)
        socket.events = frozenset(
            kind for text in asked.get("events", ()) for kind in text.split("/") if kind
        )
        named = [name for text in asked.get("streams", ()) for name in text.split("/")]
        named += [name for text in asked.get("listenKey", ()) for name in text.split("/")]
        return [name for name in (*parts[1:], *named) if name]

    def _command(self, socket: Socket, text: str) -> None:
        if socket.too_fast(self._exchange.loop.now_us):
            socket.close(POLICY_VIOLATION)
            return
        socket.push(msgspec.json.encode(self._obey(socket, text)))

    def _obey(self, socket: Socket, text: str) -> dict[str, Any]:
        try:
            frame = msgspec.json.decode(text, type=dict[str, Any])
        except msgspec.DecodeError:
            return refusal("a JSON object is expected")
        request_id, names = frame.get("id"), frame.get("params") or []
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            return refusal("params must be a list of stream names")
        match frame.get("method"):
            case "SUBSCRIBE":
                for name in names:
                    self._subscribe(socket, name)
                return answer(request_id)
            case "UNSUBSCRIBE":
                for name in names:
                    self._unsubscribe(socket, name)
                return answer(request_id)
            case "LIST_SUBSCRIPTIONS":
                return answer(request_id, list(socket.streams))
        return refusal("unknown method")

    def _subscribe(self, socket: Socket, name: str) -> None:
        socket.streams[name] = None
        if self._group_of(name) == socket.group:
            # A stream of another path is accepted and stays silent, as on the real exchange.
            self._by_stream.setdefault(name, {})[socket] = None
            self._beats.look()

    def _unsubscribe(self, socket: Socket, name: str) -> None:
        socket.streams.pop(name, None)
        held = self._by_stream.get(name)
        if held is not None:
            held.pop(socket, None)
            if not held:
                del self._by_stream[name]

    def _forget(self, socket: Socket) -> None:
        for name in list(socket.streams):
            self._unsubscribe(socket, name)
        self._sockets.pop(socket, None)

    def _group_of(self, name: str) -> str:
        if self.listen_keys.account_of(name) is not None:
            return "private"
        kind = name.partition("@")[2] or name
        return "public" if kind.startswith(PUBLIC_KINDS) else "market"

    def _hear(self, facts: Sequence[Fact]) -> None:
        if not self._by_stream:
            return
        for fact in facts:
            match fact:
                case TradePrinted():
                    self.push(
                        f"{fact.symbol.lower()}@aggTrade",
                        lambda fact=fact: events.aggregate_trade(fact),  # type: ignore[misc]
                    )
                case BookMoved():
                    self._book(fact)
                case KlineMoved():
                    self._kline(fact)
                case MarketChanged():
                    self._contract(fact.symbol)
        for account, event in self._user_events.of(facts):
            self._tell_user(account, event)

    def _book(self, fact: BookMoved) -> None:
        name = fact.symbol.lower()
        self.push(f"{name}@bookTicker", lambda: events.book_ticker(fact))
        self.push("!bookTicker", lambda: events.book_ticker(fact))
        market = self._exchange.world.markets[fact.symbol]
        for levels in DEPTH_LEVELS:
            for speed in DEPTH_SPEEDS:
                self.push(
                    f"{name}@depth{levels}{speed}",
                    lambda levels=levels: events.partial_depth(  # type: ignore[misc]
                        fact, market, levels
                    ),
                )

    def _contract(self, symbol: str) -> None:
        market, now_ms = self._exchange.world.markets[symbol], self._exchange.now_ms
        self.push("!contractInfo", lambda: events.contract_info(market, now_ms))

    def _kline(self, fact: KlineMoved) -> None:
        name = fact.symbol.lower()
        self.push(
            f"{name}@kline_{MINUTE}",
            lambda: events.kline(fact.symbol, MINUTE, fact.kline, fact.closed, fact.time_us),
        )
        for interval in INTERVALS:
            stream = f"{name}@kline_{interval}"
            if interval == MINUTE or stream not in self._by_stream:
                continue
            rows = self._exchange.world.klines(
                fact.symbol, interval, end_us=fact.kline.open_us, limit=1
            )
            for row in rows[-1:]:
                closed = fact.closed and row.close_us == fact.kline.close_us
                self.push(
                    stream,
                    lambda row=row, closed=closed, interval=interval: events.kline(  # type: ignore[misc]
                        fact.symbol, interval, row, closed, fact.time_us
                    ),
                )

    def _tell_user(self, account: str, event: events.Event) -> None:
        listen_key = self.listen_keys.key_of(account)
        if listen_key is None:
            return
        sockets = self._by_stream.get(listen_key, {})
        encoded = msgspec.json.encode(event)
        told = Told(
            groups=("private",),
            stream=listen_key,
            event=event["e"],
            account=account,
            account_name=self._exchange.world.accounts[account].name,
            symbol=event.get("o", {}).get("s", ""),
        )
        for socket in list(sockets):
            if not socket.events or event["e"] in socket.events:
                self._send(socket, told, listen_key, encoded)

    def _send(self, socket: Socket, told: Told, stream: str, event: bytes) -> None:
        self._interference.send(socket, told, event, lambda content: socket.wrap(stream, content))

    def _expire(self, listen_key: str, times: int) -> None:
        now_ms = self._exchange.now_ms
        for _ in range(times):
            self.push(listen_key, lambda: events.listen_key_expired(listen_key, now_ms))
        for socket in list(self._by_stream.get(listen_key, {})):
            self._unsubscribe(socket, listen_key)
