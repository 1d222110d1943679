"""What any store promises: all of a call or nothing, in order, exact, and still there later."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest
from msgspec.structs import replace

from tests.storage.examples import (
    EPOCH,
    INSTRUMENT,
    LEG,
    POSITION,
    D,
    Opener,
    adopted,
    held,
    intended,
    moved,
    price,
    settled,
    trail,
)
from trailstop.domain.policy import Policy, ProfitShare
from trailstop.domain.position import Cause, Fees, Leg, Phase, Position, Role, StopKind
from trailstop.domain.price import Side
from trailstop.engine.commands import MoveStop, PlaceStop
from trailstop.engine.events import Event, PositionChanged, PriceSeen, QuoteSeen, StopAcknowledged
from trailstop.storage.records import (
    Adopted,
    Alarmed,
    Decided,
    Ended,
    Input,
    Noted,
    PhaseChanged,
    Record,
    kind_of,
)
from trailstop.storage.shapes import PriceRun
from trailstop.storage.store import Store

DIGITS = D("67001.12345678901234567890123")
"""28 digits: more than any float holds."""


def one_of_each() -> list[Record]:
    return [
        adopted(),
        price(1),
        Input(LEG, EPOCH, StopAcknowledged(D("58800.1"), D("0.5"), EPOCH + 2)),
        Decided(LEG, EPOCH, (PlaceStop(LEG, Role.WORKING, D("58800.1"), D("0.5")),), EPOCH + 3),
        held(4),
        intended("id-1"),
        settled("id-1", "acknowledged", "77"),
        PhaseChanged(LEG, EPOCH, Phase.WAITING, None, EPOCH + 5),
        moved(6, None, "58800.1"),
        Alarmed(LEG, EPOCH, "code", "text", EPOCH + 7),
        Noted(LEG, None, "code", "text", EPOCH + 8),
        Ended(LEG, EPOCH, Cause.TRAIL, D("60500.1"), "flat", EPOCH + 9),
    ]


def test_the_examples_leave_no_record_out() -> None:
    assert {type(record) for record in one_of_each()} == set(get_args(Record))


async def test_records_come_back_in_order_with_rising_numbers(store: Store) -> None:
    records = one_of_each()
    store.record(records)
    stored = await store.events()
    assert [row.record for row in stored] == [r for r in records if r != price(1)]
    assert [row.kind for row in stored] == [kind_of(row.record) for row in stored]  # type: ignore[arg-type]
    numbers = [row.sequence for row in stored]
    assert numbers == sorted(set(numbers))


async def test_calls_keep_their_order_whatever_is_batched(store: Store) -> None:
    store.record([adopted()])
    for number in range(300):
        store.record([held(number)])
        if number % 7 == 0:
            await store.durable()
    texts = [row.record.text for row in await store.events(kinds=["held"])]  # type: ignore[union-attr]
    assert texts == [f"held {number}" for number in range(300)]


async def test_events_go_on_after_a_number_and_up_to_a_limit(store: Store) -> None:
    store.record([adopted(), *(held(number) for number in range(10))])
    first = await store.events(limit=4)
    rest = await store.events(after=first[-1].sequence)
    assert len(first) == 4
    assert len(rest) == 7
    assert rest[0].record == held(3)


async def test_a_restart_continues_with_the_newest_trail(open_store: Opener) -> None:
    store = open_store()
    assert store.load().trails == ()
    newest = trail(peak=DIGITS, live_stop=DIGITS - 100, moves=3, phase=Phase.ACTIVE, activated=True)
    store.record([adopted()], trail=trail())
    store.record([moved(1, None, "58800.1")], trail=trail(moves=1))
    store.record([moved(2, "58800.1", "58900.1")], trail=newest)
    await store.close()
    again = open_store()
    assert again.load().trails == (newest,)
    assert again.load().trails[0].peak == DIGITS
    assert again.load().counters["moved"] == 2
    assert again.installation == store.installation
    assert len(again.installation) == 8
    await again.close()


async def test_an_ended_epoch_is_no_longer_loaded_and_the_next_one_is(open_store: Opener) -> None:
    store = open_store()
    store.record([adopted()], trail=trail())
    end = Ended(LEG, EPOCH, Cause.INITIAL_STOP, D("58800.1"), "stopped", EPOCH + 10)
    store.record([end], trail=trail(phase=Phase.TRIGGERED))
    store.record([adopted(epoch=EPOCH + 20)], trail=trail(epoch=EPOCH + 20))
    store.record([held(11)], trail=trail(phase=Phase.TRIGGERED))
    await store.close()
    again = open_store()
    assert [one.epoch for one in again.load().trails] == [EPOCH + 20]
    assert again.load().counters["ended.initial_stop"] == 1
    closed, current = await again.epochs()
    assert (closed.cause, closed.exit_price) == (Cause.INITIAL_STOP, D("58800.1"))
    assert (current.cause, current.closed_ms) == (None, None)
    await again.close()


async def test_intents_without_an_outcome_are_found_after_a_restart(open_store: Opener) -> None:
    store = open_store()
    store.record([adopted()], trail=trail())
    store.record([intended("sure", 1), intended("lost", 2), intended("never heard of", 7)])
    store.record([settled("sure", "acknowledged", "77"), settled("lost", "unknown")])
    store.record([settled("sure", "cancelled")])
    await store.close()
    again = open_store()
    loaded = again.load()
    assert [(one.intent.client_id, one.state) for one in loaded.intents] == [
        ("lost", "unknown"),
        ("never heard of", "intended"),
    ]
    assert loaded.generations == {(LEG, EPOCH): 7}
    assert loaded.counters["settled.unknown"] == 1
    known = await again.intent("sure")
    assert known is not None
    assert (known.intent, known.state, known.order_id) == (
        intended("sure", 1).intent,
        "cancelled",
        "77",
    )
    assert await again.intent("somebody else's") is None
    await again.close()


async def test_a_summary_tells_the_epoch_without_its_journal(store: Store) -> None:
    store.record([adopted()], trail=replace(trail(), peak=D("61000.5")))
    for phase in (Phase.WAITING, Phase.ACTIVE, Phase.TRIGGERED):
        store.record([PhaseChanged(LEG, EPOCH, phase, D(61000), EPOCH + 1)])
    store.record([held(1), held(2, "min_improvement"), held(3), moved(4, None, "58800.1")])
    store.record([moved(5, "58800.1", "59000.1")])
    store.record([Ended(LEG, EPOCH, Cause.TRAIL, DIGITS, "flat", EPOCH + 9)])
    (summary,) = await store.epochs()
    assert summary.leg == LEG
    assert (summary.side, summary.quantity, summary.entry_price) == (
        Side.LONG,
        D("0.5"),
        D("60000.1"),
    )
    assert summary.phases == (
        Phase.INACTIVE,
        Phase.WAITING,
        Phase.ACTIVE,
        Phase.TRIGGERED,
    )
    assert summary.holds == {"interval": 2, "min_improvement": 1}
    assert (summary.moves, summary.cause, summary.exit_price) == (1, Cause.TRAIL, DIGITS)
    assert (summary.opened_ms, summary.closed_ms) == (EPOCH, EPOCH + 9)
    assert summary.peak == D("61000.5")


async def test_money_keeps_28_digits_in_every_table(open_store: Opener) -> None:
    store = open_store()
    exact = Position(Side.SHORT, DIGITS, D("0.0000000000000000000000000001"))
    store.record([adopted(position=exact)], trail=trail(position=exact, peak=DIGITS))
    store.record([moved(1, str(DIGITS), str(DIGITS + 1))])
    await store.close()
    again = open_store()
    (summary,) = await again.epochs()
    assert (summary.entry_price, summary.quantity) == (exact.entry_price, exact.quantity)
    (row,) = await again.events(kinds=["moved"])
    assert row.record == moved(1, str(DIGITS), str(DIGITS + 1))
    await again.close()


async def test_the_inputs_of_an_epoch_come_back_exactly_for_a_replay(store: Store) -> None:
    other = Leg("main", "binance", "ETHUSDT")
    larger = msgspec.structs.replace(POSITION, quantity=D(1))
    told: list[Event] = [
        PriceSeen(D("60001.10"), EPOCH + 1),
        QuoteSeen(D("60001.0"), D("60001.2"), EPOCH + 2),
        StopAcknowledged(D("58800.1"), D("0.5"), EPOCH + 3),
        *(PriceSeen(D(60_000 + n), EPOCH + 4 + n, fresh=n % 3 > 0) for n in range(50)),
        PositionChanged(larger, EPOCH + 60),
        PriceSeen(D("60100.0"), EPOCH + 59, kind="bar"),
    ]
    store.record([adopted(), adopted(leg=other)])
    for number, event in enumerate(told):
        store.record([Input(LEG, EPOCH, event)])
        store.record([price(number, leg=other)])
        if number % 20 == 0:
            await store.durable()
    assert await store.inputs(LEG, EPOCH) == told
    assert len(await store.inputs(other, EPOCH)) == len(told)


async def test_price_runs_are_hidden_unless_asked_for(store: Store) -> None:
    store.record([adopted(), price(1), price(2), held(3), price(4)])
    assert [row.kind for row in await store.events()] == ["adopted", "held"]
    runs = [row.record for row in await store.events(kinds=["prices"])]
    assert runs == [
        PriceRun(LEG, EPOCH, (price(1).event, price(2).event)),
        PriceRun(LEG, EPOCH, (price(4).event,)),
    ]


async def test_pruning_forgets_old_prices_and_nothing_else(store: Store) -> None:
    store.record([adopted(), price(1), held(2), intended("id-1"), moved(3, None, "58800.1")])
    store.record([price(1_000)])
    last = (await store.events(kinds=["prices"]))[-1].sequence
    assert await store.prune(EPOCH + 500) == 1
    assert await store.inputs(LEG, EPOCH) == [price(1_000).event]
    assert [row.kind for row in await store.events()] == ["adopted", "held", "intended", "moved"]
    assert await store.prune(EPOCH + 5_000) == 1
    store.record([held(4)])
    assert (await store.events())[-1].sequence > last


async def test_old_prices_are_packed_and_say_the_same(store: Store) -> None:
    other = Leg("main", "binance", "ETHUSDT")
    store.record([adopted(), adopted(leg=other)])
    for number in range(3_000):
        store.record([price(number), price(number, leg=other)])
        if number == 2_000:
            store.record([Input(LEG, EPOCH, StopAcknowledged(D(1), D(1), EPOCH + number))])
        await store.durable()
    told = await store.inputs(LEG, EPOCH), await store.inputs(other, EPOCH)
    others = await store.events()
    before = len(await store.events(kinds=["prices"], limit=100_000))
    calls = 1
    while await store.compact(EPOCH + 2_500):
        calls += 1
    after = await store.events(kinds=["prices"], limit=100_000)
    assert before == 6_000
    # What is younger stays as it is; the rest is one row for each piece, leg and interruption.
    assert 1_000 <= len(after) <= 1_000 + 2 * calls + 1
    assert (await store.inputs(LEG, EPOCH), await store.inputs(other, EPOCH)) == told
    assert await store.events() == others
    assert not await store.compact(EPOCH + 2_500)


async def test_a_record_of_an_epoch_that_was_never_adopted_is_refused_at_once(store: Store) -> None:
    with pytest.raises(AssertionError, match="main/binance/BTCUSDT: held of an epoch"):
        store.record([settled("half", "gone"), held(1)])
    assert await store.events() == []
    store.record([Alarmed(LEG, EPOCH, "orphan", "a stop of ours on a flat leg", EPOCH)])
    store.record([intended("orphan"), settled("orphan", "gone")])
    assert len(await store.events()) == 3


async def test_a_distance_is_told_in_the_tables_words(store: Store) -> None:
    half = Policy(distance=ProfitShare(D("0.5")))
    store.record([Adopted(LEG, EPOCH, POSITION, INSTRUMENT, half, Fees(), EPOCH)])
    store.record([Decided(LEG, EPOCH, (MoveStop(LEG, D(2), D(1), D(1), StopKind.TRAIL),), EPOCH)])
    percent = await store.read(
        lambda open_: open_.exec_driver_sql(
            "SELECT trailing_percent FROM active_positions"
        ).scalar()
    )
    assert D(str(percent)) == 50
