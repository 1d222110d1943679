"""One paper exchange put together: the world on its clock, its servers, its faults and ends."""

from __future__ import annotations

from collections import Counter
from typing import Any

from msgspec import Struct, structs

from trailstop.paper.binance.limits import LimitSettings
from trailstop.paper.binance.server import BinanceServer
from trailstop.paper.bybit.limits import BybitLimits
from trailstop.paper.bybit.server import BybitServer
from trailstop.paper.control import Control
from trailstop.paper.exchange import Exchange
from trailstop.paper.holds import Holds
from trailstop.paper.latency import Latency
from trailstop.paper.model import Conditional
from trailstop.paper.openings import Openings, Schedule
from trailstop.paper.serving import HOST, Conditions
from trailstop.paper.session import Session
from trailstop.paper.settings import WorldSettings
from trailstop.paper.trouble.dooms import Dooms
from trailstop.paper.trouble.faults import Asked, Fault, Faults
from trailstop.paper.trouble.kinds import CUTTING, LISTEN_KEY_KINDS
from trailstop.paper.trouble.memory import Memory
from trailstop.paper.trouble.plan import Plan
from trailstop.paper.trouble.player import PlanPlayer
from trailstop.paper.world import World
from trailstop.timelink import HostLoop

US_PER_MS = 1_000
ACCOUNTS = ("long", "short")
"""One account a direction: in one-way mode a long and a short of one market would net."""
REJECTED_AT_TRIGGER = "Reduce Only reject"
DEFAULT_SETTLE_MS = 10_000


class Build(Struct, frozen=True, kw_only=True):
    """What a paper exchange is built from, besides its prices."""

    accounts: tuple[str, ...] = ACCOUNTS
    hedge: bool = False
    """Whether the accounts begin in hedge mode, where a market has a long and a short each."""
    world: WorldSettings = WorldSettings()
    latency_ms: int = 50
    """One way of a request, in the mean; 0 is allowed and named in the result."""
    latency_spread: float = 0.5
    """Share by which a single latency may be shorter or longer."""
    seed: int = 0
    """Of all chance but prices: latencies, keys, the order of events, shares of faults."""
    limits: LimitSettings = LimitSettings()
    """Binance's."""
    bybit_limits: BybitLimits = BybitLimits()
    faults: tuple[Fault, ...] = ()
    plan: Plan | None = None
    """What goes wrong, counted from the start."""
    schedule: Schedule | None = None
    once: bool = False
    """The run ends when all that was opened is closed again."""
    until_us: int | None = None
    settle_ms: int = DEFAULT_SETTLE_MS
    """Virtual time between the cause of the end and the end."""
    hold_at_end: bool = False
    """Time stands still when the run is over; a process of its own always does so."""
    binance_port: int = 0
    bybit_port: int | None = None
    """None: Bybit's protocol is not spoken."""
    control_port: int = 0
    link_port: int = 0


class Addresses(Struct, frozen=True, kw_only=True):
    """Where a running paper exchange is reached."""

    rest: str
    ws: str
    """Binance's dialect."""
    bybit_rest: str | None = None
    bybit_ws: str | None = None
    """Bybit's dialect; None where it is not served."""
    control: str
    link: str
    """`host:port` of its clock."""

    def of(self, dialect: str) -> tuple[str, str]:
        """Where requests and streams of this dialect go; KeyError where it is not served."""
        served = {"binance": (self.rest, self.ws)}
        if self.bybit_rest is not None and self.bybit_ws is not None:
            served["bybit"] = (self.bybit_rest, self.bybit_ws)
        return served[dialect]


