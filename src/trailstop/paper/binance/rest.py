"""The REST side: a request travels, takes effect, and its answer travels back."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from aiohttp import web

from trailstop.paper.binance import (
    account_routes,
    algo_routes,
    listenkeys,
    market_routes,
    order_routes,
)
from trailstop.paper.binance.auth import account_of, check_signature, check_time
from trailstop.paper.binance.countdown import Countdowns
from trailstop.paper.binance.errors import (
    NO_SUCH_PATH,
    TEAPOT_BANNED,
    TOO_MANY_REQUESTS,
    ApiError,
    from_rejection,
)
from trailstop.paper.binance.limits import AddressLimit, LimitSettings, OrderLimit
from trailstop.paper.binance.listenkeys import ListenKeys
from trailstop.paper.binance.params import Params
from trailstop.paper.binance.routes import Call, Route, Security
from trailstop.paper.exchange import Exchange
from trailstop.paper.faults import Fault
from trailstop.paper.model import Account, Rejection
from trailstop.paper.requests import Reply, Requests, Sent
from trailstop.paper.serving import Conditions
from trailstop.paper.travel import takes_effect

OK = 200
FORBIDDEN = 403
REQUEST_TIMEOUT = 408
INTERNAL_ERROR = 500
UNAVAILABLE = 503
MS_PER_SECOND = 1_000
KEY_HEADER = "X-MBX-APIKEY"
WEIGHT_HEADER = "X-MBX-USED-WEIGHT-1M"
CLIENT_ID_NAMES = ("newClientOrderId", "clientAlgoId", "origClientOrderId")

# Page "General Info", section "HTTP Return Codes", and page "Error Code".
FAULT_ANSWERS: dict[str, tuple[int, Any]] = {
    "unknown": (
        UNAVAILABLE,
        {"code": -1000, "msg": "Unknown error, please check your request or try again later."},
    ),
    "unavailable": (UNAVAILABLE, {"code": -1001, "msg": "Service Unavailable."}),
    "overloaded": (
        UNAVAILABLE,
        {
            "code": -1008,
            "msg": "Server is currently overloaded with other requests. "
            "Please try again in a few minutes.",
        },
    ),
    "internal": (
        INTERNAL_ERROR,
        {
            "code": -1001,
            "msg": "Internal error; unable to process your request. Please try again.",
        },
    ),
    "timeout": (
        REQUEST_TIMEOUT,
        {
            "code": -1007,
            "msg": "Timeout waiting for response from backend server. "
            "Send status unknown; execution status unknown.",
        },
    ),
    "too_many_requests": (TOO_MANY_REQUESTS, {"code": -1003, "msg": "Too many requests."}),
    "banned": (TEAPOT_BANNED, {"code": -1003, "msg": "Way too many requests; IP banned."}),
    "forbidden": (FORBIDDEN, "<html><body>403 Forbidden</body></html>"),
}


class _Sent(Sent, frozen=True):
    """The query and the form as they were signed."""

    params: Params
    query: str
    body: str


class Rest(Requests[_Sent]):
    """Serves the endpoints over one world."""

    def __init__(
        self,
        exchange: Exchange,
        conditions: Conditions,
        limits: LimitSettings,
        listen_keys: ListenKeys,
    ) -> None:
        super().__init__(exchange, conditions)
        self._limits = limits
        self._listen_keys = listen_keys
        self._addresses = defaultdict[str, AddressLimit](lambda: AddressLimit(limits))
        self._orders = defaultdict[str, OrderLimit](lambda: OrderLimit(limits))
        countdowns = Countdowns(exchange)
        self._routes: dict[tuple[str, str], Route] = {
            (route.method, route.path): route
            for routes in (
                market_routes.ROUTES,
                account_routes.ROUTES,
                order_routes.ROUTES,
                algo_routes.ROUTES,
                listenkeys.ROUTES,
                countdowns.routes(),
            )
            for route in routes
        }

    async def _read(self, request: web.BaseRequest) -> _Sent:
        path, _, query = request.raw_path.partition("?")
        body = (await request.read()).decode() if request.body_exists else ""
        params = Params(query, body)
        values = params.values
        asked = self._road.asked(
            request.method,
            path,
            request.headers.get(KEY_HEADER, ""),
            {name: text for name, text in values.items() if name != "signature"},
            next((values[name] for name in CLIENT_ID_NAMES if name in values), ""),
        )
        return _Sent(asked, request.remote or "", params, query, body)

    def _effect(self, sent: _Sent, fault: Fault | None) -> Reply:
        """What the request does, at this moment, and what is answered to it."""
        address = self._addresses[sent.remote]
        now_ms = self._exchange.now_ms
        answer: Reply | None = None
        if takes_effect(fault):
            answer = self._serve(sent, address)
        if fault is not None:
            status, content = FAULT_ANSWERS[fault.kind]
            headers = {}
            if fault.kind in {"too_many_requests", "banned"}:
                headers["Retry-After"] = str(fault.retry_after_s)
            if fault.kind == "banned":
                address.ban(now_ms, fault.retry_after_s * MS_PER_SECOND)
            answer = (status, content, headers)
        assert answer is not None, "a request without a fault takes effect"
        answer[2][WEIGHT_HEADER] = str(address.used(now_ms))
        return answer

    def _serve(self, sent: _Sent, address: AddressLimit) -> Reply:
        asked = sent.asked
        headers: dict[str, str] = {}
        try:
            route = self._routes.get((asked.method, asked.path))
            if route is None:
                raise NO_SUCH_PATH
            now_ms = self._exchange.now_ms
            address.take(route.weigh(sent.params), now_ms)
            caller = self._caller(route, sent, now_ms)
            if route.orders and caller is not None:
                headers.update(self._orders[caller.key].take(route.orders, now_ms))
            world = self._exchange.sync()
            call = Call(world, sent.params, caller, now_ms, self._limits, self._listen_keys)
            content = route.serve(call)
        except ApiError as error:
            return _refusal(error, headers)
        except Rejection as rejection:
            return _refusal(from_rejection(rejection), headers)
        finally:
            self._exchange.tell()
        return OK, content, headers

    def _caller(self, route: Route, sent: _Sent, now_ms: int) -> Account | None:
        if route.security is Security.NONE:
            return None
        account = account_of(self._exchange.world.accounts, sent.asked.account)
        if route.security is Security.SIGNED:
            check_time(sent.params.values, now_ms)
            check_signature(account.secret, sent.query, sent.body)
        return account


def _refusal(error: ApiError, headers: dict[str, str]) -> Reply:
    # Refusals without a variable part are raised again and again; their trace would grow.
    error.__traceback__ = None
    return error.status, {"code": error.code, "msg": error.text}, headers | error.headers
