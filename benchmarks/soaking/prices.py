"""Prices for a long run: a seeded walk a symbol, sparse, lively, and without end.

A print comes every few seconds only, so that a virtual day costs little; the steps between two
prints are as large as those of a market that prints every second.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from random import Random

from msgspec import Struct

from trailstop.paper.prices.market import derive_market
from trailstop.paper.prices.tape import Print, Tape
from trailstop.paper.settings import MINUTE_US, SECOND_US, WorldSettings

PRICE_DIGITS = 6
MILLION = Decimal(1_000_000)
FIRST_PRICES = ("65000", "3200", "150", "25", "8.4", "0.62", "1.9", "420", "33.5", "0.081")
"""Taken in turn, so that ticks and steps of many sizes are met."""
BASES = tuple("".join(letters) for letters in itertools.product("ABCDEFGH", "KLMN", "OPQR"))


class Walk(Struct, frozen=True, kw_only=True):
    """How prices move; moves in millionths of the price."""

    seed: int
    start_us: int
    every_us: tuple[int, int] = (6 * SECOND_US, 10 * SECOND_US)
    """Shortest and longest time between two prints of a symbol."""
    move: int = 450
    """Standard deviation of one step in a usual stretch."""
    drift: int = 60
    """Greatest steady drift of one step; each stretch draws its own."""
    jump_share: float = 0.004
    """Share of steps that are jumps of `jump`."""
    jump: tuple[int, int] = (4_000, 20_000)


def symbols(count: int) -> tuple[str, ...]:
    """Names of so many made-up markets, the first two as everywhere."""
    made = (f"{base}USDT" for base in BASES)
    return tuple(itertools.islice(itertools.chain(("BTCUSDT", "ETHUSDT"), made), count))


def tapes(names: tuple[str, ...], walk: Walk, settings: WorldSettings) -> list[Tape]:
    """One endless tape for each market; none depends on the others."""
    made = []
    for number, symbol in enumerate(names):
        first = Decimal(FIRST_PRICES[number % len(FIRST_PRICES)])
        tick_exponent = first.adjusted() - PRICE_DIGITS + 1
        market = derive_market(symbol, first, tick_exponent, None, settings)
        prints = _prints(walk, symbol, first, market.tick_size, market.step_size)
        made.append(Tape(market, prints, f"walk, seed {walk.seed}"))
    return made


def _prints(
    walk: Walk, symbol: str, first: Decimal, tick: Decimal, step: Decimal
) -> Iterator[Print]:
    chance = Random(f"{walk.seed}:{symbol}")
    now_us, price, before = walk.start_us, first, first
    stretch_until_us, heat, drift = 0, 1.0, 0
    while True:
        quoted = (price / tick).to_integral_value(ROUND_HALF_EVEN) * tick
        yield Print(now_us, quoted, step * chance.randint(1, 2_000), quoted < before)
        before = quoted
        now_us += chance.randint(*walk.every_us)
        if now_us >= stretch_until_us:
            stretch_until_us = now_us + chance.randint(4, 40) * MINUTE_US
            heat = chance.choice((0.4, 1.0, 1.8))
            drift = chance.randint(-walk.drift, walk.drift)
            if not first / 2 < price < first * 2:
                # What wandered far comes back, so that ticks and sizes keep their sense.
                drift = -walk.drift if price > first else walk.drift
        moved = round(chance.gauss(0, walk.move) * heat) + drift
        if chance.random() < walk.jump_share:
            moved += chance.randint(*walk.jump) * chance.choice((-1, 1))
        factor = (MILLION + abs(moved)) / MILLION
        price = price * factor if moved >= 0 else price / factor
