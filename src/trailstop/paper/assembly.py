"""One paper exchange put together: the world on its clock, its servers, its faults and ends."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from trailstop.paper.binance.limits import LimitSettings
from trailstop.paper.binance.server import BinanceServer
from trailstop.paper.control import Control
from trailstop.paper.exchange import Exchange
from trailstop.paper.faults import STREAM_KINDS, Fault, Faults
from trailstop.paper.holds import Holds
from trailstop.paper.latency import Latency
from trailstop.paper.openings import Openings, Schedule
from trailstop.paper.serving import HOST, Conditions
from trailstop.paper.session import Session
from trailstop.paper.settings import WorldSettings
from trailstop.paper.world import World
from trailstop.timelink import HostLoop

US_PER_MS = 1_000
ACCOUNTS = ("long", "short")
"""One account a direction: in one-way mode a long and a short of one market would net."""
DEFAULT_SETTLE_MS = 10_000


class Build(Struct, frozen=True, kw_only=True):
    """What a paper exchange is built from, besides its prices."""

    accounts: tuple[str, ...] = ACCOUNTS
    world: WorldSettings = WorldSettings()
    latency_ms: int = 50
    """One way of a request, in the mean; 0 is allowed and named in the result."""
    latency_spread: float = 0.5
    """Share by which a single latency may be shorter or longer."""
    seed: int = 0
    """Of all chance but prices: latencies, keys, the order of events, shares of faults."""
    limits: LimitSettings = LimitSettings()
    faults: tuple[Fault, ...] = ()
    schedule: Schedule | None = None
    once: bool = False
    """The run ends when all that was opened is closed again."""
    until_us: int | None = None
    settle_ms: int = DEFAULT_SETTLE_MS
    """Virtual time between the cause of the end and the end."""
    hold_at_end: bool = False
    """Time stands still when the run is over; a process of its own always does so."""
    binance_port: int = 0
    control_port: int = 0
    link_port: int = 0


class Addresses(Struct, frozen=True, kw_only=True):
    """Where a running paper exchange is reached."""

    rest: str
    ws: str
    control: str
    link: str
    """`host:port` of its clock."""


class Paper:
    """A paper exchange on a loop of its own."""

    def __init__(self, build: Build, world: World, loop: HostLoop) -> None:
        self.build = build
        self.exchange = Exchange(world, loop, build.seed)
        self.faults = Faults(build.seed)
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
        self.binance = BinanceServer(
            self.exchange,
            Conditions(
                latency=self.latency,
                faults=self.faults,
                holds=self.holds,
            ),
            build.limits,
        )
        self.control = Control(self)
        self._loop = loop

    async def start(self) -> Addresses:
        """Play the first point and serve; PortInUse when an address is taken."""
        for fault in self.build.faults:
            self.add_fault(fault)
        self._loop.on_links(self._attend)
        link = self._loop.listen(HOST, self.build.link_port)
        rest = await self.binance.start(self.build.binance_port)
        control = await self.control.start(self.build.control_port)
        self.session.start()
        self.exchange.sync()
        if self.openings is not None:
            self.openings.start()
        return Addresses(
            rest=f"http://{HOST}:{rest}",
            ws=f"ws://{HOST}:{rest}",
            control=f"http://{HOST}:{control}",
            link=f"{HOST}:{link}",
        )

    async def stop(self) -> None:
        """End everything."""
        if self.openings is not None:
            self.openings.close()
        self.exchange.close()
        self._loop.let_go()
        await self.binance.stop()
        await self.control.close()

    def add_fault(self, fault: Fault) -> int:
        """Put a fault in force; a cut happens at its beginning."""
        if fault.kind in STREAM_KINDS and fault.kind == "cut":
            begins_us = (fault.from_ms or 0) * US_PER_MS
            at_us = max(begins_us, self._loop.now_us)
            self._loop.call_at_us(at_us, self.binance.streams.cut, fault.stream)
        return self.faults.add(fault)

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
            "served": dict(sorted(self.binance.rest.served.items())),
            "faults_happened": dict(sorted(self.faults.happened.items())),
            "held": self.holds.waiting,
            "connections": self.binance.streams.connections,
        }

    def _attend(self, links: int) -> None:
        self.exchange.sync().set_attended(links > 0)
        self.exchange.tell()
