"""After kill -9 and a restart: what is proven goes on, what is not proven starts again."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from tests.daemon.support import START_US, Scene, play
from trailstop.daemon.reading.recovery import touched_zero
from trailstop.domain.position import Cause, Phase, Position
from trailstop.domain.price import Side
from trailstop.paper.holds import Hold
from trailstop.paper.settings import WorldSettings
from trailstop.paper.trouble.faults import Fault
from trailstop.ports import Execution
from trailstop.storage.records import Ended, Moved

D = Decimal
RISE = [(0, "10000.0"), (5, "10080.0"), (10, "10180.0")]
"""Breakeven, then activation with the peak 10 180: the trailing stop is 10 129.1."""


async def active(scene: Scene) -> None:
    """A long that trails behind 10 180."""
    await scene.until(2.5)
    scene.open()
    await scene.until(20.5)
    assert scene.leg.phase is Phase.ACTIVE
    assert [stop.trigger_price for stop in scene.stops] == [D("10129.1")]


async def told_once(scene: Scene) -> None:
    """Every move leads on from the one before, every phase and the adoption came once."""
    moves = [record for record in await scene.told("moved") if isinstance(record, Moved)]
    assert [move.from_price for move in moves] == [None, *(m.to_price for m in moves[:-1])]
    assert len({move.client_id for move in moves}) == len(moves)
    phases = [(row.epoch, row.phase) for row in await scene.told("phase_changed")]
    assert len(set(phases)) == len(phases)


# --- the proof -----------------------------------------------------------------------------
def fill(direction: str, quantity: str, at_ms: int) -> Execution:
    return Execution(
        execution_id=str(at_ms), order_id="1", client_id="", symbol="BTCUSDT",
        position_side="both", direction=direction, price=D(100), quantity=D(quantity),
        fee=D(0), fee_asset="USDT", realized=D(0), at_ms=at_ms,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fills", "expected"),
    [
        pytest.param([], False, id="nothing happened"),
        pytest.param([fill("buy", "1", 1)], False, id="averaged in"),
        pytest.param([fill("sell", "1", 1)], False, id="partly closed"),
        pytest.param([fill("sell", "1", 1), fill("buy", "1", 2)], False, id="less, then more"),
        pytest.param([fill("buy", "2", 1)], True, id="opened anew"),
        pytest.param([fill("sell", "2", 1), fill("buy", "2", 2)], True, id="closed and opened"),
        pytest.param([fill("sell", "3", 1), fill("buy", "3", 2)], True, id="turned and back"),
    ],
)
def test_a_long_of_two_touched_zero(fills: list[Execution], expected: bool) -> None:
    position = Position(Side.LONG, D(100), D(2))
    assert touched_zero(fills, position) is expected


@pytest.mark.parametrize(
    ("fills", "expected"),
    [
        pytest.param([fill("sell", "1", 1)], False, id="averaged in"),
        pytest.param([fill("buy", "2", 1), fill("sell", "2", 2)], True, id="closed and opened"),
    ],
)
def test_a_short_of_two_touched_zero(fills: list[Execution], expected: bool) -> None:
    position = Position(Side.SHORT, D(100), D(2))
    assert touched_zero(fills, position) is expected


# --- the gap -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "second",
    [
        pytest.param(40, id="before the first whole minute: trades"),
        pytest.param(100, id="within whole minutes: candles"),
        pytest.param(181, id="in the open minute: trades"),
    ],
)
def test_a_peak_of_the_gap_raises_peak_and_stop(tmp_path: Path, second: int) -> None:
    async def story(scene: Scene) -> None:
        await active(scene)
        await scene.until(30.5)
        await scene.kill()
        await scene.until(190.5)
        await scene.start()
        await scene.until(195)
        assert scene.leg.peak == D("10240.0")
        assert [stop.trigger_price for stop in scene.stops] == [D("10188.8")]
        await told_once(scene)
        assert scene.clocks["loosened"] == scene.clocks["duplicates"] == 0

    play(tmp_path, [*RISE, (second, "10240.0"), (second + 2, "10200.0")], story)


@pytest.mark.parametrize("path", ["/fapi/v1/klines", "/fapi/v1/aggTrades"])
def test_a_gap_that_cannot_be_read_is_told_and_trailing_goes_on(tmp_path: Path, path: str) -> None:
    async def story(scene: Scene) -> None:
        await active(scene)
        await scene.until(30.5)
        await scene.kill()
        await scene.until(190.5)
        scene.paper.add_fault(Fault(kind="unavailable", path=path))
        await scene.start()
        await scene.until(315)
        alarms = [record.code for record in await scene.told("alarmed")]
        assert alarms == ["gap_unfilled"]
        assert scene.leg.peak == D("10300.0")
        assert [stop.trigger_price for stop in scene.stops] == [D("10248.5")]

    play(tmp_path, [*RISE, (250, "10200.0"), (260, "10300.0")], story)


def test_an_account_that_cannot_be_read_for_a_while_is_guarded_as_soon_as_it_can(
    tmp_path: Path,
) -> None:
    async def story(scene: Scene) -> None:
        await active(scene)
        await scene.until(30.5)
        await scene.kill()
        await scene.until(40.5)
        fault = scene.paper.add_fault(Fault(kind="unavailable", path="/fapi/v3/positionRisk"))
        starting = asyncio.ensure_future(scene.start())
        await scene.until(100.5)
        scene.paper.faults.clear(fault)
        await starting
        await scene.until(140)
        assert scene.leg.peak == D("10240.0")
        assert [stop.trigger_price for stop in scene.stops] == [D("10188.8")]

    play(tmp_path, [*RISE, (60, "10240.0"), (70, "10200.0")], story)


def test_activation_within_the_gap_is_told_once(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.until(2.5)
        scene.open()
        await scene.until(20.5)
        assert scene.leg.phase is Phase.WAITING
        await scene.kill()
        await scene.until(140.5)
        await scene.start()
        await scene.until(145)
        assert (scene.leg.phase, scene.leg.peak) == (Phase.ACTIVE, D("10300.0"))
        await told_once(scene)

    play(tmp_path, [(0, "10000.0"), (5, "10080.0"), (60, "10300.0"), (70, "10280.0")], story)


def test_a_cross_of_the_gap_does_not_close_where_the_live_price_is_better(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await active(scene)
        await scene.kill()
        await scene.until(150.5)
        await scene.start()
        await scene.until(155)
        assert scene.is_open
        # 0.5 % behind 10 300, though 10 200 was seen after it.
        assert len(await scene.told("noted")) == 1
        assert [stop.trigger_price for stop in scene.stops] == [D("10248.5")]

    play(tmp_path, [*RISE, (40, "10300.0"), (80, "10200.0"), (140, "10290.0")], story)


def test_a_live_price_beyond_the_exact_stop_closes_after_the_gap(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await active(scene)
        await scene.kill()
        await scene.until(150.5)
        await scene.start()
        await scene.until(160)
        assert not scene.is_open
        (ended,) = await scene.told("ended")
        assert isinstance(ended, Ended)
        assert ended.cause is Cause.CROSSED

    play(tmp_path, [*RISE, (40, "10300.0"), (80, "10200.0")], story)


# --- another position ------------------------------------------------------------------------
async def second_epoch(scene: Scene) -> None:
    """The first position has ended once, the second has its own stops and no others."""
    (first, second) = await scene.told("adopted")
    assert first.epoch != second.epoch
    (ended,) = await scene.told("ended")
    assert (ended.epoch, ended.cause) == (first.epoch, Cause.CLOSED_ELSEWHERE)
    assert scene.leg.epoch == second.epoch
    assert scene.leg.entry_price == D("10181.2")
    assert len(scene.stops) == 1
    assert scene.stops[0].created_us // 1_000 > second.epoch


def test_closed_and_opened_anew_in_the_gap_is_another_epoch(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await active(scene)
        await scene.kill()
        await scene.until(60.2)
        scene.close()
        await scene.until(60.8)
        scene.open()
        await scene.until(90.5)
        await scene.start()
        await scene.until(98)
        await second_epoch(scene)

    play(tmp_path, RISE, story)


def test_an_epoch_that_ended_unrecorded_moments_before_the_kill_does_not_go_on(
    tmp_path: Path,
) -> None:
    async def story(scene: Scene) -> None:
        await active(scene)
        await scene.until(30.8)
        scene.close()
        await scene.until(30.9)
        scene.open()
        # A price after both is on record, what was heard of the position is not.
        await scene.until(31.4)
        await scene.kill()
        await scene.until(60.5)
        await scene.start()
        await scene.until(75)
        await second_epoch(scene)

    play(tmp_path, RISE, story, latency_ms=400)


def test_an_unproven_continuation_keeps_the_stop_and_not_the_peak(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await active(scene)
        await scene.kill()
        scene.paper.add_fault(Fault(kind="unavailable", path="/fapi/v1/userTrades"))
        await scene.until(100.5)
        await scene.start()
        await scene.until(140)
        assert scene.leg.peak == D("10150.0")
        assert [stop.trigger_price for stop in scene.stops] == [D("10129.1")]
        assert len(await scene.told("adopted")) == 1

    play(tmp_path, [*RISE, (40, "10300.0"), (80, "10150.0")], story)


def test_unread_executions_and_another_entry_price_are_another_epoch(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await active(scene)
        await scene.kill()
        fault = scene.paper.add_fault(Fault(kind="unavailable", path="/fapi/v1/userTrades"))
        await scene.until(60.5)
        scene.close()
        scene.open()
        await scene.until(100.5)
        await scene.start()
        await scene.until(130)
        scene.paper.faults.clear(fault)
        await scene.until(160)
        assert len(await scene.told("adopted")) == 2
        assert len(await scene.told("ended")) == 1

    play(tmp_path, RISE, story)


# --- what was under way ------------------------------------------------------------------------
PLACE = Hold(method="POST", path="/fapi/v1/algoOrder")
PLACE_ANSWER = Hold(method="POST", path="/fapi/v1/algoOrder", stage="answer")
CANCEL = Hold(method="DELETE", path="/fapi/v1/algoOrder")
CANCEL_ANSWER = Hold(method="DELETE", path="/fapi/v1/algoOrder", stage="answer")


@pytest.mark.parametrize("second_stop", ["allow", "refuse"])
@pytest.mark.parametrize("gap", [1, 20])
@pytest.mark.parametrize(
    ("hold", "lost"),
    [
        pytest.param(PLACE, False, id="new stop arrived"),
        pytest.param(PLACE, True, id="new stop lost"),
        pytest.param(PLACE_ANSWER, False, id="new stop rests, unanswered"),
        pytest.param(CANCEL, False, id="cancel arrived"),
        pytest.param(CANCEL, True, id="cancel lost"),
        pytest.param(CANCEL_ANSWER, False, id="cancelled, unanswered"),
    ],
)
def test_a_move_under_way_is_finished_once(
    tmp_path: Path, hold: Hold, lost: bool, gap: int, second_stop: str
) -> None:
    """One stop at the new price within moments, one fact of it, no stop too many or too loose."""

    async def story(scene: Scene) -> None:
        await active(scene)
        await scene.until(75.5)
        if lost:
            fault = Fault(kind="lost_request", method=hold.method, path=hold.path, count=1)
            scene.paper.add_fault(fault)
        scene.paper.holds.add(hold)
        (arrival,) = await scene.paper.holds.arrivals(0)
        await scene.kill()
        scene.paper.holds.release(arrival.arrival_id)
        second = arrival.at_ms / 1_000 - 1_767_225_600 + gap
        await scene.until(second)
        await scene.start()
        await scene.until(second + 6)
        assert [stop.trigger_price for stop in scene.stops] == [D("10198.8")]
        await told_once(scene)
        moves = [row.to_price for row in await scene.told("moved")]
        assert moves[-1] == D("10198.8")
        assert moves.count(moves[-1]) == 1
        clocks = scene.clocks
        assert (clocks["duplicates"], clocks["loosened"], clocks["unprotected_ms"]) == (0, 0, 0)

    world = WorldSettings(second_reduce_only_stop=second_stop)
    play(tmp_path, [*RISE, (76, "10250.0")], story, world=world)


@pytest.mark.parametrize("lost", [False, True])
def test_a_first_stop_under_way_is_found_or_placed(tmp_path: Path, lost: bool) -> None:
    async def story(scene: Scene) -> None:
        await scene.until(2.5)
        if lost:
            scene.paper.add_fault(Fault(kind="lost_request", path=PLACE.path, count=1))
        scene.paper.holds.add(PLACE)
        scene.open()
        (arrival,) = await scene.paper.holds.arrivals(0)
        await scene.kill()
        scene.paper.holds.release(arrival.arrival_id)
        await scene.until(10.5)
        await scene.start()
        await scene.until(16)
        assert len(scene.stops) == 1
        await told_once(scene)
        assert len(await scene.told("adopted")) == 1
        assert scene.clocks["duplicates"] == 0

    play(tmp_path, [(0, "10000.0")], story)


@pytest.mark.parametrize("lost", [False, True])
def test_a_close_under_way_is_looked_up_and_never_doubled(tmp_path: Path, lost: bool) -> None:
    async def story(scene: Scene) -> None:
        await active(scene)
        if lost:
            scene.paper.add_fault(Fault(kind="lost_request", path="/fapi/v1/order", count=1))
        scene.paper.holds.add(Hold(method="POST", path="/fapi/v1/order"))
        (arrival,) = await scene.paper.holds.arrivals(0)
        await scene.kill()
        scene.paper.holds.release(arrival.arrival_id)
        await scene.until(60.5)
        await scene.start()
        await scene.until(75)
        assert not scene.is_open
        assert not scene.stops
        (ended,) = await scene.told("ended")
        assert isinstance(ended, Ended)
        assert ended.cause is Cause.CROSSED
        assert len(await scene.told("adopted")) == 1

    # The rise after the trailing stop was placed is held by pacing; the fall crosses it.
    play(tmp_path, [*RISE, (30, "10230.0"), (35, "10170.0")], story)


# --- what was told before the first read -----------------------------------------------------
@pytest.mark.parametrize("after_ms", [700, 2_000, 2_300, 2_600, 2_900, 3_200, 3_600, 4_000])
def test_closed_and_opened_anew_while_starting_ends_one_epoch(
    tmp_path: Path, after_ms: int
) -> None:
    """What the stream told before the read that found the position does not end it again."""

    async def story(scene: Scene) -> None:
        await active(scene)
        await scene.kill()
        await scene.until(60.2)
        await scene.start()
        await scene.until(60.2 + after_ms / 1_000)
        scene.close()
        await scene.until(60.3 + after_ms / 1_000)
        scene.open()
        await scene.until(80)
        assert len(await scene.told("adopted")) == 2
        await second_epoch(scene)

    play(tmp_path, RISE, story, latency_ms=200)


# --- a new position is never closed for an old one ---------------------------------------------
@pytest.mark.parametrize("opened_ms", [-10_000, 100, 400, 700, 1_000, 1_300, 1_600, 2_000])
def test_a_stop_that_fired_in_the_gap_closes_nothing_that_was_opened_after_it(
    tmp_path: Path, opened_ms: int
) -> None:
    """The stop under way at the kill rests, fires in the gap; a new position is opened."""

    async def story(scene: Scene) -> None:
        await active(scene)
        await scene.until(75.5)
        scene.paper.holds.add(PLACE_ANSWER)
        (arrival,) = await scene.paper.holds.arrivals(0)
        await scene.kill()
        scene.paper.holds.release(arrival.arrival_id)
        await scene.until(95)
        assert not scene.is_open
        await scene.until(120 + min(opened_ms, 0) / 1_000)
        if opened_ms < 0:
            scene.open()
            await scene.until(120)
        await scene.start()
        if opened_ms >= 0:
            await scene.until(120 + opened_ms / 1_000)
            scene.open()
        await scene.until(140)
        assert scene.is_open
        assert len(await scene.told("adopted")) == 2
        assert len(await scene.told("ended")) == 1
        assert len(scene.stops) == 1
        assert not await scene.told("alarmed")

    play(tmp_path, [*RISE, (76, "10250.0"), (90, "10190.0")], story)


def test_a_close_lost_at_the_kill_is_not_sent_for_another_position(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await active(scene)
        scene.paper.add_fault(Fault(kind="lost_request", path="/fapi/v1/order", count=1))
        scene.paper.holds.add(Hold(method="POST", path="/fapi/v1/order"))
        (arrival,) = await scene.paper.holds.arrivals(0)
        await scene.kill()
        scene.paper.holds.release(arrival.arrival_id)
        await scene.until(50.2)
        scene.close()
        await scene.until(50.8)
        scene.open()
        await scene.until(60.5)
        await scene.start()
        await scene.until(80)
        assert scene.is_open
        assert len(await scene.told("adopted")) == 2
        assert len(scene.stops) == 1

    play(tmp_path, [*RISE, (30, "10230.0"), (35, "10170.0")], story)


def test_a_position_opened_right_after_a_close_is_not_closed_with_it(tmp_path: Path) -> None:
    """No restart here: the leg was flat for a moment, and the epoch has not ended yet."""

    async def story(scene: Scene) -> None:
        await active(scene)
        while scene.is_open:
            await scene.until((scene.paper.exchange.loop.now_us - START_US) / 1_000_000 + 0.02)
        scene.open()
        await scene.until(60)
        assert scene.is_open
        assert len(await scene.told("adopted")) == 2
        assert len(scene.stops) == 1

    play(tmp_path, [*RISE, (30, "10230.0"), (35, "10170.0")], story)
