"""The drill: start, settle, compare, catch the guard at a stage, kill -9, let time pass, again.

Where nobody else acts two sides see the same prices and the same positions: one guard is
killed, its twin never is. The twin's exchange follows the other one's virtual time; everything
happens by grants, but for the stages of the wall clock. Where people and a second bot act they
do so while the guard works, while one of its requests is held, and while it is dead.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.crash.moments import SETTLE_MS, US_PER_MS, Counted, Kill
from benchmarks.crash.others import Others
from benchmarks.crash.processes import ExchangeProcess, GuardProcess
from benchmarks.crash.scenario import LegName, Scenario
from benchmarks.crash.stages import STAGES, Stage
from benchmarks.crash.truth import LegTruth, PositionKey, best_levels, legs_of
from benchmarks.crash.twin import Twin
from benchmarks.crash.verdict import Kind, Verdict
from benchmarks.crash.waves import START_US
from trailstop.daemon.talk.status import LegStatus
from trailstop.domain.position import Phase

SECOND_MS = 1_000
GAP_MS = (1_000, 180_000)
SETTLE_TRIES = 4
ALIGN_MS = 250
"""Comparisons happen this long after a whole second; prints come at half seconds."""
IDLE_MS = 30_000
ARRIVAL_SECONDS = 25.0
READ_SKIP = 6
RECOVERY_STEP_MS = 100
RECOVERY_MS = 2_500
START_WALL_SECONDS = 0.06
START_VIRTUAL_MS = 900
WALL_SECONDS = 0.4
FILL_MS = 400
CLOSE_PAUSE_MS = 3_000
ACTS_ALIVE, ACTS_DEAD = 3, 2
"""Most acts of others between a start and the kill, and while the guard is dead."""
ACT_PAUSE_MS = 9_000
"""Most virtual time between two acts while a guard works."""


@dataclass
class Drill:
    """One run of so many kills."""

    folder: Path
    scenario: Scenario
    kills: int
    verdict: Verdict = field(default_factory=Verdict)
    done: list[Kill] = field(default_factory=list)
    counts: list[Counted] = field(default_factory=list)
    clocks: dict[str, Any] = field(default_factory=dict)
    bare_ms: int = 0
    excused_ms: int = 0
    excused: int = 0
    crossed: int = 0
    of_two_lives: int = 0
    slots_taken: int = 0
    epochs: int = 0
    moves: int = 0
    journal_records: int = 0

    def __post_init__(self) -> None:
        scenario = self.scenario
        self.chance = Random(f"{scenario.seed}:{scenario.second_stop}:{scenario.title}")
        self.exchange = ExchangeProcess(self.folder, "exchange", scenario, trader=True)
        self.guard = GuardProcess(self.exchange, self.folder, "killed")
        self.twin = None if scenario.others else Twin(self.folder, scenario, self.verdict)
        self.others = Others(self.exchange, scenario, self.chance) if scenario.others else None
        self._stages = STAGES[scenario.venue]
        self._best: dict[PositionKey, Decimal] = {}
        self._peaks: dict[PositionKey, tuple[int, Decimal | None]] = {}
        self._bare: set[PositionKey] = set()
        """Positions that had no stop yet when their guard was killed."""
        self._counted: dict[tuple[str, str, str, Kind], int] = {}
        self._noted_us = START_US

    # --- the run -------------------------------------------------------------------------------
    def run(self) -> Iterator[Kill]:
        """Kill again and again; the last start is left alone."""
        if self.twin is not None:
            self.twin.start()
        for stage in self._stages.draw(self.kills, self.chance):
            yield self._one(stage)
            self._gap()
        self._revive()

    def stop(self) -> None:
        """End every process, in whatever state the run is."""
        if self.twin is not None:
            self.twin.stop()
        self.guard.stop()
        self.exchange.kill()

    def discard(self) -> None:
        """Remove logs and databases."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def compared(self) -> Counter[str]:
        """Comparisons with the twin by their result."""
        return Counter() if self.twin is None else self.twin.compared

    @property
    def virtual_ms(self) -> int:
        """How much virtual time has passed."""
        return (self.exchange.now_us - START_US) // US_PER_MS

    def _one(self, stage: Stage) -> Kill:
        if stage.how == "start":
            self._catch_start()
        elif stage.how == "recovery":
            stage = self._catch_recovery(stage)
        else:
            self._revive()
            self._others_act(ACTS_ALIVE, ACT_PAUSE_MS)
            if stage.how == "request":
                stage = self._catch_request(stage)
            elif stage.how == "wall":
                self._catch_wall()
            elif stage.how == "fill":
                self._catch_fill()
            else:
                self.exchange.grant(self.chance.randrange(IDLE_MS))
        if self.others is not None and self.chance.randrange(2):
            # The guard cannot have heard of it, and its own request may still take effect.
            self.others.act(wire=False)
        self.guard.kill()
        state = self.exchange.state()
        self.note(state)
        self._bare |= {leg.key for leg in legs_of(state)} - self._best.keys()
        kill = Kill(stage.name, stage.write, self.exchange.now_us)
        self.done.append(kill)
        return kill

    def _gap(self) -> None:
        """The dead time: held requests go on or are lost, prices go on, the twin follows."""
        if self.twin is not None:
            self.twin.join()
        self.exchange.forget_holds()
        gap_ms = self.chance.randint(*GAP_MS)
        self._others_act(ACTS_DEAD, gap_ms // (ACTS_DEAD + 1))
        self.exchange.grant(gap_ms)
        state = self.exchange.state()
        self.note(state)
        if self.twin is not None:
            # It catches up while the guard starts and is caught again.
            self.twin.follow_later(state, self.exchange.now_us)

    def _others_act(self, most: int, pause_ms: int) -> None:
        """Some acts of people and the second bot, with time between them."""
        if self.others is None:
            return
        for _ in range(self.chance.randrange(most + 1)):
            self.others.act(wire=True)
            self.exchange.grant(self.chance.randrange(pause_ms + 1))
        self.note(self.exchange.state())

    def _start(self) -> None:
        self.guard.start()
        self._alive_again()

    def _alive_again(self) -> None:
        for kill in self.done:
            kill.to_us = min(kill.to_us, self.exchange.now_us)

    # --- catching ------------------------------------------------------------------------------
    def _arm(self, stage: Stage) -> None:
        path = self.chance.choice(stage.paths)
        skip = 0 if stage.write else self.chance.randrange(READ_SKIP)
        if stage.how == "recovery":
            skip = self.chance.randrange(2)
        if stage.lost:
            fault = {"kind": "lost_request", "method": stage.method, "path": path, "count": 1}
            self.exchange.ask("POST", "/control/faults", {"add": [fault]})
        self.exchange.hold(method=stage.method, path=path, stage=stage.point, skip=skip)

    def _catch_request(self, stage: Stage) -> Stage:
        """Run until a request of this stage is held; another stage where none comes."""
        for wanted in (stage, self._stages.fallback):
            self._arm(wanted)
            self.exchange.let_run()
            arrived = self.exchange.arrival(ARRIVAL_SECONDS)
            self.exchange.brake()
            if arrived is not None:
                return wanted
            self.exchange.forget_holds()
        return Stage("between requests", "moment")

    def _catch_start(self) -> None:
        self.guard.go()
        if self.chance.randrange(2):
            time.sleep(self.chance.random() * START_WALL_SECONDS)
            return
        self.guard.wait_linked()
        self._alive_again()
        self.exchange.grant(self.chance.randrange(START_VIRTUAL_MS))

    def _catch_recovery(self, stage: Stage) -> Stage:
        self._arm(stage)
        self._start()
        for _ in range(0, RECOVERY_MS, RECOVERY_STEP_MS):
            self.exchange.grant(RECOVERY_STEP_MS)
            if self.exchange.is_holding():
                return stage
        return Stage("between requests", "moment")

    def _catch_wall(self) -> None:
        self.exchange.let_run()
        time.sleep(self.chance.random() * WALL_SECONDS)

    def _catch_fill(self) -> None:
        """Close a leg by hand, open it anew, and leave the guard but a moment."""
        leg = self.chance.choice(self.scenario.legs)
        self._follow()
        if self._is_open(leg):
            self.exchange.close(leg)
        if self.twin is not None:
            self.twin.close(leg)
        self.exchange.grant(CLOSE_PAUSE_MS)
        self._follow()
        if not self._is_open(leg):
            self.exchange.open(leg)
        self.exchange.grant(self.chance.randrange(FILL_MS))

    def _is_open(self, leg: LegName) -> bool:
        return any(one.leg == leg for one in legs_of(self.exchange.state()))

    # --- settling and comparing -------------------------------------------------------------------
    def _revive(self) -> None:
        """Start the guard, give it its time, and hold it to what was promised."""
        self._start()
        self.exchange.grant(SETTLE_MS)
        self.guard.check()
        if self.twin is not None:
            self.twin.check()
        for left in reversed(range(SETTLE_TRIES)):
            self._align()
            state = self.exchange.state()
            self._follow()
            findings = list(self._findings(state))
            if not findings:
                break
            if not left:
                for kind, line in findings:
                    self.verdict.fail(kind, f"kill {len(self.done)}: {line}")
            self.exchange.grant(SETTLE_MS)
        self.note(self.exchange.state())

    def _align(self) -> None:
        now_ms = self.exchange.now_us // US_PER_MS
        self.exchange.grant((ALIGN_MS - now_ms) % SECOND_MS)

    def _follow(self) -> None:
        """Bring the twin's exchange to the same time, and wait for it."""
        if self.twin is not None:
            self.twin.follow(self.exchange.state(), self.exchange.now_us)

    def _findings(self, state: dict[str, Any]) -> Iterator[tuple[Kind, str]]:
        """What is not in order at this moment."""
        rows = self.guard.by_name()
        if rows is None:
            yield "stuck", "the guard does not answer"
            return
        known: list[tuple[LegTruth, LegStatus]] = []
        for leg in legs_of(state):
            row = rows.get(leg.leg)
            if row is None:
                yield "stuck", f"{leg.name}: the guard does not know of the position"
                continue
            known.append((leg, row))
            yield from self._stop_findings(leg, row)
            yield from self._peak_findings(leg, row)
        if self.twin is not None:
            yield from self.twin.findings(known, self.done, self._bare)

    def _stop_findings(self, leg: LegTruth, row: LegStatus) -> Iterator[tuple[Kind, str]]:
        if row.phase is Phase.TRIGGERED or leg.firing:
            yield "stuck", f"{leg.name}: still closing"
            return
        if len(leg.working) > 1:
            prices = [stop.price for stop in leg.working]
            yield "duplicated", f"{leg.name}: working stops at {prices}"
        level = leg.level(leg.working if self.others is None else leg.counting)
        if level is None and self.scenario.second_stop == "refuse" and leg.is_slot_taken:
            # The exchange takes no second sized stop, and the first one is not ours to remove.
            self.slots_taken += 1
            return
        if level is None:
            yield "lost", f"{leg.name}: no working stop rests"
            return
        best = self._best.get(leg.key)
        if best is not None and leg.is_looser(level, best):
            yield "loosened", f"{leg.name}: {level} rests, {best} had rested"

    def _peak_findings(self, leg: LegTruth, row: LegStatus) -> Iterator[tuple[Kind, str]]:
        """Whether the same position has kept its epoch and what it had reached."""
        epoch, peak = self._peaks.get(leg.key, (row.epoch, None))
        if row.epoch != epoch:
            yield "peaks", f"{leg.name}: epoch {row.epoch} of the position that had {epoch}"
        elif peak is not None and (row.peak is None or leg.is_looser(row.peak, peak)):
            yield "peaks", f"{leg.name}: peak {row.peak}, it had been {peak}"
        else:
            self._peaks[leg.key] = (epoch, row.peak)

    def note(self, state: dict[str, Any]) -> None:
        """Remember the tightest working stop of each position, and when the exchange counted."""
        best_levels(self._best, state)
        for row in state["legs"]:
            self._count(row, "loosened", row["loosened"])
            self._count(row, "duplicated", row["duplicates"])
        self._noted_us = state["now_us"]

    def _count(self, row: dict[str, Any], kind: Kind, count: int) -> None:
        """Remember when the exchange itself has counted something, to be judged at the end."""
        leg = row["account"], row["symbol"], row["position_side"]
        more = count - self._counted.get((*leg, kind), 0)
        if more:
            self._counted[*leg, kind] = count
            here = f"kill {len(self.done)}"
            now_us = self.exchange.now_us
            self.counts.append(Counted(*leg, kind, more, self._noted_us, now_us, here))
