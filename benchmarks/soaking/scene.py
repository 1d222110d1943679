"""One paper exchange with both dialects and one guard with an account on each, for a long time.

The guard is a process of its own, linked to the exchange's virtual time; nothing waits for real. A
trader keeps the positions open, and every few minutes something goes wrong.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from msgspec import Struct, structs

from benchmarks.soaking.charge import Charge
from benchmarks.soaking.ending import storm, wrong
from benchmarks.soaking.firsts import OWN, Stops
from benchmarks.soaking.hands import BOTH, Hands, Leg, Orphans, Trader
from benchmarks.soaking.health import (
    HOUR_MS,
    SLOPE_PERCENT,
    Failures,
    read_samples,
    rss_kib,
    slope_percent,
)
from benchmarks.soaking.meter import Meter
from benchmarks.soaking.prices import Walk, symbols, tapes
from benchmarks.soaking.troubles import Trouble, troubles
from benchmarks.soaking.windows import R_MS, Excuse, Windows, distribution
from trailstop.paper.assembly import Addresses, Build, Paper
from trailstop.paper.settings import WorldSettings
from trailstop.paper.world import World
from trailstop.timelink import HostLoop, run_hosted

ACCOUNTS = ("binance", "bybit")
"""One an exchange, named after it."""
START_US = 1_767_225_600_000_000
MS = 1_000
MINUTE_MS = 60_000
STEP_MS = 4_000
"""How often the trader and the search for orphans look."""
SAMPLE_MS = 10 * MINUTE_MS
SO_FAR = "so-far.json"
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


@dataclass(frozen=True)
class _Stage:
    """What is on the loop."""

    paper: Paper
    loop: HostLoop
    guard: Charge
    legs: tuple[Leg, ...]
    meter: Meter
    trader: Trader
    stops: Stops
    hands: Hands
    orphans: Orphans


class Soak:
    """One run; `result` is plain data for JSON, `holds` its verdict."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.failures = Failures()
        """Of the exchange and of this script; the guard's process tells its own."""
        self.guard: dict[str, Any] = {}
        self.windows = Windows()
        self.troubled = Counter[str]()
        self.not_right: list[str] = []
        self.loosened: list[str] = []
        """When a working stop became looser, and what went on around that time: the exchange took
        back the better one that it had acknowledged, say, while the one before rested still."""
        self.loosened_by_nobody = 0
        self._loosened = 0
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
        loop = HostLoop(world.now_us, 0.0, waits_for_guard=True)

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
    async def _play(self, paper: Paper, addresses: Addresses, loop: HostLoop) -> dict[str, Any]:
        self.failures.listen(loop)
        legs = self._legs(tuple(paper.exchange.world.markets))
        meter = Meter(paper)
        file, keys = self._config(paper, addresses)
        guard = Charge(loop, file, self._data, keys)
        try:
            await asyncio.sleep(START_UP_MS / MS)
            trader = Trader(paper, legs, self.plan.seed)
            stage = _Stage(
                paper=paper,
                loop=loop,
                guard=guard,
                legs=legs,
                meter=meter,
                trader=trader,
                stops=Stops(paper),
                hands=Hands(paper, trader, legs, self.windows, self.plan.seed),
                orphans=Orphans(paper, trader, legs),
            )
            await self._hours(stage)
            if not self.stuck:
                await self._calm(stage)
            self.guard = await guard.end()
            if not self.guard:
                self.failures.note(f"the guard said nothing at its end: {guard.last_words}")
            return self._result(stage)
        finally:
            guard.kill()

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
            if stage.guard.ended:
                self.stuck = f"the guard has ended: {stage.guard.last_words}"
                return
            trader.look()
            stage.orphans.look(STEP_MS, lambda account: self.windows.reachable(account, now_ms))
            self._end_faults(paper, now_ms)
            self._look_for_loosened(paper, now_ms)
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
                self._tell(now_ms - began_ms, trader)
                self._write_so_far(stage)
                if time.monotonic() - self._began_s > self.plan.limit_s:
                    self.stuck = f"the limit of {self.plan.limit_s:.0f} s came first"
                    return
            await asyncio.sleep(STEP_MS / MS)

    def _look_for_loosened(self, paper: Paper, now_ms: int) -> None:
        world = paper.exchange.world
        count = world.oracle.total(world.now_us).loosened
        if count > self._loosened:
            near = "; ".join(self.windows.near(now_ms - STEP_MS, now_ms))
            self.loosened.append(f"{count - self._loosened} until {now_ms}: {near or 'NO CAUSE'}")
            self.loosened_by_nobody += not near
            self._loosened = count

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
            self.not_right = wrong(paper, await stage.guard.legs(), stage.trader, stage.legs)
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
        samples = read_samples(self._data)
        slopes = {
            name: slope_percent(samples, name)
            for name in ("rss_kib", "descriptors", "tasks", "objects")
        }
        unforeseen = self.failures.unforeseen + self.guard.get("unforeseen", 0)
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
            "loosened_near": self.loosened,
            "unforeseen": unforeseen,
            "unforeseen_first": [*self.failures.first, *self.guard.get("unforeseen_first", ())],
            "log_levels": self.guard.get("log_levels", {}),
            "log_errors": self.guard.get("log_errors", {}),
            "tasks_at_the_end": self.guard.get("tasks", {}),
            "exchange_rss_kib": rss_kib(),
            "slopes_percent_an_hour": slopes,
            "first_sample": structs.asdict(samples[0]),
            "last_sample": structs.asdict(samples[-1]),
            "not_right_at_the_end": self.not_right,
            "stuck": self.stuck,
        }
        judged: dict[str, bool] = {
            "ran to its end": not self.stuck,
            "limits kept": meter.kept,
            "no unhandled exception": not unforeseen,
            "every gap within R + D": not self.windows.not_allowed,
            "nothing loosened without cause": not self.loosened_by_nobody,
            "nothing twice": not clocks.duplicates,
            "no orphan": not orphans.found,
            "nothing foreign touched": not foreign,
            "right after the last fault": not self.not_right,
        }
        # A run that is too short for a slope says nothing of it.
        judged |= {
            f"{words} level": slope < SLOPE_PERCENT
            for words, name in (("memory", "rss_kib"), ("descriptors", "descriptors"))
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

    @property
    def _data(self) -> Path:
        return self.plan.folder / "data"

    def _config(self, paper: Paper, addresses: Addresses) -> tuple[Path, dict[str, str]]:
        """The guard's settings and keys."""
        lines, environ = ["[trailstop]", f'data_dir = "{self._data}"'], {}
        lines += ["[paper]", f'link = "{addresses.link}"']
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
        self._data.mkdir()
        return file, environ

    def _write_so_far(self, stage: _Stage) -> None:
        """What the run has shown so far: a day takes an hour, and may be broken off."""
        if read_samples(self._data):
            file = self.plan.folder / SO_FAR
            file.write_text(json.dumps(self._result(stage), default=str), encoding="utf-8")

    def _tell(self, at_ms: int, trader: Trader) -> None:
        if not self.plan.progress:
            return
        for text in self.failures.first[self._failures_told :]:
            sys.stderr.write(f"{text}\n")
        self._failures_told = len(self.failures.first)
        rows = read_samples(self._data)
        if not rows:
            return
        row = rows[-1]
        sys.stderr.write(
            f"{at_ms / HOUR_MS:6.2f} h  {time.monotonic() - self._began_s:6.0f} s  "
            f"{trader.open:>3} open  {sum(self.troubled.values()):>4} troubles  "
            f"{len(self.windows.gaps):>4} gaps  {len(self.windows.not_allowed):>3} not allowed  "
            f"{self.failures.unforeseen:>3} unforeseen  {row.rss_kib // 1024:>4} MiB "
            f"(the exchange {rss_kib() // 1024})  "
            f"{row.descriptors:>3} fds\n"
        )
        sys.stderr.flush()
