"""The REST side: a request travels, takes effect, and its answer travels back."""

from __future__ import annotations

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
    KEY_UNKNOWN,
    LATE_TIMESTAMP,
    NO_SUCH_PATH,
    TEAPOT_BANNED,
    TOO_MANY_REQUESTS,
    WRONG_ENGINE_TIME,
    ApiError,
    from_rejection,
)
from trailstop.paper.binance.limits import AddressLimit, LimitSettings, OrderLimit
from trailstop.paper.binance.listenkeys import ListenKeys
from trailstop.paper.binance.params import Params
from trailstop.paper.binance.routes import Call, Route, Security
from trailstop.paper.exchange import Exchange
from trailstop.paper.model import Account, Rejection
from trailstop.paper.requests import Reply, Requests, Sent
from trailstop.paper.serving import Conditions
from trailstop.paper.travel import SPOILING, TAKES_EFFECT, takes_effect
from trailstop.paper.trouble.faults import Fault
from trailstop.paper.trouble.spoilt import page, spoilt

OK = 200
FORBIDDEN = 403
REQUEST_TIMEOUT = 408
INTERNAL_ERROR = 500
UNAVAILABLE = 503
MS_PER_SECOND = 1_000
KEY_HEADER = "X-MBX-APIKEY"
WEIGHT_HEADER = "X-MBX-USED-WEIGHT-1M"
CLIENT_ID_NAMES = ("newClientOrderId", "clientAlgoId", "origClientOrderId")

FORBIDDEN_PAGE = "<html><body>403 Forbidden</body></html>"
ENGINE_TIME_STATUS = 5028
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
    "rate_limited": (
        TOO_MANY_REQUESTS,
        {"code": -1015, "msg": "Too many new orders; please try again later."},
    ),
    "forbidden": (FORBIDDEN, FORBIDDEN_PAGE),
    "maintenance": (UNAVAILABLE, {"code": -1001, "msg": "Service Unavailable."}),
}
ERROR_IN_BODY = FAULT_ANSWERS["unknown"][1]


class _Sent(Sent, frozen=True):
    """The query and the form as they were signed."""

    params: Params
    query: str
    body: str


class Rest(Requests[_Sent]):
    """Serves the endpoints over one world."""

    rejected_as = "EXPIRED"

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
        self._addresses: dict[str, AddressLimit] = {}
        self._orders: dict[str, OrderLimit] = {}
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
            timed="timestamp" in values,
        )
        return _Sent(asked, request.remote or "", params, query, body)

    def _effect(self, sent: _Sent, fault: Fault | None) -> Reply:
        """What the request does, at this moment, and what is answered to it."""
        address = self._address(sent.remote)
        now_ms = self._exchange.skew.now_ms
        answer: Reply | None = None
        if takes_effect(fault):
            answer = self._serve(sent, address, fault)
        if fault is not None and answer is not None and fault.kind in SPOILING:
            answer = (answer[0], spoilt(fault, answer[1], ERROR_IN_BODY), answer[2])
        elif fault is not None and fault.kind not in TAKES_EFFECT:
            answer = self._fault_answer(fault, address)
        assert answer is not None, "a request without a fault takes effect"
        answer[2][WEIGHT_HEADER] = str(address.used(now_ms))
        return answer

    def _fault_answer(self, fault: Fault, address: AddressLimit) -> Reply:
        """What the exchange says in place of an answer, and what it remembers of it."""
        now_ms = self._exchange.skew.now_ms
        length_ms = fault.retry_after_s * MS_PER_SECOND
        headers = {}
        match fault.kind:
            case "html":
                return *page(fault), {}
            case "clock_refused":
                engine = fault.status == ENGINE_TIME_STATUS
                return _refusal(WRONG_ENGINE_TIME if engine else LATE_TIMESTAMP, {})
            case "banned":
                address.ban(now_ms, length_ms)
            case "forbidden":
                address.shut(now_ms, length_ms)
        if fault.kind in {"too_many_requests", "banned"}:
            headers["Retry-After"] = str(fault.retry_after_s)
        return *FAULT_ANSWERS[fault.kind], headers

    def _serve(self, sent: _Sent, address: AddressLimit, fault: Fault | None) -> Reply:
        asked = sent.asked
        headers: dict[str, str] = {}
        now_ms = self._exchange.skew.now_ms
        if address.is_shut(now_ms):
            return FORBIDDEN, FORBIDDEN_PAGE, headers
        try:
            route = self._routes.get((asked.method, asked.path))
            if route is None:
                raise NO_SUCH_PATH
            address.take(route.weigh(sent.params), now_ms)
            caller = self._caller(route, sent, now_ms)
            if route.orders and caller is not None and not caller.trades:
                raise KEY_UNKNOWN
            if route.orders and caller is not None:
                headers.update(self._order_limit(caller).take(route.orders, now_ms))
            sent.params.values = self._exchange.skew.meant(asked.path, sent.params.values)
            with self._memory.seen_by(fault) as world:
                call = Call(
                    world,
                    sent.params,
                    None if caller is None else world.accounts[caller.key],
                    self._exchange.now_ms,
                    self._limits,
                    self._listen_keys,
                )
                content = route.serve(call)
        except ApiError as error:
            return _refusal(error, headers)
        except Rejection as rejection:
            return _refusal(from_rejection(rejection), headers)
        finally:
            self._exchange.tell()
        return OK, content, headers

    def _address(self, remote: str) -> AddressLimit:
        def foreign(since_ms: int, now_ms: int) -> int:
            return self._foreign_use(since_ms, now_ms)[0]

        if remote not in self._addresses:
            self._addresses[remote] = AddressLimit(self._limits, foreign)
        return self._addresses[remote]

    def _order_limit(self, account: Account) -> OrderLimit:
        def foreign(since_ms: int, now_ms: int) -> int:
            names = (account.key, account.name)
            return self._foreign_use(since_ms, now_ms, *names)[1]

        if account.key not in self._orders:
            self._orders[account.key] = OrderLimit(self._limits, foreign)
        return self._orders[account.key]

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
