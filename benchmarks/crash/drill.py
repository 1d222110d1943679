"""The drill: start, settle, compare, catch the guard at a stage, kill -9, let time pass, again.

Two sides see the same prices and the same positions: one guard is killed, its twin never is.
The twin's exchange follows the other one's virtual time; everything happens by grants, but
for the stages of the wall clock.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.crash.exchange import LEGS
from benchmarks.crash.processes import ExchangeProcess, GuardProcess
from benchmarks.crash.stages import PLACE_EFFECT, Stage, draw
from benchmarks.crash.truth import LegTruth, best_stops, legs_of
from benchmarks.crash.verdict import Verdict
from benchmarks.crash.waves import START_US
from trailstop.daemon.status import LegStatus
from trailstop.domain.position import Phase

US_PER_MS = 1_000
SECOND_MS = 1_000
GAP_MS = (1_000, 180_000)
SETTLE_MS = 4_000
"""Virtual time after a start in which everything has to be in order again."""
SETTLE_TRIES = 4
ALIGN_MS = 250
"""Comparisons happen this long after a whole second; prints come at half seconds."""
REACTION_MS = 2_000
"""What a guard may take to act on a price: two ways, a look-up, a second try."""
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
FOREVER_US = 1 << 62


@dataclass
class Kill:
    """One kill: its stage and the virtual time in which no guard ran."""

    stage: str
    write: bool
    from_us: int
    to_us: int = FOREVER_US


@dataclass
class Drill:
    """One run of so many kills."""

    folder: Path
    seed: int
    kills: int
    second_stop: str
    verdict: Verdict = field(default_factory=Verdict)
    done: list[Kill] = field(default_factory=list)
    compared: Counter[str] = field(default_factory=Counter)
    clocks: dict[str, Any] = field(default_factory=dict)
    bare_ms: int = 0
    epochs: int = 0
    moves: int = 0
    journal_records: int = 0

    def __post_init__(self) -> None:
        self.chance = Random(f"{self.seed}:{self.second_stop}")
        self.exchange = ExchangeProcess(
            self.folder, "exchange", self.seed, self.second_stop, trader=True
        )
        self.guard = GuardProcess(self.exchange, self.folder, "killed")
        self.twin_exchange = ExchangeProcess(
            self.folder, "twin-exchange", self.seed, self.second_stop, trader=False
        )
        self.twin = GuardProcess(self.twin_exchange, self.folder, "twin")
        self._best: dict[tuple[str, int], LegTruth] = {}
        self._pairs: dict[tuple[str, int], int] = {}
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._following: Future[None] | None = None
        self._opened_seen: set[tuple[str, int]] = set()

    # --- the run -------------------------------------------------------------------------------
    def run(self) -> Iterator[Kill]:
        """Kill again and again; the last start is left alone."""
        self.twin.start()
        for stage in draw(self.kills, self.chance):
            yield self._one(stage)
            self._gap()
        self._revive()

    def stop(self) -> None:
        """End every process, in whatever state the run is."""
        self._pool.shutdown(cancel_futures=True)
        self.guard.stop()
        self.twin.stop()
        self.exchange.kill()
        self.twin_exchange.kill()

    def dead_times(self) -> list[tuple[int, int]]:
        """Spans in which no guard ran long enough to do anything, oldest first, microseconds."""
        spans: list[tuple[int, int]] = []
        for kill in self.done:
            begin_us = kill.from_us
            if spans and begin_us - spans[-1][1] <= REACTION_MS * US_PER_MS:
                begin_us = spans.pop()[0]
            spans.append((begin_us, kill.to_us))
        return spans

    def discard(self) -> None:
        """Remove logs and databases."""
        shutil.rmtree(self.folder, ignore_errors=True)

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
            if stage.how == "request":
                stage = self._catch_request(stage)
            elif stage.how == "wall":
                self._catch_wall()
            elif stage.how == "fill":
                self._catch_fill()
            else:
                self.exchange.grant(self.chance.randrange(IDLE_MS))
        self.guard.kill()
        self._note(self.exchange.state())
        kill = Kill(stage.name, stage.write, self.exchange.now_us)
        self.done.append(kill)
        return kill

    def _gap(self) -> None:
        """The dead time: held requests go on or are lost, prices go on, the twin follows."""
        self._join()
        self.exchange.forget_holds()
        self.exchange.grant(self.chance.randint(*GAP_MS))
        state = self.exchange.state()
        self._note(state)
        # The twin catches up while the guard starts and is caught again.
        self._following = self._pool.submit(self._bring_twin, state, self.exchange.now_us)

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
        for wanted, patience in ((stage, ARRIVAL_SECONDS), (PLACE_EFFECT, ARRIVAL_SECONDS)):
            self._arm(wanted)
            self.exchange.let_run()
            arrived = self.exchange.arrival(patience)
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
        account, symbol, side = self.chance.choice(LEGS)
        self._follow()
        for exchange in (self.exchange, self.twin_exchange):
            if any(leg.account == account for leg in legs_of(exchange.state())):
                exchange.ask("POST", "/control/close", {"account": account, "symbol": symbol})
        self.exchange.grant(CLOSE_PAUSE_MS)
        self._follow()
        if not any(leg.account == account for leg in legs_of(self.exchange.state())):
            wish = {"account": account, "symbol": symbol, "side": side}
            self.exchange.ask("POST", "/control/positions", wish)
        self.exchange.grant(self.chance.randrange(FILL_MS))

    # --- settling and comparing -------------------------------------------------------------------
    def _revive(self) -> None:
        """Start the guard, give it its time, and hold it to what was promised."""
        self._start()
        self.exchange.grant(SETTLE_MS)
        self.guard.check()
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
        self._note(self.exchange.state())

    def _align(self) -> None:
        now_ms = self.exchange.now_us // US_PER_MS
        self.exchange.grant((ALIGN_MS - now_ms) % SECOND_MS)

    def _findings(self, state: dict[str, Any]) -> Iterator[tuple[Any, str]]:
        """What is not in order at this moment."""
        mine, other = self.guard.legs(), self.twin.legs()
        if mine is None or other is None:
            yield "stuck", "a guard does not answer"
            return
        status = {leg.account: row for leg, row in mine.items()}
        twins = {leg.account: row for leg, row in other.items()}
        twin_state = self.twin_exchange.state()
        twin_legs = {leg.account: leg for leg in legs_of(twin_state)}
        for leg in legs_of(state):
            yield from self._stop_findings(leg, status.get(leg.account))
            row = status.get(leg.account)
            if row is not None:
                twin_leg, twin_row = twin_legs.get(leg.account), twins.get(leg.account)
                yield from self._twin_findings(leg, row, twin_leg, twin_row, twin_state)

    def _stop_findings(self, leg: LegTruth, row: LegStatus | None) -> Iterator[tuple[Any, str]]:
        if row is None:
            yield "stuck", f"{leg.name}: the guard does not know of the position"
            return
        if row.phase is Phase.TRIGGERED or leg.firing:
            yield "stuck", f"{leg.name}: still closing"
            return
        if len(leg.working) > 1:
            yield "duplicated", f"{leg.name}: working stops at {leg.working}"
        if not leg.covered:
            yield "lost", f"{leg.name}: no working stop rests"
            return
        best = self._best.get(leg.key)
        if best is not None and leg.looser_than(best):
            yield "loosened", f"{leg.name}: {leg.tightest} rests, {best.tightest} had rested"

    def _twin_findings(
        self,
        leg: LegTruth,
        row: LegStatus,
        twin_leg: LegTruth | None,
        twin_row: LegStatus | None,
        twin_state: dict[str, Any],
    ) -> Iterator[tuple[Any, str]]:
        paired = self._pairs.get(leg.key)
        if paired is None:
            yield "peaks", f"{leg.name}: the twin has never had this position"
            return
        if twin_leg is None or twin_leg.opened_us != paired:
            closed_us = _closed_us(twin_state, leg.account, paired)
            if any(
                from_us - REACTION_MS * US_PER_MS <= closed_us <= to_us + SETTLE_MS * US_PER_MS
                for from_us, to_us in self.dead_times()
            ):
                self.compared["the twin closed while the guard was dead"] += 1
            else:
                yield "peaks", f"{leg.name}: the twin closed at {closed_us}, this one did not"
            return
        if twin_row is None:
            yield "stuck", f"{leg.name}: the twin does not know of the position"
            return
        if row.epoch > leg.opened_us // US_PER_MS + REACTION_MS:
            self.compared["adopted after the dead time"] += 1
            return
        for name in ("phase", "peak", "exact_stop"):
            here, there = getattr(row, name), getattr(twin_row, name)
            if here != there:
                yield "peaks", f"{leg.name}: {name} {here}, the twin's {there} (epoch {row.epoch})"
                return
        self.compared[f"equal in {row.phase.value}"] += 1

    # --- keeping count -----------------------------------------------------------------------------
    def _note(self, state: dict[str, Any]) -> None:
        """Remember the tightest working stop that was ever seen of each position."""
        best_stops(self._best, state)

    def _follow(self) -> None:
        """Bring the twin's exchange to the same time, and wait for it."""
        self._join()
        state = self.exchange.state()
        self._bring_twin(state, self.exchange.now_us)

    def _join(self) -> None:
        """Wait until the twin has caught up with what it was told last."""
        if self._following is not None:
            self._following.result()
            self._following = None

    def _bring_twin(self, state: dict[str, Any], now_us: int) -> None:
        """Let the twin's exchange run to this time, with the same positions opened on it."""
        for opened_us, account in _openings(state):
            if (account, opened_us) not in self._opened_seen:
                self._opened_seen.add((account, opened_us))
                self.twin_exchange.run_to(opened_us // US_PER_MS)
                self._open_twin(account, opened_us)
        self.twin_exchange.run_to(now_us // US_PER_MS)

    def _open_twin(self, account: str, opened_us: int) -> None:
        symbol, side = next((symbol, side) for name, symbol, side in LEGS if name == account)
        wish = {"account": account, "symbol": symbol}
        still = [leg for leg in legs_of(self.twin_exchange.state()) if leg.account == account]
        if still:
            self.verdict.fail("peaks", f"{account} opened at {opened_us}: the twin is still open")
            self.twin_exchange.ask("POST", "/control/close", wish)
        self.twin_exchange.ask("POST", "/control/positions", wish | {"side": side})
        for leg in legs_of(self.twin_exchange.state()):
            if leg.account == account:
                self._pairs[account, opened_us] = leg.opened_us


def _openings(state: dict[str, Any]) -> list[tuple[int, str]]:
    """Time and account of every position that was ever opened, oldest first."""
    return sorted(
        (row["opened_us"], name)
        for name, account in state["accounts"].items()
        for row in (*account["positions"], *account["epochs"])
    )


def _closed_us(state: dict[str, Any], account: str, opened_us: int) -> int:
    for row in state["accounts"][account]["epochs"]:
        if row["opened_us"] == opened_us:
            closed: int = row["closed_us"]
            return closed
    return FOREVER_US
