"""Prices that make every stop move: each market goes one way, once a second, with a little noise."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from random import Random
from typing import Literal

from benchmarks.soaking.prices import FIRST_PRICES, MILLION, PRICE_DIGITS
from trailstop.paper.model import Market
from trailstop.paper.prices.market import derive_market
from trailstop.paper.prices.tape import Print, Tape
from trailstop.paper.settings import SECOND_US, WorldSettings

DRIFT = 110
"""Millionths of the price in a second, in favour of the market's positions: 0.66 % a minute, so
that a trailing stop is due as soon as its interval is over and never sooner."""
NOISE = 60


def side_of(number: int) -> Literal["long", "short"]:
    """Which side is held of the market with this number; it goes that way."""
    return "short" if number % 2 else "long"


def trending(
    names: tuple[str, ...], seed: int, start_us: int, settings: WorldSettings
) -> list[Tape]:
    """One endless tape for each market, all at their own part of the second."""
    tapes = []
    for number, symbol in enumerate(names):
        first = Decimal(FIRST_PRICES[number % len(FIRST_PRICES)])
        exponent = first.adjusted() - PRICE_DIGITS + 1
        market = derive_market(symbol, first, exponent, None, settings)
        apart_us = SECOND_US * number // len(names)
        sign = 1 if side_of(number) == "long" else -1
        chance = Random(f"{seed}:{symbol}")
        prints = _prints(chance, first, sign, (start_us, apart_us), market)
        tapes.append(Tape(market, prints, f"one way, seed {seed}"))
    return tapes


def _prints(
    chance: Random, first: Decimal, sign: int, begin_us: tuple[int, int], market: Market
) -> Iterator[Print]:
    """The first print of all markets is at once; the others have their own part of the second."""
    start_us, apart_us = begin_us
    now_us = start_us
    tick, step = market.tick_size, market.step_size
    price = before = first
    while True:
        quoted = (price / tick).to_integral_value(ROUND_HALF_EVEN) * tick
        yield Print(now_us, quoted, step * chance.randint(1, 2_000), quoted < before)
        before = quoted
        now_us = start_us + apart_us + SECOND_US * (1 + (now_us - start_us) // SECOND_US)
        price *= 1 + (sign * DRIFT + chance.randint(-NOISE, NOISE)) / MILLION
