"""Order entry over /v5/trade: the order calls of the REST side as frames of one connection.

Pages "Websocket Trade Guideline" and "Error Codes". The connection proves itself once; its frames
are not signed. A position's own stops cannot be set here.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import msgspec

from trailstop.paper.bybit.auth import TIME_HEADER, WINDOW_HEADER, check_time
from trailstop.paper.bybit.desk import Desk
from trailstop.paper.bybit.errors import CLOCK_REFUSED, REJECTED, ApiError
from trailstop.paper.bybit.limits import over
from trailstop.paper.bybit.orders import OPERATIONS, Performed, perform
from trailstop.paper.bybit.params import Params
from trailstop.paper.bybit.sockets import Frame, Socket, authenticate
from trailstop.paper.exchange import Exchange
from trailstop.paper.serving import Conditions
from trailstop.paper.travel import SPOILING, TAKES_EFFECT, Lost, Road, takes_effect
from trailstop.paper.trouble.faults import Fault
from trailstop.paper.trouble.spoilt import page, spoilt

MS_PER_SECOND = 1_000
METHOD = "WS"
"""What requests on this path have in place of an HTTP method, for faults, holds and counts."""
ERROR_UNKNOWN = ApiError(10016, "Server error.")
ERROR_TIMEOUT = ApiError(10000, "Server Timeout")
RESTARTING = ApiError(10019, "ws trade service is restarting, do not accept new request")
OVERLOADED = ApiError(10429, "System level frequency protection")
ADDRESS_LIMIT = ApiError(10403, "Exceed IP rate limit. 3000 requests per second per IP")
UNKNOWN_OP = ApiError(10404, "op type is not found")
NOT_AUTHORIZED = ApiError(10003, "Request not authorized")
REPEATED_AUTH = ApiError(20001, "Repeat auth")
DUPLICATE_REQUEST = ApiError(20006, "reqId is duplicated")
FAULT_ANSWERS: dict[str, ApiError] = {
    "unknown": ERROR_UNKNOWN,
    "unavailable": RESTARTING,
    "overloaded": OVERLOADED,
    "internal": ERROR_TIMEOUT,
    "timeout": ERROR_TIMEOUT,
    "banned": ADDRESS_LIMIT,
    "forbidden": ADDRESS_LIMIT,
    "maintenance": RESTARTING,
    "clock_refused": CLOCK_REFUSED,
}


class TradeSockets:
    """Serves the frames of every connection to /v5/trade."""

    def __init__(self, exchange: Exchange, conditions: Conditions, desk: Desk) -> None:
        self._exchange = exchange
        self._desk = desk
        self._road = Road(exchange, conditions, REJECTED)
        self._under_way: set[asyncio.Task[None]] = set()
        self._answered = 0
        self.served: Counter[str] = Counter()
        """Requests by `WS` and operation, as they arrived."""

    def take(self, socket: Socket, frame: Frame) -> None:
        """Answer an `auth` frame at once, and let a request travel; it outlives its connection."""
        if frame.get("op") == "auth":
            socket.push(msgspec.json.encode(self._authenticate(socket, frame)))
            return
        task = asyncio.ensure_future(self._carry(socket, frame))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def close(self) -> None:
        """Drop the requests on their way."""
        for task in self._under_way:
            task.cancel()

    def _authenticate(self, socket: Socket, frame: Frame) -> Frame:
        try:
            if socket.account:
                raise REPEATED_AUTH
            authenticate(socket, frame, self._exchange)
        except ApiError as error:
            return {
                "op": "auth",
                "success": False,
                "retCode": error.ret_code,
                "retMsg": error.text,
                "connId": socket.conn_id,
            }
        return {"retCode": 0, "retMsg": "OK", "op": "auth", "connId": socket.conn_id}

    async def _carry(self, socket: Socket, frame: Frame) -> None:
        op = str(frame.get("op", ""))
        params = Params(_arguments(frame))
        link_id = params.values.get("orderLinkId", "")
        asked = self._road.asked(METHOD, op, socket.account, params.values, link_id, timed=True)
        self.served[f"{METHOD} {op}"] += 1
        try:
            answer = await self._road.carry(asked, lambda fault: self._effect(socket, frame, fault))
        except Lost as lost:
            if lost.fault.cut:
                socket.close()
            return
        socket.push(answer if isinstance(answer, bytes) else msgspec.json.encode(answer))

    def _effect(self, socket: Socket, frame: Frame, fault: Fault | None) -> Frame | bytes:
        """What the request does, at this moment, and what is answered to it.

        Bytes are sent as they are.
        """
        if fault is not None and fault.kind == "html":
            return page(fault)[1].encode()
        done = Performed({}, {}, {})
        code, text = 0, "OK"
        try:
            if takes_effect(fault):
                done = self._serve(socket, frame)
            if fault is not None and fault.kind not in TAKES_EFFECT:
                raise self._fault_answer(fault)
        except ApiError as error:
            # Refusals without a variable part are raised again and again; their trace would grow.
            error.__traceback__ = None
            code, text, done = error.ret_code, error.text, Performed({}, {}, error.headers)
        answer = self._spell(socket, frame, code, text, done)
        if fault is None or fault.kind not in SPOILING:
            return answer
        changed: Frame | bytes = spoilt(fault, answer, answer)
        return changed

    def _fault_answer(self, fault: Fault) -> ApiError:
        if fault.kind in {"too_many_requests", "rate_limited"}:
            reset_ms = self._exchange.skew.now_ms + fault.retry_after_s * MS_PER_SECOND
            return over(self._desk.limits.orders, reset_ms)
        return FAULT_ANSWERS[fault.kind]

    def _serve(self, socket: Socket, frame: Frame) -> Performed:
        account = self._exchange.world.accounts.get(socket.account)
        if account is None:
            raise NOT_AUTHORIZED
        op = str(frame.get("op", ""))
        if op not in OPERATIONS:
            raise UNKNOWN_OP
        request_id = str(frame.get("reqId") or "")
        if request_id in socket.request_ids:
            raise DUPLICATE_REQUEST
        if request_id:
            socket.request_ids.add(request_id)
        now_ms = self._exchange.skew.now_ms
        sent = frame.get("header")
        sent = sent if isinstance(sent, dict) else {}
        check_time(str(sent.get(TIME_HEADER, "")), str(sent.get(WINDOW_HEADER, "")), now_ms)
        self._exchange.sync()
        try:
            return perform(self._desk, account.key, op, _arguments(frame))
        finally:
            self._exchange.tell()

    def _spell(self, socket: Socket, frame: Frame, code: int, text: str, done: Performed) -> Frame:
        self._answered += 1
        trace = uuid5(NAMESPACE_OID, f"{self._exchange.seed}:trace:{self._answered}")
        own = {"Traceid": trace.hex, "Timenow": str(self._exchange.skew.now_ms)}
        return {
            "reqId": str(frame.get("reqId") or ""),
            "retCode": code,
            "retMsg": text,
            "op": frame.get("op", ""),
            "data": done.result,
            "retExtInfo": done.notes,
            "header": done.headers | own,
            "connId": socket.conn_id,
        }


def _arguments(frame: Frame) -> dict[str, Any]:
    """The REST body that the frame carries; empty where it carries none."""
    args = frame.get("args")
    return args[0] if isinstance(args, list) and args and isinstance(args[0], dict) else {}
