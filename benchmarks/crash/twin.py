"""The twin: a guard that is never killed, on an exchange with the same prices and positions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.crash.moments import (
    FOREVER_US,
    REACTION_MS,
    SETTLE_MS,
    US_PER_MS,
    Kill,
    dead_times,
)
from benchmarks.crash.processes import ExchangeProcess, GuardProcess
from benchmarks.crash.scenario import LegName, Scenario
from benchmarks.crash.truth import LegTruth, PositionKey, epochs_of, legs_of
from benchmarks.crash.verdict import Kind, Verdict
from trailstop.daemon.talk.status import LegStatus

COMPARED = ("phase", "peak", "exact_stop")


class Twin:
    """Follows the other exchange's virtual time and compares its guard with the killed one."""

    def __init__(self, folder: Path, scenario: Scenario, verdict: Verdict) -> None:
        self.compared: Counter[str] = Counter()
        self._scenario = scenario
        self._verdict = verdict
        self._exchange = ExchangeProcess(folder, "twin-exchange", scenario, trader=False)
        self._guard = GuardProcess(self._exchange, folder, "twin")
        self._pairs: dict[PositionKey, int] = {}
        self._seen: set[PositionKey] = set()
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._following: Future[None] | None = None

    def start(self) -> None:
        """Start its guard."""
        self._guard.start()

    def stop(self) -> None:
        """End its processes."""
        self._pool.shutdown(cancel_futures=True)
        self._guard.stop()
        self._exchange.kill()

    def check(self) -> None:
        """Raises: DrillError where its guard has ended."""
        self._guard.check()

    def follow(self, state: dict[str, Any], now_us: int) -> None:
        """Bring it to the other exchange's state and time, and wait for it."""
        self.join()
        self._bring(state, now_us)

    def follow_later(self, state: dict[str, Any], now_us: int) -> None:
        """Bring it there while other things go on."""
        self.join()
        self._following = self._pool.submit(self._bring, state, now_us)

    def join(self) -> None:
        """Wait until it has caught up with what it was told last."""
        if self._following is not None:
            self._following.result()
            self._following = None

    def close(self, leg: LegName) -> None:
        """Close a position by hand there too."""
        if any(one.leg == leg for one in legs_of(self._exchange.state())):
            self._exchange.close(leg)

    def findings(
        self,
        open_legs: list[tuple[LegTruth, LegStatus]],
        kills: list[Kill],
        bare: Collection[PositionKey],
    ) -> Iterator[tuple[Kind, str]]:
        """What of the killed guard is not as here.

        `bare` positions had no stop when it was killed: it may not have seen a price of theirs,
        and then it missed those of the dead time.
        """
        rows = self._guard.by_name()
        if rows is None:
            yield "stuck", "the twin does not answer"
            return
        state = self._exchange.state()
        here = {leg.leg: leg for leg in legs_of(state)}
        for leg, row in open_legs:
            paired = self._pairs.get(leg.key)
            twin = here.get(leg.leg)
            if paired is None:
                yield "peaks", f"{leg.name}: the twin has never had this position"
            elif twin is None or twin.opened_us != paired:
                yield from self._gone(leg, _closed_us(state, leg.leg, paired), kills)
            elif leg.leg not in rows:
                yield "stuck", f"{leg.name}: the twin does not know of the position"
            else:
                yield from self._unequal(leg, row, rows[leg.leg], late=leg.key in bare)

    def _gone(self, leg: LegTruth, closed_us: int, kills: list[Kill]) -> Iterator[tuple[Kind, str]]:
        """It has closed what is still open there: right only where nobody could close it."""
        if any(
            from_us - REACTION_MS * US_PER_MS <= closed_us <= to_us + SETTLE_MS * US_PER_MS
            for from_us, to_us in dead_times(kills)
        ):
            self.compared["the twin closed while the guard was dead"] += 1
        else:
            yield "peaks", f"{leg.name}: the twin closed at {closed_us}, this one did not"

    def _unequal(
        self, leg: LegTruth, row: LegStatus, twin: LegStatus, *, late: bool
    ) -> Iterator[tuple[Kind, str]]:
        if row.epoch > leg.opened_us // US_PER_MS + REACTION_MS:
            self.compared["adopted after the dead time"] += 1
            return
        for name in COMPARED:
            here, there = getattr(row, name), getattr(twin, name)
            if here != there and late:
                self.compared["had no stop before the dead time"] += 1
                return
            if here != there:
                yield "peaks", f"{leg.name}: {name} {here}, the twin's {there} (epoch {row.epoch})"
                return
        self.compared[f"equal in {row.phase.value}"] += 1

    def _bring(self, state: dict[str, Any], now_us: int) -> None:
        """Let its exchange run to this time, with the same positions opened on it."""
        opened = [leg.key for leg in legs_of(state)]
        opened += [(leg, opened_us) for leg, opened_us, _ in epochs_of(state)]
        for key in sorted(opened, key=lambda key: (key[1], key[0])):
            if key not in self._seen:
                self._seen.add(key)
                self._exchange.run_to(key[1] // US_PER_MS)
                self._open(key)
        self._exchange.run_to(now_us // US_PER_MS)

    def _open(self, key: PositionKey) -> None:
        leg, opened_us = key
        if any(one.leg == leg for one in legs_of(self._exchange.state())):
            name = "/".join(leg)
            self._verdict.fail("peaks", f"{name} opened at {opened_us}: the twin is still open")
            self._exchange.close(leg)
        self._exchange.open(leg)
        for one in legs_of(self._exchange.state()):
            if one.leg == leg:
                self._pairs[key] = one.opened_us


def _closed_us(state: dict[str, Any], leg: LegName, opened_us: int) -> int:
    for name, began_us, closed_us in epochs_of(state):
        if (name, began_us) == (leg, opened_us):
            return closed_us
    return FOREVER_US
