"""The mark where the data has none: an exact time-weighted mean of the last price."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest

from tests.paper.world.scene import START_US, SYMBOL, D, Scene, ticks
from trailstop.paper.facts import MarkMoved
from trailstop.paper.mark import MeanMark
from trailstop.paper.prices.tape import MarkPrice
from trailstop.paper.settings import SECOND_US

WINDOW_US = 30 * SECOND_US


@pytest.mark.parametrize(
    ("at_seconds", "mark"),
    [(0, 100), (9, 100), (10, 100), (25, 160), (40, 200), (100, 200)],
)
def test_the_mark_follows_a_jump_over_thirty_seconds(at_seconds, mark):
    mean = MeanMark(WINDOW_US, Decimal("0.1"))
    mean.put(START_US, D(100))
    mean.put(START_US + 10 * SECOND_US, D(200))
    assert mean.at(START_US + at_seconds * SECOND_US) == mark


def test_the_mark_changes_at_whole_seconds_only():
    mean = MeanMark(WINDOW_US, Decimal("0.1"))
    mean.put(START_US, D(100))
    mean.put(START_US + 10 * SECOND_US, D(130))
    assert mean.at(START_US + 11 * SECOND_US) == mean.at(START_US + 12 * SECOND_US - 1)
    assert mean.at(START_US + 12 * SECOND_US) == D("105")


@pytest.mark.parametrize("seed", range(5))
def test_the_mark_does_not_depend_on_who_looked_before(seed):
    chance = Random(seed)
    watched, unwatched = MeanMark(WINDOW_US, D("0.1")), MeanMark(WINDOW_US, D("0.1"))
    pieces: list[tuple[int, Decimal]] = []
    now_us = START_US
    for _ in range(200):
        price = Decimal(chance.randint(900, 1100)) / 10
        watched.put(now_us, price)
        unwatched.put(now_us, price)
        pieces.append((now_us, price))
        now_us += chance.randint(1, 7 * SECOND_US)
        watched.at(now_us)
    second = now_us - now_us % SECOND_US
    start = max(second - WINDOW_US, pieces[0][0])
    total = Decimal(0)
    for index, (begins, price) in enumerate(pieces):
        ends = pieces[index + 1][0] if index + 1 < len(pieces) else second
        total += price * max(0, min(ends, second) - max(begins, start))
    expected = (total / (second - start)).quantize(Decimal("1e-8"))
    assert watched.at(now_us) == unwatched.at(now_us) == expected


def test_a_recorded_mark_replaces_the_mean_and_fires_what_watches_it():
    points = [*ticks(100, 100, 100), MarkPrice(START_US + 3 * SECOND_US, D(94))]
    scene = Scene(points, has_mark=True)
    scene.long()
    stop = scene.stop(95, None, working_type="mark")
    scene.run_out()
    assert scene.world.mark(SYMBOL) == 94
    assert stop.status == "FINISHED"
    assert scene.epochs[0].exit_price == 100


def test_seconds_are_events_only_while_a_mark_could_fire_something():
    scene = Scene(ticks(100, 90, every_us=300 * SECOND_US))
    scene.long()
    scene.stop(80, None, working_type="mark")
    scene.after(300)
    scene.world.facts.clear()
    assert scene.world.next_event_us() == START_US + 360 * SECOND_US, "the end of the candle"
    scene.stop(92, working_type="mark")
    assert scene.world.next_event_us() == START_US + 301 * SECOND_US
    scene.run_out()
    told = [f for f in scene.world.facts if isinstance(f, MarkMoved)]
    assert len(told) == 24, "one a second until 24 of 30 s lie at 90"
    assert told[-1].mark == 92
