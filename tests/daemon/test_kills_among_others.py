"""What kill -9 leaves behind where people and other programs act: found by the kill drill."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.daemon.support import SYMBOL, Scene, play
from trailstop.domain.position import Cause
from trailstop.paper.model import OrderRequest
from trailstop.paper.trouble.faults import Fault
from trailstop.storage.records import Adopted, Ended

LEVEL = [(0.0, "10000.0")]


def order(scene: Scene, side: str, quantity: str) -> None:
    """A market order by hand."""
    world = scene.paper.exchange.sync()
    key = next(iter(world.accounts))
    wish = OrderRequest(symbol=SYMBOL, side=side, type="MARKET", quantity=Decimal(quantity))
    world.place_order(key, wish)
    scene.paper.exchange.tell()


def test_an_epoch_whose_end_was_not_told_before_the_kill_is_told_after_it(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.until(2.5)
        scene.open()
        await scene.until(10.5)
        slow = Fault(kind="delay", path="/fapi/v1/userTrades", delay_ms=5_000)
        number = scene.paper.add_fault(slow)
        order(scene, "SELL", "0.2")
        await scene.until(12.5)
        assert len(await scene.told("adopted")) == 2, "the new position is guarded already"
        assert await scene.told("ended") == [], "why the old one ended is not known yet"
        await scene.kill()
        scene.paper.faults.clear(number)
        await scene.until(20.5)
        await scene.start()
        await scene.until(30.5)
        first, second = (row for row in await scene.told("adopted") if isinstance(row, Adopted))
        (ended,) = (row for row in await scene.told("ended") if isinstance(row, Ended))
        assert (ended.epoch, ended.cause) == (first.epoch, Cause.FLIPPED)
        assert scene.leg.epoch == second.epoch
        assert len(scene.stops) == 1

    play(tmp_path, LEVEL, story)


@pytest.mark.parametrize("change", ["more", "less"])
def test_a_move_that_was_cut_short_never_leads_to_a_third_stop(tmp_path: Path, change: str) -> None:
    """The kill came before the old stop was cancelled, and then somebody changed the size."""

    async def story(scene: Scene) -> None:
        await scene.until(2.5)
        scene.open()
        await scene.until(8.5)
        slow = Fault(kind="unavailable", method="DELETE", path="/fapi/v1/algoOrder")
        number = scene.paper.add_fault(slow)
        await scene.until(10.6)
        assert len(scene.stops) == 2, "the new stop rests beside the old one"
        await scene.kill()
        scene.paper.faults.clear(number)
        order(scene, "BUY" if change == "more" else "SELL", "0.05")
        await scene.until(20.5)
        await scene.start()
        await scene.until(30.5)
        (stop,) = scene.stops
        assert stop.quantity == (Decimal("0.15") if change == "more" else Decimal("0.05"))
        assert scene.clocks["duplicates"] == 0
        assert scene.clocks["unprotected_ms"] == 0

    play(tmp_path, [(0.0, "10000.0"), (5.0, "10080.0"), (10.0, "10180.0")], story)


def test_a_correction_of_the_size_that_was_cut_short_never_leads_to_a_third_stop(
    tmp_path: Path,
) -> None:
    """Both stops rest at one price then, and are no parts of one."""

    async def story(scene: Scene) -> None:
        await scene.until(2.5)
        scene.open()
        await scene.until(8.5)
        slow = Fault(kind="unavailable", method="DELETE", path="/fapi/v1/algoOrder")
        number = scene.paper.add_fault(slow)
        order(scene, "SELL", "0.05")
        await scene.until(8.9)
        prices = {stop.trigger_price for stop in scene.stops}
        assert (len(scene.stops), len(prices)) == (2, 1), "the smaller stop rests beside the old"
        await scene.kill()
        scene.paper.faults.clear(number)
        order(scene, "BUY", "0.02")
        await scene.until(20.5)
        await scene.start()
        await scene.until(30.5)
        (stop,) = scene.stops
        assert stop.quantity == Decimal("0.07")
        assert scene.clocks["duplicates"] == 0
        assert scene.clocks["unprotected_ms"] == 0

    play(tmp_path, LEVEL, story)
