"""One paper exchange with both dialects and one guard with an account on each, for a long time.

Everything is on one loop in virtual time, over real sockets; nothing waits for real. A trader
keeps the positions open, and every few minutes something goes wrong.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from msgspec import Struct, structs

from benchmarks.soaking.ending import storm, wrong
from benchmarks.soaking.firsts import OWN, Stops
from benchmarks.soaking.hands import BOTH, Hands, Leg, Orphans, Trader
from benchmarks.soaking.health import (
    HOUR_MS,
    SLOPE_PERCENT,
    Failures,
    Sample,
    sample,
    slope_percent,
)
from benchmarks.soaking.meter import Meter
from benchmarks.soaking.prices import Walk, symbols, tapes
from benchmarks.soaking.troubles import Trouble, troubles
from benchmarks.soaking.windows import R_MS, Excuse, Windows, distribution
from trailstop.config import Config, load_config
from trailstop.daemon.process.bootstrap import Daemon
from trailstop.observe.log import LogSettings, configure
from trailstop.paper.assembly import Addresses, Build, Paper
from trailstop.paper.settings import WorldSettings
from trailstop.paper.world import World
from trailstop.storage.store import Store
from trailstop.timelink import HostLoop, LoopClock, run_hosted

ACCOUNTS = ("binance", "bybit")
"""One an exchange, named after it."""
START_US = 1_767_225_600_000_000
MS = 1_000
MINUTE_MS = 60_000
STEP_MS = 4_000
"""How often the trader and the search for orphans look."""
SAMPLE_MS = 10 * MINUTE_MS
QUIET_MS = 15 * MINUTE_MS
"""Without troubles at the end, so that the longest silence is over: Bybit's of ten minutes."""
LAST_WAIT_MS = 3 * R_MS
"""Within this time after the last fault everything must be right again."""
PAUSE_MS = (90_000, 270_000)
"""Between two troubles, and between two acts of people."""
START_UP_MS = 5_000
STORM_MS = 20_000


class Plan(Struct, frozen=True, kw_only=True):
    """What is run."""

    hours: float = 24
    positions: int = 50
    seed: int = 1
    hedge: bool = True
    """A long and a short on each symbol; else one position, in one-way mode."""
    limit_s: float = 4 * 3_600
    """Real time after which the run is given up."""
    only: tuple[str, ...] = ()
    """Names of the troubles to draw from; empty for all that there are."""
    folder: Path
    progress: bool = False


class _CountingLoop(HostLoop):
    """The exchange's loop, which counts its turns."""

    turns = 0

    def _wait(self, timeout: float | None) -> Any:
        self.turns += 1
        return super()._wait(timeout)


@dataclass(frozen=True)
class _Stage:
    """What is on the loop."""

    paper: Paper
    loop: _CountingLoop
    daemon: Daemon
    legs: tuple[Leg, ...]
    meter: Meter
    trader: Trader
    stops: Stops
    hands: Hands
    orphans: Orphans
    guard: asyncio.Task[None]


