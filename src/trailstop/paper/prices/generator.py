"""Generated prices: drift, clusters of volatility, jumps and gaps, from a seed and without end.

The generator knows nothing of positions. It uses whole numbers for its chance and decimals for its
prices, so that a seed gives the same prices on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from math import isqrt
from random import Random
from typing import Literal

from msgspec import Struct

from trailstop.paper.prices.bars import Bar, bar_prints
from trailstop.paper.prices.market import derive_market
from trailstop.paper.prices.tape import Print, Tape
from trailstop.paper.settings import MINUTE_US, WorldSettings
from trailstop.recorded.formats import power_of_ten

MILLION = 1_000_000
PRICE_DIGITS = 6
"""Significant digits of a price, which give the tick."""
COINS = 1_024
"""Coin tosses in one draw. Their sum is as good as normal and is exact on every machine."""
COINS_DEVIATION = 16
"""Standard deviation of the sum of `COINS` tosses: half the root of their number."""
QUARTERS_IN_BAR = 4
QUARTER_US = MINUTE_US // QUARTERS_IN_BAR
TICK_US_MIN = 200_000
TICK_US_MAX = 1_800_000
HEAT_PERMILLE = (500, 1_000, 2_000)
"""Calm, usual and hot: how much of the usual move a market makes in each cluster."""
CLUSTER_US_MIN = 4 * MINUTE_US
CLUSTER_US_MAX = 15 * MINUTE_US
PULL_BAND_MILLIONTHS = 500_000
"""Beyond this distance from its first price a market drifts back, so that it lives for ever."""
DEFAULT_PRICES = {"BTCUSDT": Decimal(65_000), "ETHUSDT": Decimal(3_200), "SOLUSDT": Decimal(150)}
OTHER_PRICE = Decimal(25)
DEFAULT_START_US = 1_767_225_600 * MILLION
"""2026-01-01 00:00 UTC."""


class GeneratorSettings(Struct, frozen=True, kw_only=True):
    """What the generated markets are like; moves in millionths of the price.

    The defaults are lively: within half an hour a market usually moves by a few percent.
    """

    seed: int
    symbols: tuple[str, ...] = ("BTCUSDT", "ETHUSDT")
    start_us: int = DEFAULT_START_US
    form: Literal["bars", "ticks"] = "bars"
    move: int = 1_000
    """Standard deviation of the price over 15 s in a usual cluster."""
    drift: int = 500
    """Greatest steady drift in 15 s; each cluster draws its own, up or down."""
    jump_one_in: int = 160
    """One 15 s step in so many is a jump of `jump_min` to `jump_max`, up or down."""
    jump_min: int = 3_000
    jump_max: int = 12_000
    gap_one_in: int = 25
    """One bar in so many opens `gap_min` to `gap_max` away from the close before."""
    gap_min: int = 500
    gap_max: int = 4_000


def generate_tapes(generator: GeneratorSettings, settings: WorldSettings) -> list[Tape]:
    """One endless tape for each symbol; a symbol's prices do not depend on the other symbols."""
    tapes = []
    for symbol in generator.symbols:
        price = DEFAULT_PRICES.get(symbol, OTHER_PRICE)
        tick = price.adjusted() - PRICE_DIGITS + 1
        market = derive_market(symbol, price, tick, None, settings)
        source = f"generated, seed {generator.seed}"
        course = _Course(generator, symbol, price, power_of_ten(tick))
        if generator.form == "bars":
            points = _bars(course, generator.start_us, market.step_size)
        else:
            points = _ticks(course, generator.start_us, market.step_size)
        tapes.append(Tape(market, points, source))
    return tapes


class _Course:
    """The way of one market's price."""

    def __init__(
        self, generator: GeneratorSettings, symbol: str, price: Decimal, tick_size: Decimal
    ) -> None:
        self.random = Random(f"{generator.seed}:{symbol}")
        self._settings = generator
        self._first = price
        self._price = price
        self._tick_size = tick_size
        self._cluster_left_us = 0
        self._heat = HEAT_PERMILLE[1]
        self._drift = 0

    def quoted(self) -> Decimal:
        """The price on the tick, at least one tick."""
        ticks = (self._price / self._tick_size).to_integral_value(ROUND_HALF_EVEN)
        return max(ticks, Decimal(1)) * self._tick_size

    def step(self, elapsed_us: int) -> Decimal:
        """Let time pass; returns the new price."""
        if self._cluster_left_us <= 0:
            self._begin_cluster()
        self._cluster_left_us -= elapsed_us
        tosses = self.random.getrandbits(COINS).bit_count() - COINS // 2
        root = isqrt(elapsed_us * MILLION // QUARTER_US)
        spread = tosses * self._settings.move * self._heat * root
        moved = spread // (COINS_DEVIATION * 1_000 * 1_000)
        moved += self._drift * elapsed_us // QUARTER_US
        if self.random.randrange(self._settings.jump_one_in * QUARTER_US) < elapsed_us:
            moved += self._leap(self._settings.jump_min, self._settings.jump_max)
        self._move(moved)
        return self.quoted()

    def gap(self) -> None:
        """Perhaps leave a gap before the next bar."""
        if not self.random.randrange(self._settings.gap_one_in):
            self._move(self._leap(self._settings.gap_min, self._settings.gap_max))

    def quantity(self, step_size: Decimal) -> Decimal:
        """A traded quantity, from one step to two thousand."""
        return step_size * self.random.randint(1, 2_000)

    def _begin_cluster(self) -> None:
        self._cluster_left_us = self.random.randint(CLUSTER_US_MIN, CLUSTER_US_MAX)
        self._heat = HEAT_PERMILLE[self.random.randrange(len(HEAT_PERMILLE))]
        self._drift = self.random.randint(-self._settings.drift, self._settings.drift)
        away = int((self._price - self._first) * MILLION / self._first)
        if away > PULL_BAND_MILLIONTHS:
            self._drift = -abs(self._drift)
        elif away < -PULL_BAND_MILLIONTHS:
            self._drift = abs(self._drift)

    def _leap(self, least: int, most: int) -> int:
        size = self.random.randint(least, most)
        return size if self.random.getrandbits(1) else -size

    def _move(self, millionths: int) -> None:
        # A fall is the inverse of a rise of the same size, so that no move can reach zero.
        factor = Decimal(MILLION + abs(millionths)) / MILLION
        self._price = self._price * factor if millionths >= 0 else self._price / factor


def _bars(course: _Course, start_us: int, step_size: Decimal) -> Iterator[Print]:
    open_us = start_us
    while True:
        opening = course.quoted()
        prices = [opening, *(course.step(QUARTER_US) for _ in range(QUARTERS_IN_BAR))]
        volume = sum((course.quantity(step_size) for _ in prices), Decimal(0))
        bar = Bar(open_us, opening, max(prices), min(prices), prices[-1], volume)
        yield from bar_prints(bar, MINUTE_US, step_size)
        course.gap()
        open_us += MINUTE_US


def _ticks(course: _Course, start_us: int, step_size: Decimal) -> Iterator[Print]:
    now_us = start_us
    before = course.quoted()
    price = before
    while True:
        yield Print(now_us, price, course.quantity(step_size), price < before)
        elapsed_us = course.random.randint(TICK_US_MIN, TICK_US_MAX)
        now_us += elapsed_us
        before = price
        price = course.step(elapsed_us)
