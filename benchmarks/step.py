"""What one price costs, as a multiple of the least that any trailing stop must do.

The yardstick is a plain loop of one Decimal product and one quantize. Measured are, while
ACTIVE with default settings: a price that is no new peak, a new peak that pacing holds, and a
price with a move (the acknowledgement between two moves is not counted).

    python -m benchmarks.step [--json]
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from decimal import ROUND_CEILING, Decimal

from trailstop.domain.policy import Policy
from trailstop.domain.position import Fees, Leg, Phase, Position
from trailstop.domain.price import Instrument, Side
from trailstop.engine.begin import begin
from trailstop.engine.commands import MoveStop, PlaceStop
from trailstop.engine.events import PriceSeen, StopAcknowledged
from trailstop.engine.step import step
from trailstop.engine.trail import HoldReason, Trail

ENTRY = Decimal("50000.0")
TICK = Decimal("0.1")
FACTOR = Decimal("0.995")
TAKER = Decimal("0.0005")
PRICES = 400
MOVES = 100
MINUTE_MS = 60_000
REPEATS = 100
BOUNDS = {"no_new_peak": 20.0, "held_new_peak": 20.0, "move": 40.0}
TITLES = {
    "no_new_peak": "a price without a move: no new peak",
    "held_new_peak": "a price without a move: a new peak that pacing holds",
    "move": "a price with a move",
}


def active_trail(side: Side = Side.LONG) -> Trail:
    """A trail with default settings that has moved its stop more than once, at 1 % beyond 2 %."""
    trail = begin(
        leg=Leg("bench", "paper", "BTCUSDT"),
        epoch=1,
        position=Position(side, ENTRY, Decimal("0.020"), opened_at_ms=0),
        instrument=Instrument("BTCUSDT", TICK, Decimal("0.001")),
        policy=Policy(),
        fees=Fees(TAKER, TAKER),
        at_ms=0,
    )
    at_ms = 0
    for percent in ("0", "0.7", "1.6", "2.0", "2.5"):
        at_ms += 2 * MINUTE_MS
        price = ENTRY + ENTRY * Decimal(percent) / 100 * side.sign
        trail, commands = step(trail, PriceSeen(price, at_ms))
        assert commands, "each of these prices places or moves the stop"
        trail = answer(trail, commands, at_ms)
    assert trail.phase is Phase.ACTIVE
    return trail


def answer(trail: Trail, commands: tuple[object, ...], at_ms: int) -> Trail:
    """Acknowledge the working stop that was asked for."""
    asked = commands[0]
    assert isinstance(asked, PlaceStop | MoveStop)
    trail, _ = step(trail, StopAcknowledged(asked.price, asked.quantity, at_ms))
    return trail


def yardstick(prices: list[Decimal]) -> float:
    """Nanoseconds of one Decimal product and one quantize."""
    factor, tick, rounding = FACTOR, TICK, ROUND_CEILING
    started = time.perf_counter_ns()
    for price in prices:
        (price * factor).quantize(tick, rounding)
    return (time.perf_counter_ns() - started) / len(prices)


def without_move(trail: Trail, events: list[PriceSeen], hold: HoldReason) -> float:
    """Nanoseconds of one price that leads to no move."""
    started = time.perf_counter_ns()
    for event in events:
        trail, commands = step(trail, event)
        if commands:
            raise AssertionError("a move was not meant to happen here")
    spent = time.perf_counter_ns() - started
    assert trail.hold is hold, trail.hold
    return spent / len(events)


def with_move(trail: Trail, events: list[PriceSeen]) -> float:
    """Nanoseconds of one price that moves the stop, its acknowledgement not counted."""
    spent, clock = 0, time.perf_counter_ns
    for event in events:
        started = clock()
        trail, commands = step(trail, event)
        spent += clock() - started
        trail = answer(trail, commands, event.at_ms)
    # Reading the clock twice is counted with it: some tens of nanoseconds.
    return spent / len(events)


def measure() -> dict[str, float]:
    """Least nanoseconds of each kind over interleaved repeats, so that load hits all alike."""
    trail = active_trail()
    peak, at_ms = trail.peak, trail.price_at_ms
    assert peak is not None
    prices = [peak - TICK * (n % 50) for n in range(PRICES)]
    falling = [PriceSeen(price, at_ms + n) for n, price in enumerate(prices)]
    # 400 new peaks of ten ticks each are 0.8 %: under the emergency, over the minimum.
    rising = [PriceSeen(peak + TICK * 10 * (n + 1), at_ms + n) for n in range(PRICES)]
    # A minute and 0.2 % later each time: the interval is over, the minimum reached.
    moving = [
        PriceSeen(
            (peak * (1 + Decimal("0.002") * (n + 1))).quantize(TICK), at_ms + MINUTE_MS * (n + 1)
        )
        for n in range(MOVES)
    ]
    least: dict[str, float] = {}
    for _ in range(REPEATS):
        took = {
            "yardstick": yardstick(prices),
            "no_new_peak": without_move(trail, falling, HoldReason.NOT_BETTER),
            "held_new_peak": without_move(trail, rising, HoldReason.INTERVAL),
            "move": with_move(trail, moving),
        }
        least = {name: min(spent, least.get(name, spent)) for name, spent in took.items()}
    return least


def main() -> int:
    """Measure, print the table and one JSON object; 1 when a bound is missed."""
    parser = argparse.ArgumentParser(prog="step", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the JSON object alone")
    json_only = parser.parse_args().json
    gc.collect()
    least = measure()
    unit = least["yardstick"]
    times = {name: least[name] / unit for name in BOUNDS}
    missed = [name for name, bound in BOUNDS.items() if times[name] > bound]
    if not json_only:
        print(f"one product and one quantize: {unit:.0f} ns")
        for name, bound in BOUNDS.items():
            verdict = "missed" if name in missed else "held"
            print(
                f"{TITLES[name]:<54} {least[name]:7.0f} ns {times[name]:6.1f} ×"
                f"   at most {bound:.0f} ×: {verdict}"
            )
    result = {
        "benchmark": "step",
        "nanoseconds": {name: round(spent) for name, spent in least.items()},
        "times": {name: round(value, 1) for name, value in times.items()},
        "bounds": BOUNDS,
        "missed": missed,
    }
    print(json.dumps(result))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