class Soak:
    """One run; `result` is plain data for JSON, `holds` its verdict."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._paper: Paper | None = None
        log = LogSettings(file=plan.folder / "guard.log", console=False)
        configure(log, now_ms=self._now_ms)
        self.failures = Failures(passing_on=True)
        self.windows = Windows()
        self.samples: list[Sample] = []
        self.troubled = Counter[str]()
        self.not_right: list[str] = []
        self.stuck = ""
        self._began_s = time.monotonic()
        self._ends_ms: list[tuple[int, int]] = []
        self._failures_told = 0
        self._others: list[tuple[int, int, Trouble]] = []

    def run(self) -> dict[str, Any]:
        """Run to the end and return the result."""
        settings = WorldSettings(guard_prefix=OWN)
        names = symbols(-(-self.plan.positions // len(ACCOUNTS) // len(self._sides)))
        build = Build(
            accounts=ACCOUNTS,
            world=settings,
            hedge=self.plan.hedge,
            seed=self.plan.seed,
            binance_port=0,
            bybit_port=0,
        )
        walk = Walk(seed=self.plan.seed, start_us=START_US)
        world = World(settings, tapes(names, walk, settings), ACCOUNTS)
        loop = _CountingLoop(world.now_us, 0.0)

        async def play(host: HostLoop) -> dict[str, Any]:
            paper = Paper(build, world, host)
            addresses = await paper.start()
            try:
                return await self._play(paper, addresses, loop)
            finally:
                paper.faults.clear()
                await paper.stop()

        return run_hosted(play, loop)

    # --- the run ---------------------------------------------------------------------------
    async def _play(
        self, paper: Paper, addresses: Addresses, loop: _CountingLoop
    ) -> dict[str, Any]:
        self.failures.listen(loop)
        self._paper = paper
        legs = self._legs(tuple(paper.exchange.world.markets))
        meter = Meter(paper)
        config = self._config(paper, addresses)
        clock = LoopClock(loop)
        store = Store.open(config.database_url, mode=config.mode, now_ms=clock.wall_ms())
        daemon = Daemon(config, store, clock)
        stopping = asyncio.Event()
        guard = asyncio.create_task(daemon.run(stopping))
        try:
            await asyncio.sleep(START_UP_MS / MS)
            trader = Trader(paper, legs, self.plan.seed)
            stage = _Stage(
                paper=paper,
                loop=loop,
                daemon=daemon,
                legs=legs,
                meter=meter,
                trader=trader,
                stops=Stops(paper),
                hands=Hands(paper, trader, legs, self.windows, self.plan.seed),
                orphans=Orphans(paper, trader, legs),
                guard=guard,
            )
            await self._hours(stage)
            if not self.stuck:
                await self._calm(stage)
            return self._result(stage)
        finally:
            stopping.set()
            (ended,) = await asyncio.gather(guard, return_exceptions=True)
            if ended is not None:
                self.failures.note(f"the guard ended: {ended!r}")
            await store.close()

    async def _hours(self, stage: _Stage) -> None:
        paper, trader, meter = stage.paper, stage.trader, stage.meter
        chance = Random(f"troubles {self.plan.seed}")
        drawn = {
            name: draw
            for name, draw in troubles().items()
            if not self.plan.only or name in self.plan.only
        }
        began_ms = paper.exchange.now_ms
        end_ms = began_ms + int(self.plan.hours * HOUR_MS)
        quiet_ms = end_ms - min(QUIET_MS, int(self.plan.hours * HOUR_MS) // 4)
        trouble_ms = hand_ms = began_ms + 3 * MINUTE_MS
        sample_ms = began_ms
        meter.others_weight = lambda now_ms: self._others_use(now_ms)[0]
        meter.others_orders = lambda now_ms: self._others_use(now_ms)[1]
        while (now_ms := paper.exchange.now_ms) < end_ms:
            if stage.guard.done():
                self.stuck = "the guard has ended"
                return
            trader.look()
            stage.orphans.look(STEP_MS, lambda account: self.windows.reachable(account, now_ms))
            self._end_faults(paper, now_ms)
            if drawn and trouble_ms <= now_ms < quiet_ms:
                self._trouble(paper, drawn[chance.choice(sorted(drawn))](chance, now_ms))
                trouble_ms = now_ms + chance.randint(*PAUSE_MS)
            if hand_ms <= now_ms < quiet_ms:
                stage.hands.act()
                hand_ms = now_ms + chance.randint(*PAUSE_MS)
            paper.exchange.sync().set_attended(
                all(self.windows.reachable(account, now_ms) for account in ACCOUNTS)
            )
            if now_ms >= sample_ms:
                sample_ms += SAMPLE_MS
                self._judge_incidents(paper)
                self.samples.append(
                    sample(now_ms - began_ms, self.plan.folder / "data", stage.loop.turns, paper)
                )
                self._tell(now_ms - began_ms, trader)
                if time.monotonic() - self._began_s > self.plan.limit_s:
                    self.stuck = f"the limit of {self.plan.limit_s:.0f} s came first"
                    return
            await asyncio.sleep(STEP_MS / MS)

    def _now_ms(self) -> int:
        return START_US // MS if self._paper is None else self._paper.exchange.now_ms

    def _trouble(self, paper: Paper, trouble: Trouble) -> None:
        now_ms = paper.exchange.now_ms
        self.troubled[trouble.name] += 1
        for fault in trouble.faults:
            number = paper.add_fault(fault)
            self._ends_ms.append((now_ms + trouble.lasts_ms, number))
        if trouble.weight or trouble.orders:
            self._others.append((now_ms, now_ms + trouble.lasts_ms + MINUTE_MS, trouble))
        for what, length_ms in (
            ("unreachable", trouble.unreachable_ms),
            ("unseen", trouble.unseen_ms),
        ):
            if length_ms:
                self.windows.add(
                    Excuse(
                        from_ms=now_ms,
                        until_ms=now_ms + length_ms,
                        what=what,  # type: ignore[arg-type]
                        why=trouble.name,
                        account=trouble.account,
                    )
                )

    def _end_faults(self, paper: Paper, now_ms: int) -> None:
        over = [number for until_ms, number in self._ends_ms if now_ms > until_ms]
        for number in over:
            paper.faults.clear(number)
        self._ends_ms = [row for row in self._ends_ms if row[1] not in over]

    def _others_use(self, now_ms: int) -> tuple[int, int]:
        now = [row for begin, end, row in self._others if begin <= now_ms < end]
        return max((row.weight for row in now), default=0), max(
            (row.orders for row in now), default=0
        )

    async def _calm(self, stage: _Stage) -> None:
        """One last storm; then within three passes everything has to be right."""
        paper = stage.paper
        until_ms = paper.exchange.now_ms + STORM_MS
        self._trouble(paper, storm(paper.exchange.now_ms, until_ms))
        await asyncio.sleep((until_ms - paper.exchange.now_ms) / MS)
        paper.faults.clear()
        for symbol in paper.exchange.world.markets:
            paper.exchange.world.resume(symbol)
        paper.exchange.tell()
        await asyncio.sleep(LAST_WAIT_MS / MS)
        self._judge_incidents(paper)
        for _ in range(4):
            # A trail moves its stop at any time: two stops, for less than two seconds.
            self.not_right = wrong(paper, stage.daemon, stage.trader, stage.legs)
            if not self.not_right:
                return
            await asyncio.sleep(0.5)

    def _judge_incidents(self, paper: Paper) -> None:
        """Take what the clocks have counted; an interval that still runs is left to grow."""
        world = paper.exchange.sync()
        world.oracle.settle(world.now_us)
        incidents = world.oracle.incidents
        running = [row for row in incidents if row.to_us >= world.now_us]
        for incident in incidents:
            if incident.to_us < world.now_us:
                gap = self.windows.judge(incident, world.accounts[incident.account].name)
                if self.plan.progress and gap.kind != "disturbed" and not gap.allowed:
                    sys.stderr.write(f"{gap}\n")
        incidents.clear()
        incidents.extend(running)

    # --- what comes of it ------------------------------------------------------------------
    def _result(self, stage: _Stage) -> dict[str, Any]:
        paper, trader, meter, orphans = stage.paper, stage.trader, stage.meter, stage.orphans
        world = paper.exchange.sync()
        clocks = world.oracle.total(world.now_us)
        foreign = {
            f"{world.accounts[key].name} {how}": count
            for (key, how), count in world.foreign_ends.items()
            if how != "user" and count
        }
        slopes = {
            name: slope_percent(self.samples, name)
            for name in ("rss_kib", "guard_kib", "descriptors", "tasks", "objects")
        }
        result: dict[str, Any] = {
            "virtual_hours": round((stage.loop.now_us - START_US) / MS / HOUR_MS, 2),
            "seed": self.plan.seed,
            "elapsed_s": round(time.monotonic() - self._began_s, 1),
            "positions": {"opened": trader.opened, "refused": trader.refused, "open": trader.open},
            "clocks": structs.asdict(clocks),
            "first_stop_ms": distribution([ms for _, ms in stage.stops.first]),
            "gaps": self.windows.told(),
            "orphans": orphans.found,
            "longest_orphan_ms": orphans.longest_ms,
            "foreign_touched": foreign,
            "troubles": dict(self.troubled),
            "acts": dict(stage.hands.done),
            "faults_happened": dict(paper.faults.happened),
            "requests": meter.told(),
            "unforeseen": self.failures.unforeseen,
            "unforeseen_first": self.failures.first,
            "log_levels": dict(self.failures.lines),
            "log_errors": dict(self.failures.errors.most_common(40)),
            "slopes_percent_an_hour": slopes,
            "first_sample": structs.asdict(self.samples[0]),
            "last_sample": structs.asdict(self.samples[-1]),
            "not_right_at_the_end": self.not_right,
            "stuck": self.stuck,
        }
        judged: dict[str, bool] = {
            "ran to its end": not self.stuck,
            "limits kept": meter.kept,
            "no unhandled exception": not self.failures.unforeseen,
            "every gap within R + D": not self.windows.not_allowed,
            "nothing loosened": not clocks.loosened,
            "nothing twice": not clocks.duplicates,
            "no orphan": not orphans.found,
            "nothing foreign touched": not foreign,
            "right after the last fault": not self.not_right,
        }
        # A run that is too short for a slope says nothing of it.
        judged |= {
            f"{words} level": slope < SLOPE_PERCENT
            for words, name in (("memory", "guard_kib"), ("descriptors", "descriptors"))
            if (slope := slopes[name]) is not None
        }
        return result | {"judged": judged, "holds": all(judged.values())}

    def _legs(self, names: tuple[str, ...]) -> tuple[Leg, ...]:
        """The accounts in turn, as many legs as there are positions."""
        rows = [
            (account, symbol, side)
            for symbol in names
            for side in self._sides
            for account in ACCOUNTS
        ]
        return tuple(rows[: self.plan.positions])

    @property
    def _sides(self) -> tuple[str, ...]:
        return ("LONG", "SHORT") if self.plan.hedge else (BOTH,)

    def _config(self, paper: Paper, addresses: Addresses) -> Config:
        lines, environ = [], {}
        for name, keys in paper.accounts.items():
            rest, ws = addresses.of(name)
            lines += [
                f"[accounts.{name}]",
                f'venue = "{name}"',
                f'rest_url = "{rest}"',
                f'ws_url = "{ws}"',
            ]
            environ[f"TRAILSTOP_PAPER_KEY_{name.upper()}"] = keys["key"]
            environ[f"TRAILSTOP_PAPER_SECRET_{name.upper()}"] = keys["secret"]
        file = self.plan.folder / "trailstop.toml"
        file.write_text("\n".join([*lines, ""]), encoding="utf-8")
        data = self.plan.folder / "data"
        data.mkdir()
        return load_config(file, [f"trailstop.data_dir={data}"], environ=environ)

    def _tell(self, at_ms: int, trader: Trader) -> None:
        if not self.plan.progress:
            return
        for text in self.failures.first[self._failures_told :]:
            sys.stderr.write(f"{text}\n")
        self._failures_told = len(self.failures.first)
        row = self.samples[-1]
        sys.stderr.write(
            f"{at_ms / HOUR_MS:6.2f} h  {time.monotonic() - self._began_s:6.0f} s  "
            f"{trader.open:>3} open  {sum(self.troubled.values()):>4} troubles  "
            f"{len(self.windows.gaps):>4} gaps  {len(self.windows.not_allowed):>3} not allowed  "
            f"{self.failures.unforeseen:>3} unforeseen  {row.rss_kib // 1024:>4} MiB "
            f"({row.exchange_kib // 1024} the exchange's)  "
            f"{row.descriptors:>3} fds\n"
        )
        sys.stderr.flush()