class Paper:
    """A paper exchange on a loop of its own."""

    def __init__(self, build: Build, world: World, loop: HostLoop) -> None:
        self.build = build
        if build.hedge:
            for key in world.accounts:
                world.set_position_mode(key, True)
        self.faults = Faults(build.seed)
        self.exchange = Exchange(world, loop, build.seed, self.faults)
        self.holds = Holds(loop)
        self.latency = Latency(
            mean_ms=build.latency_ms, spread=build.latency_spread, seed=build.seed
        )
        self.openings = (
            Openings(self.exchange, build.schedule) if build.schedule is not None else None
        )
        self.session = Session(
            self.exchange,
            self.openings,
            until_us=build.until_us,
            once=build.once,
            settle_ms=build.settle_ms,
            hold_at_end=build.hold_at_end,
        )
        dooms = Dooms(self.exchange)
        self._memory = Memory(self.exchange, self.faults)
        conditions = Conditions(
            latency=self.latency,
            faults=self.faults,
            holds=self.holds,
            dooms=dooms,
            memory=self._memory,
        )
        self.binance = BinanceServer(self.exchange, conditions, build.limits)
        self.bybit = (
            None
            if build.bybit_port is None
            else BybitServer(self.exchange, conditions, build.bybit_limits)
        )
        self._servers = tuple(server for server in (self.binance, self.bybit) if server is not None)
        # One fault for all dialects: each tells the same rejection in its own words.
        world.reject_at_trigger = self._reject_at_trigger
        world.holds_trigger = self._holds_trigger
        world.stalls = dooms.stalls
        self.plans = PlanPlayer(self.exchange, self.faults, self.add_fault)
        self.control = Control(self)
        self._loop = loop

    async def start(self) -> Addresses:
        """Play the first point and serve; PortInUse when an address is taken."""
        for fault in self.build.faults:
            self.add_fault(fault)
        self._loop.on_links(self._attend)
        link = self._loop.listen(HOST, self.build.link_port)
        rest = await self.binance.start(self.build.binance_port)
        bybit = None
        if self.bybit is not None and self.build.bybit_port is not None:
            bybit = await self.bybit.start(self.build.bybit_port)
        control = await self.control.start(self.build.control_port)
        self.session.start()
        self.exchange.sync()
        if self.openings is not None:
            self.openings.start()
        if self.build.plan is not None:
            self.plans.begin(self.build.plan)
        return Addresses(
            rest=f"http://{HOST}:{rest}",
            ws=f"ws://{HOST}:{rest}",
            bybit_rest=None if bybit is None else f"http://{HOST}:{bybit}",
            bybit_ws=None if bybit is None else f"ws://{HOST}:{bybit}",
            control=f"http://{HOST}:{control}",
            link=f"{HOST}:{link}",
        )

    async def stop(self) -> None:
        """End everything."""
        if self.openings is not None:
            self.openings.close()
        self.exchange.close()
        self._loop.let_go()
        for server in self._servers:
            await server.stop()
        await self.control.close()

    def add_fault(self, fault: Fault) -> int:
        """Put a fault in force; what happens once, happens at its beginning."""
        if fault.kind == "clock_skew" and fault.from_ms is None:
            # A drift is counted from here.
            fault = structs.replace(fault, from_ms=self.exchange.now_ms)
        number = self.faults.add(fault)
        if fault.kind == "lagging":
            self._memory.begin()
        if fault.kind in (*CUTTING, *LISTEN_KEY_KINDS):
            begins_us = (fault.from_ms or 0) * US_PER_MS
            at_us = max(begins_us, self._loop.now_us)
            self._loop.call_at_us(at_us, self._begin, number)
        return number

    @property
    def accounts(self) -> dict[str, dict[str, str]]:
        """Key and secret of each account, by its name."""
        rows = self.exchange.world.accounts.values()
        return {row.name: {"key": row.key, "secret": row.secret} for row in rows}

    def state(self) -> dict[str, Any]:
        """The true state at this moment, with what the servers have counted."""
        world = self.exchange.sync()
        openings = self.openings
        return world.truth() | {
            "now_us": self._loop.now_us,
            "speed": self._loop.speed,
            "links": self._loop.links,
            "seed": self.build.seed,
            "latency_ms": self.build.latency_ms,
            "sources": tuple(tape.source for tape in world.tapes()),
            "data_over": world.data_over,
            "finished": self.session.finished,
            "openings": {
                "opened": openings.opened if openings else 0,
                "skipped": openings.skipped if openings else 0,
                "refused": openings.refused if openings else 0,
            },
            "served": dict(sorted(self._served().items())),
            "faults_happened": dict(sorted(self.faults.happened.items())),
            "plan": self.plans.state(),
            "held": self.holds.waiting,
            "connections": self._connections(),
        }

    def _served(self) -> Counter[str]:
        """Requests by method and path, or by `WS` and operation; no two dialects share one."""
        served: Counter[str] = Counter()
        for server in self._servers:
            served.update(server.served)
        return served

    def _connections(self) -> dict[str, int]:
        """Open connections by group, of all dialects together."""
        connections: Counter[str] = Counter()
        for server in self._servers:
            connections.update(server.streams.connections)
        return connections

    def _begin(self, number: int) -> None:
        """A fault's time has come, unless it was ended before that."""
        row = self.faults.get(number)
        if row is None:
            return
        fault = row.fault
        if fault.kind in CUTTING:
            for server in self._servers:
                server.streams.cut(fault.stream if fault.kind == "cut" else "")
            return
        events = 0 if fault.kind == "listen_key_deleted" else (fault.count or 0)
        if fault.kind == "listen_key_expired" and fault.count is None:
            events = 1
        for key, account in self.exchange.world.accounts.items():
            named = fault.account in {"", key, account.name}
            if named and self.binance.streams.listen_keys.end(key, events):
                self.faults.count(row)

    def _reject_at_trigger(self, row: Conditional) -> str | None:
        hit = self.faults.for_stop("reject_at_trigger", self._stop_asked(row), self._loop.now_us)
        return REJECTED_AT_TRIGGER if hit else None

    def _holds_trigger(self, row: Conditional) -> bool:
        return self.faults.for_stop("no_trigger", self._stop_asked(row), self._loop.now_us)

    def _stop_asked(self, row: Conditional) -> Asked:
        """A conditional order as faults see it."""
        return Asked(
            method="",
            path="trigger",
            account=row.account,
            account_name=self.exchange.world.accounts[row.account].name,
            symbol=row.symbol,
            client_id=row.client_id,
        )

    def _attend(self, links: int) -> None:
        self.exchange.sync().set_attended(links > 0)
        self.exchange.tell()
