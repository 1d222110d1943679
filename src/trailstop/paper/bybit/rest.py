"""The REST side: requests in, the world's answers out, spelled as this exchange spells them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from trailstop.paper.bybit import (
    account_routes,
    history_routes,
    market_routes,
    orders,
    position_routes,
)
from trailstop.paper.bybit.auth import KEY_HEADER, TIME_HEADER, check_request
from trailstop.paper.bybit.desk import Desk
from trailstop.paper.bybit.errors import (
    CLOCK_REFUSED,
    FORBIDDEN,
    MAINTENANCE,
    NOT_FOUND,
    NOT_PERMITTED,
    OK,
    REJECTED,
    ApiError,
    from_rejection,
)
from trailstop.paper.bybit.limits import MS_PER_SECOND, AddressLimit, over
from trailstop.paper.bybit.params import Params
from trailstop.paper.bybit.routes import Answer, Call, Route
from trailstop.paper.exchange import Exchange
from trailstop.paper.model import Rejection
from trailstop.paper.requests import Reply, Requests, Sent
from trailstop.paper.serving import Conditions
from trailstop.paper.travel import SPOILING, TAKES_EFFECT, takes_effect
from trailstop.paper.trouble.faults import Fault
from trailstop.paper.trouble.spoilt import page, spoilt

GATEWAY_TIMEOUT = 504
UNAVAILABLE = 503
TOO_FREQUENT = "access too frequent"

# Page "Error Codes", sections "HTTP Code" and "UTA & Classic account".
FAULT_ANSWERS: dict[str, tuple[int, Any]] = {
    "unknown": (OK, (10016, "Server error.")),
    "unavailable": (UNAVAILABLE, "<html><body>503 Service Temporarily Unavailable</body></html>"),
    "overloaded": (OK, (10429, "System level frequency protection")),
    "internal": (OK, (10000, "Server Timeout")),
    "timeout": (GATEWAY_TIMEOUT, "<html><body>504 Gateway Time-out</body></html>"),
    "banned": (FORBIDDEN, f"<html><body>403 {TOO_FREQUENT}</body></html>"),
    "forbidden": (FORBIDDEN, "<html><body>403 Forbidden</body></html>"),
}


class _Sent(Sent, frozen=True):
    """The parts of a request that are signed, and the headers that prove it."""

    headers: Mapping[str, str]
    query: str
    body: bytes


class Rest(Requests[_Sent]):
    """Serves the endpoints over one world."""

    rejected_as = REJECTED

    def __init__(self, exchange: Exchange, conditions: Conditions, desk: Desk) -> None:
        super().__init__(exchange, conditions)
        self._desk = desk
        self._addresses: dict[str, AddressLimit] = {}
        self._routes: dict[tuple[str, str], Route] = {
            (route.method, route.path): route
            for routes in (
                market_routes.ROUTES,
                account_routes.ROUTES,
                position_routes.ROUTES,
                history_routes.ROUTES,
                orders.ROUTES,
            )
            for route in routes
        }

    async def _read(self, request: web.BaseRequest) -> _Sent:
        path, _, query = request.raw_path.partition("?")
        body = await request.read() if request.body_exists else b""
        try:
            params = _params(request.method, query, body)
        except ApiError:
            # It is refused in its turn; faults and holds see a request without parameters.
            params = Params({})
        key = request.headers.get(KEY_HEADER, "")
        asked = self._road.asked(
            request.method,
            path,
            key,
            params.values,
            params.values.get("orderLinkId", ""),
            timed=TIME_HEADER in request.headers,
        )
        return _Sent(asked, request.remote or "", request.headers, query, body)

    def _effect(self, sent: _Sent, fault: Fault | None) -> Reply:
        """What the request does, at this moment, and what is answered to it."""
        address = self._address(sent.remote)
        reply: Reply | None = None
        if takes_effect(fault):
            reply = self._serve(sent, address, fault)
        if fault is not None and reply is not None and fault.kind in SPOILING:
            error = self._refusal(MAINTENANCE)[1]
            reply = (reply[0], spoilt(fault, reply[1], error), reply[2])
        elif fault is not None and fault.kind not in TAKES_EFFECT:
            reply = self._fault_answer(fault, address)
        assert reply is not None, "a request without a fault takes effect"
        return reply

    def _fault_answer(self, fault: Fault, address: AddressLimit) -> Reply:
        now_ms = self._exchange.skew.now_ms
        wait_ms = fault.retry_after_s * MS_PER_SECOND
        match fault.kind:
            case "html":
                return *page(fault), {}
            case "clock_refused":
                return self._refusal(CLOCK_REFUSED)
            case "maintenance":
                return self._refusal(MAINTENANCE)
            case "too_many_requests" | "rate_limited":
                return self._refusal(over(self._desk.limits.orders, now_ms + wait_ms))
            case "banned" | "forbidden":
                address.ban(now_ms, wait_ms)
        status, content = FAULT_ANSWERS[fault.kind]
        if isinstance(content, str):
            return status, content, {}
        return self._refusal(ApiError(*content))

    def _serve(self, sent: _Sent, address: AddressLimit, fault: Fault | None) -> Reply:
        asked = sent.asked
        headers: dict[str, str] = {}
        now_ms = self._exchange.skew.now_ms
        try:
            address.take(now_ms)
            route = self._routes.get((asked.method, asked.path))
            if route is None:
                return NOT_FOUND, "<html><body>404 page not found</body></html>", {}
            world = self._exchange.sync()
            call = Call(world, Params({}), None, self._desk)
            if route.most is not None:
                payload = sent.query if asked.method == "GET" else sent.body.decode()
                call.caller = check_request(world.accounts, sent.headers, payload, now_ms)
                if asked.method == "POST" and not call.caller.trades:
                    raise NOT_PERMITTED
            call.params = _params(asked.method, sent.query, sent.body)
            call.params.values = self._exchange.skew.meant(asked.path, call.params.values)
            if route.most is not None:
                most = route.most(self._desk.limits)
                count = route.counts(call.params)
                headers = self._desk.calls.take(
                    call.key,
                    route.limited_as or route.path,
                    most,
                    now_ms,
                    count,
                    writes=asked.method == "POST",
                )
            with self._memory.seen_by(fault) as call.world:
                if call.caller is not None:
                    call.caller = call.world.accounts[call.caller.key]
                answer = route.serve(call)
        except ApiError as error:
            return self._refusal(error, headers)
        except Rejection as rejection:
            return self._refusal(from_rejection(rejection), headers)
        finally:
            self._exchange.tell()
        return OK, self._envelope(answer), headers

    def _address(self, remote: str) -> AddressLimit:
        def foreign(since_ms: int, now_ms: int) -> int:
            return self._foreign_use(since_ms, now_ms)[0]

        if remote not in self._addresses:
            self._addresses[remote] = AddressLimit(self._desk.limits, foreign)
        return self._addresses[remote]

    def _envelope(self, answer: Answer, ret_code: int = 0) -> dict[str, Any]:
        return {
            "retCode": ret_code,
            "retMsg": answer.text,
            "result": answer.result,
            "retExtInfo": answer.notes or {},
            "time": self._exchange.now_ms,
        }

    def _refusal(self, error: ApiError, headers: dict[str, str] | None = None) -> Reply:
        # Refusals without a variable part are raised again and again; their trace would grow.
        error.__traceback__ = None
        if error.status == FORBIDDEN:
            return FORBIDDEN, f"<html><body>403 {error.text}</body></html>", {}
        content = self._envelope(Answer({}, None, error.text), error.ret_code)
        return error.status, content, (headers or {}) | error.headers


def _params(method: str, query: str, body: bytes) -> Params:
    return Params.of_query(query) if method == "GET" else Params.of_body(body)
