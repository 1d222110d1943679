"""Prices that give a trailing stop much to do: long rises with shallow pullbacks, then a fall.

A rise lasts long enough for breakeven, activation and many moves; the fall after it closes
the position. The prices know nothing of positions; a seed gives the same prices every time.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from random import Random

from trailstop.paper.prices.market import derive_market
from trailstop.paper.prices.tape import Print, Tape
from trailstop.paper.settings import WorldSettings

START_US = 1_767_225_600_000_000
"""2026-01-01 00:00 UTC."""
PRINT_US = 2_000_000
FIRST_PRINT_US = 500_000
"""Prints come in the middle of a second, so that nothing else falls on the same instant."""
FIRST_PRICE = Decimal(1_000)
TICK_EXPONENT = -2
TICK = Decimal("0.01")
MILLION = 1_000_000
NOISE_PPM = 180
"""Standard deviation from one print to the next, millionths of the price."""
RISE_PRINTS = (160, 380)
RISE_PPM = (110, 210)
"""Drift of one print while it rises: 0.33 to 0.63 % a minute."""
FALL_PRINTS = (60, 90)
FALL_PPM = 300
QUANTITY = Decimal("0.5")


def wave_tape(symbol: str, seed: int, settings: WorldSettings, *, up: bool) -> Tape:
    """An endless tape whose waves favour a long, or turned over a short."""
    market = derive_market(symbol, FIRST_PRICE, TICK_EXPONENT, None, settings)
    return Tape(market, _points(Random(f"{seed}:{symbol}"), up=up), f"waves, seed {seed}")


def _points(chance: Random, *, up: bool) -> Iterator[Print]:
    level = FIRST_PRICE
    now_us = START_US + FIRST_PRINT_US
    while True:
        for prints, drift in (
            (chance.randint(*RISE_PRINTS), chance.randint(*RISE_PPM)),
            (chance.randint(*FALL_PRINTS), -FALL_PPM),
        ):
            for _ in range(prints):
                price = level if up else FIRST_PRICE * FIRST_PRICE / level
                rounded = price.quantize(TICK, ROUND_HALF_EVEN)
                yield Print(now_us, rounded, QUANTITY, buyer_maker=drift < 0)
                now_us += PRINT_US
                moved = drift + round(chance.gauss(0, NOISE_PPM))
                level = (level * (MILLION + moved) / MILLION).quantize(TICK)
