"""The control interface: HTTP with JSON, for tests, demos and scripts.

Its requests act at the present virtual time, without latency. It is served on the loopback
address alone and refuses browsers.

    POST /control/positions     {account, symbol, side, quantity?, notional?, tag?}
    POST /control/close         {account, symbol, position_side?, tag?}
    POST /control/price         {symbol, price, book?}
    POST /control/stops/remove  {algo_id}
    GET  /control/faults        the faults in force with their counts
    POST /control/faults        {add: [...]} and/or {clear: number or "all"}; see `faults`
    POST /control/plan          {seed?, items: [...]}: a plan, counted from now; see `fault_plan`
    POST /control/time          {advance_ms}: answers when so much virtual time has passed
    POST /control/hold          {method?, path?, account?, symbol?, client_id?, stage?, skip?, count?}
    GET  /control/arrivals      ?after=N: waits for a request that is being held
    POST /control/release       {arrival_id} or {all: true}
    GET  /control/state         the true state with its clocks
    GET  /control/finished      answers with the state when the run is over
    POST /control/stop          ends the process

What people and the exchange do to positions (fields as in `control_acts`):

    POST /control/position_stop the user sets, moves or removes the position's own stops
    POST /control/stop/place    the user, or another program, places a conditional order
    POST /control/stop/cancel   the user cancels a conditional order
    POST /control/stop/amend    the user changes a conditional order
    POST /control/order         the user, or another program, places a plain order
    POST /control/withdraw      money leaves the wallet
    POST /control/liquidate     a position is taken over at the mark
    POST /control/deleverage    a position is reduced at the mark (ADL)
    POST /control/delist        a market takes only what reduces
    POST /control/settle        a market ends, its positions are closed
    POST /control/halt          a market takes no orders, for good or for a while
    POST /control/resume        a halt ends
    POST /control/market        filters or contract change
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec
from aiohttp import web
from msgspec import Struct

from trailstop.errors import ConfigError
from trailstop.paper.control_acts import ACTS, Act
from trailstop.paper.holds import Hold
from trailstop.paper.model import Rejection
from trailstop.paper.serving import SHUTDOWN_S, start_site
from trailstop.paper.trouble.faults import Fault
from trailstop.paper.trouble.plan import decode_plan

if TYPE_CHECKING:
    from trailstop.paper.assembly import Paper

OK = 200
BAD_REQUEST = 400
FORBIDDEN = 403
NOT_FOUND = 404
US_PER_MS = 1_000

T = TypeVar("T", bound=Struct)


class ChangeFaults(Struct, forbid_unknown_fields=True, kw_only=True):
    """Faults to put in force and to end."""

    add: tuple[Fault, ...] = ()
    clear: int | Literal["all"] | None = None


class GrantTime(Struct, forbid_unknown_fields=True, kw_only=True):
    """Virtual time that may pass, milliseconds."""

    advance_ms: int


class Release(Struct, forbid_unknown_fields=True, kw_only=True):
    """Which held request goes on."""

    arrival_id: int | None = None
    all: bool = False


class Control:
    """Serves the control interface of one paper exchange."""

    def __init__(self, paper: Paper) -> None:
        self._paper = paper
        self._stop = asyncio.Event()
        self._routes: dict[tuple[str, str], Callable[[web.BaseRequest], Awaitable[Any]]] = {
            ("GET", "/control/faults"): self._list_faults,
            ("POST", "/control/faults"): self._change_faults,
            ("POST", "/control/plan"): self._begin_plan,
            ("POST", "/control/time"): self._time,
            ("POST", "/control/hold"): self._hold,
            ("GET", "/control/arrivals"): self._arrivals,
            ("POST", "/control/release"): self._release,
            ("GET", "/control/state"): self._state,
            ("GET", "/control/finished"): self._finished,
            ("POST", "/control/stop"): self._end,
        }
        for name, (kind, act) in ACTS.items():
            self._routes["POST", f"/control/{name}"] = self._act(kind, act)
        # A long poll ends when its client goes away.
        self._runner = web.ServerRunner(
            web.Server(self._handle, access_log=None, handler_cancellation=True),
            shutdown_timeout=SHUTDOWN_S,
        )

    async def start(self, port: int) -> int:
        """Serve on this port, or on a free one for 0, and return it; PortInUse when taken."""
        return await start_site(self._runner, port)

    async def close(self) -> None:
        """Stop serving."""
        await self._runner.cleanup()

    async def stopped(self) -> None:
        """Wait until somebody asks the process to end."""
        await self._stop.wait()

    def stop(self) -> None:
        """Ask the process to end."""
        self._stop.set()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if "Origin" in request.headers:
            return _answer({"error": "browsers are not served here"}, FORBIDDEN)
        serve = self._routes.get((request.method, request.path))
        if serve is None:
            known = ", ".join(sorted({path for _, path in self._routes}))
            return _answer({"error": f"no such path; known are {known}"}, NOT_FOUND)
        try:
            return _answer(await serve(request), OK)
        except Rejection as rejection:
            text = f"{rejection.kind.value}: {rejection.text}"
            return _answer({"error": text}, BAD_REQUEST)
        except (msgspec.DecodeError, ConfigError) as error:
            return _answer({"error": str(error)}, BAD_REQUEST)

    def _act(self, kind: type[Struct], act: Act) -> Callable[[web.BaseRequest], Awaitable[Any]]:
        async def serve(request: web.BaseRequest) -> Any:
            wish = await _read(request, kind)
            answer = act(self._paper.exchange.sync(), wish)
            self._paper.exchange.tell()
            return {} if answer is None else answer

        return serve

    async def _list_faults(self, request: web.BaseRequest) -> Any:
        del request
        return {"faults": self._paper.faults.listed()}

    async def _change_faults(self, request: web.BaseRequest) -> Any:
        wish = await _read(request, ChangeFaults)
        if wish.clear == "all":
            self._paper.faults.clear()
        elif wish.clear is not None:
            self._paper.faults.clear(wish.clear)
        return {"fault_ids": [self._paper.add_fault(fault) for fault in wish.add]}

    async def _begin_plan(self, request: web.BaseRequest) -> Any:
        plan = decode_plan(await request.read())
        self._paper.plans.begin(plan)
        return {"items": len(plan.items)}

    async def _time(self, request: web.BaseRequest) -> Any:
        wish = await _read(request, GrantTime)
        await self._paper.exchange.loop.grant(wish.advance_ms * US_PER_MS)
        return {"now_us": self._paper.exchange.loop.now_us}

    async def _hold(self, request: web.BaseRequest) -> Any:
        return {"hold_id": self._paper.holds.add(await _read(request, Hold))}

    async def _arrivals(self, request: web.BaseRequest) -> Any:
        after = int(request.query.get("after", "0") or 0)
        return {"arrivals": await self._paper.holds.arrivals(after)}

    async def _release(self, request: web.BaseRequest) -> Any:
        wish = await _read(request, Release)
        if wish.all:
            self._paper.holds.clear()
            return {"released": True}
        if wish.arrival_id is None:
            raise msgspec.ValidationError("give the arrival_id of a held request, or all: true")
        return {"released": self._paper.holds.release(wish.arrival_id)}

    async def _state(self, request: web.BaseRequest) -> Any:
        del request
        return self._paper.state()

    async def _finished(self, request: web.BaseRequest) -> Any:
        del request
        await self._paper.session.wait()
        await self._paper.exchange.loop.quiet()
        return self._paper.state()

    async def _end(self, request: web.BaseRequest) -> Any:
        del request
        # The answer leaves before the process begins to end.
        asyncio.get_running_loop().call_soon(self._stop.set)
        return {}


async def _read(request: web.BaseRequest, kind: type[T]) -> T:
    return msgspec.json.decode(await request.read() or b"{}", type=kind)


def _answer(content: Any, status: int) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(content), status=status, content_type="application/json"
    )
