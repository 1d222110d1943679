"""Replaying the journal's inputs gives the decisions that the journal has, byte for byte (I14)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal

import msgspec
import pytest

from tests.storage.examples import EPOCH, LEG, Opener, adopted
from trailstop.engine.begin import begin
from trailstop.engine.commands import Command, MoveStop, PlaceStop
from trailstop.engine.events import Event, PriceSeen, QuoteSeen, StopAcknowledged, TimePassed
from trailstop.engine.step import step
from trailstop.engine.trail import Trail
from trailstop.storage.records import Adopted, Decided, Input

ROUNDS = 3_000
ROUND_MS = 700
DURABLE_EVERY = 250


def start(record: Adopted) -> Trail:
    return begin(
        leg=record.leg,
        epoch=record.epoch,
        position=record.position,
        instrument=record.instrument,
        policy=record.policy,
        fees=record.fees,
        at_ms=record.at_ms,
        foreign_stop=record.foreign_stop,
    )


def market(seed: int) -> Iterator[Event]:
    """Quotes, trades and idle moments of a restless market that rises on the whole."""
    chance = random.Random(seed)
    ticks = 600_000
    for number in range(ROUNDS):
        at_ms = EPOCH + number * ROUND_MS
        ticks += chance.randrange(-120, 132)
        price = Decimal(ticks) / 10
        yield QuoteSeen(price - 1, price + 1, at_ms)
        yield PriceSeen(price, at_ms + 1)
        if chance.random() < 0.1:
            yield TimePassed(at_ms + 300)


def answers(commands: tuple[Command, ...], at_ms: int) -> list[Event]:
    return [
        StopAcknowledged(command.price, command.quantity, at_ms + 50)
        for command in commands
        if isinstance(command, PlaceStop | MoveStop)
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_replay_decides_the_same_byte_for_byte(open_store: Opener, seed: int) -> None:
    store = open_store()
    trail = start(adopted())
    store.record([adopted()], trail=trail)
    for number, told in enumerate(market(seed)):
        waiting = [told]
        while waiting:
            event = waiting.pop(0)
            trail, commands = step(trail, event)
            decided = [Decided(LEG, EPOCH, commands, event.at_ms)] if commands else []
            store.record([Input(LEG, EPOCH, event), *decided], trail=trail)
            waiting += answers(commands, event.at_ms)
        if number % DURABLE_EVERY == 0:
            await store.durable()
    await store.close()

    again = open_store()
    (first,) = [row.record for row in await again.events(kinds=["adopted"])]
    journaled = [row.record for row in await again.events(kinds=["decided"], limit=100_000)]
    assert isinstance(first, Adopted)
    replayed, decisions = start(first), []
    for event in await again.inputs(LEG, EPOCH):
        replayed, commands = step(replayed, event)
        if commands:
            decisions.append(Decided(LEG, EPOCH, commands, event.at_ms))
    assert len(decisions) > 3
    assert msgspec.json.encode(decisions) == msgspec.json.encode(journaled)
    assert again.load().trails == (trail,)
    assert msgspec.json.encode(replayed) == msgspec.json.encode(trail)
    await again.close()
