"""A guard and a paper exchange on one loop of virtual time, and an end like that of kill -9."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from trailstop.config import load_config
from trailstop.daemon.process.bootstrap import Daemon
from trailstop.daemon.talk.status import LegStatus
from trailstop.paper.assembly import Addresses, Build, Paper
from trailstop.paper.harness import run_scenario
from trailstop.paper.model import Conditional
from trailstop.paper.prices.market import derive_market
from trailstop.paper.prices.tape import Print, Tape
from trailstop.paper.settings import WorldSettings
from trailstop.storage.records import Record
from trailstop.storage.store import Store
from trailstop.timelink import LoopClock

ACCOUNT, SYMBOL = "main", "BTCUSDT"
START_US = 1_767_225_600_000_000
SECOND_US = 1_000_000
TICK_EXPONENT = -1
ENTRY = Decimal(10_000)
EVENTS_MAX = 10_000
LAST_SECONDS = 300


def tape(prices: Sequence[tuple[float, str]]) -> Tape:
    """Prints at seconds since the start; each price is repeated every second until the next.

    The last one goes on for `LAST_SECONDS`.
    """

    def points() -> Iterator[Print]:
        following = [*prices[1:], (prices[-1][0] + LAST_SECONDS, prices[-1][1])]
        for (begin, price), (end, _) in zip(prices, following, strict=True):
            at_us = round(begin * SECOND_US)
            while at_us < round(end * SECOND_US):
                yield Print(START_US + at_us, Decimal(price), Decimal(1), buyer_maker=False)
                at_us += SECOND_US

    market = derive_market(SYMBOL, ENTRY, TICK_EXPONENT, -3, WorldSettings())
    return Tape(market, points(), "written by the test")


@dataclass
class Scene:
    """One exchange, and one guard after another on copies of one database."""

    paper: Paper
    addresses: Addresses
    folder: Path
    lives: int = 0
    daemon: Daemon | None = None
    _run: asyncio.Task[None] | None = None
    _store: Store | None = None
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def data(self) -> Path:
        """The present life's own data folder."""
        return self.folder / str(self.lives)

    async def start(self) -> None:
        """Begin a life."""
        self._attend(True)
        self.data.mkdir(exist_ok=True)
        keys = self.paper.accounts[ACCOUNT]
        config = load_config(
            None,
            [
                f"trailstop.data_dir={self.data}",
                f"accounts.{ACCOUNT}.rest_url={self.addresses.rest}",
                f"accounts.{ACCOUNT}.ws_url={self.addresses.ws}",
            ],
            environ={
                "TRAILSTOP_PAPER_KEY_MAIN": keys["key"],
                "TRAILSTOP_PAPER_SECRET_MAIN": keys["secret"],
            },
        )
        clock = LoopClock(self.paper.exchange.loop)
        self._store = Store.open(config.database_url, mode=config.mode, now_ms=clock.wall_ms())
        self.daemon = Daemon(config, self._store, clock)
        self._stopping = asyncio.Event()
        self._run = asyncio.create_task(self.daemon.run(self._stopping))

    async def kill(self) -> None:
        """End a life at this instant: what is not on the disk yet is lost.

        The next life goes on with a copy of the database as it lies on the disk now; what the
        old one may still write in ending reaches nobody.
        """
        self._attend(False)
        before = self.data
        self.lives += 1
        shutil.copytree(before, self.data)
        assert self._run is not None
        assert self._store is not None
        self._run.cancel()
        await asyncio.gather(self._run, return_exceptions=True)
        await self._store.close()
        self._run = None

    def _attend(self, attended: bool) -> None:
        """Tell the exchange's clocks whether a guard runs, as its link would."""
        self.paper.exchange.sync().set_attended(attended)
        self.paper.exchange.tell()

    async def stop(self) -> None:
        """End the last life in order."""
        if self._run is not None:
            self._stopping.set()
            await self._run
            assert self._store is not None
            await self._store.close()

    async def until(self, second: float) -> None:
        """Let virtual time pass until so many seconds after the start."""
        loop = self.paper.exchange.loop
        await asyncio.sleep((START_US - loop.now_us) / SECOND_US + second)

    def open(self, side: str = "long") -> None:
        """Open a position by hand."""
        world = self.paper.exchange.sync()
        key = next(iter(world.accounts))
        world.open_position(key, SYMBOL, side, Decimal("0.1"), f"open-{world.now_us}")
        self.paper.exchange.tell()

    def close(self) -> None:
        """Close the position by hand."""
        world = self.paper.exchange.sync()
        world.close_position(next(iter(world.accounts)), SYMBOL, "BOTH", f"close-{world.now_us}")
        self.paper.exchange.tell()

    @property
    def stops(self) -> list[Conditional]:
        """Sized stops that rest at this moment, as the exchange has them."""
        world = self.paper.exchange.sync()
        resting = world.open_conditionals(next(iter(world.accounts)), SYMBOL)
        return [stop for stop in resting if stop.quantity is not None]

    @property
    def is_open(self) -> bool:
        """Whether the exchange has a position."""
        world = self.paper.exchange.sync()
        return any(row.amount for row in world.positions(next(iter(world.accounts)), SYMBOL))

    @property
    def clocks(self) -> dict[str, Any]:
        """The exchange's clocks of protection."""
        clocks: dict[str, Any] = self.paper.state()["clocks"]
        return clocks

    @property
    def leg(self) -> LegStatus:
        """What the guard says of the position."""
        assert self.daemon is not None
        (leg,) = self.daemon.facade.status().legs
        return leg

    async def told(self, kind: str) -> list[Record]:
        """Records of one kind over all lives, oldest first."""
        assert self._store is not None
        rows = await self._store.events(0, EVENTS_MAX, (kind,))
        return [row.record for row in rows if isinstance(row.record, Record)]


Story = Callable[[Scene], Coroutine[Any, Any, None]]


def play(
    folder: Path,
    prices: Sequence[tuple[float, str]],
    story: Story,
    world: WorldSettings | None = None,
    latency_ms: int = 50,
) -> None:
    """Tell a story on these prices."""

    async def scenario(paper: Paper, addresses: Addresses) -> None:
        scene = Scene(paper, addresses, folder)
        await scene.start()
        await story(scene)
        await scene.stop()

    build = Build(accounts=(ACCOUNT,), world=world or WorldSettings(), latency_ms=latency_ms)
    run_scenario(scenario, [tape(prices)], build)
