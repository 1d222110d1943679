"""Positions and money: netting, fees, funding, margin, liquidation, epochs."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.paper.world.scene import START_US, SYMBOL, D, Scene, plain, ticks
from trailstop.paper.checks import check_quantity
from trailstop.paper.facts import AccountChanged, OrderChanged
from trailstop.paper.model import OrderRequest, Rejection, RejectKind
from trailstop.paper.prices.market import derive_market
from trailstop.paper.prices.tape import FundingRate, Print
from trailstop.paper.settings import HOUR_US, WorldSettings


def test_an_epoch_adds_up_to_what_the_wallet_shows():
    settings = WorldSettings(slippage_percent=Decimal(0))
    scene = Scene(ticks(100, 110), settings)
    scene.long(2)
    scene.after(1)
    scene.world.close_position(scene.key, SYMBOL, tag="by-hand")
    (epoch,) = scene.epochs
    assert (epoch.side, epoch.quantity) == ("long", 2)
    assert (epoch.entry_price, epoch.exit_price) == (D("100.1"), 110)
    assert epoch.realized == D("19.8")
    assert epoch.fees == D("0.1001") + D("0.11")
    assert epoch.result == epoch.realized - epoch.fees
    assert epoch.closed_by == "user-by-hand"
    account = scene.world.accounts[scene.key]
    assert account.wallet == 100_000 + epoch.result
    income = scene.world.income(scene.key)
    assert sum(line.amount for line in income) == epoch.result


def test_averaging_in_moves_the_entry_and_a_partial_close_does_not():
    scene = Scene(ticks(100, 110))
    scene.short(1)
    scene.after(1)
    scene.short(3)
    assert scene.position.entry_price == D("107.5")
    scene.order("BUY", 2, reduce_only=True)
    assert (scene.position.amount, scene.position.entry_price) == (-2, D("107.5"))
    assert not scene.epochs


def test_a_flip_closes_one_epoch_and_opens_the_next():
    scene = Scene(ticks(100, 100))
    scene.long(1)
    first = scene.position.epoch
    scene.order("SELL", 3)
    assert scene.position.amount == -2
    assert scene.position.epoch != first
    assert [epoch.side for epoch in scene.epochs] == ["long"]


def test_a_flip_shares_its_fee_between_the_two_epochs():
    scene = Scene(ticks(100, 100), plain(taker_fee=Decimal("0.001"), spread_ticks=0))
    scene.long(1)
    scene.order("SELL", 3)
    assert scene.epochs[0].fees == D("0.2"), "0.1 to open, 0.1 to close"
    assert scene.position.fees == D("0.2")


def test_quantities_lie_on_the_step():
    market = derive_market(SYMBOL, D("0.05"), -4, 1, plain())
    assert market.step_size == 10
    with pytest.raises(Rejection) as refused:
        check_quantity(market, D(25), at_market=True)
    assert refused.value.kind is RejectKind.STEP
    with pytest.raises(Rejection) as refused:
        check_quantity(market, market.max_market_quantity + 10, at_market=True)
    assert refused.value.kind is RejectKind.BAD_QUANTITY
    assert check_quantity(market, D(20), at_market=True) == 20


def test_reduce_only_is_cut_to_the_position_and_refused_without_one():
    scene = Scene(ticks(100, 100))
    with pytest.raises(Rejection) as refused:
        scene.order("SELL", 1, reduce_only=True)
    assert refused.value.kind is RejectKind.REDUCE_ONLY
    scene.long(1)
    order = scene.order("SELL", 5, reduce_only=True)
    assert (order.status, order.filled) == ("FILLED", 1)
    assert not scene.position.amount


def test_resting_reduce_only_limits_expire_when_nothing_is_left_to_reduce():
    scene = Scene(ticks(100, 100))
    scene.long(1)
    order = scene.order("SELL", 1, 110, reduce_only=True)
    scene.world.close_position(scene.key, SYMBOL)
    assert order.status == "EXPIRED"


@pytest.mark.parametrize(
    ("time_in_force", "price", "status"),
    [("IOC", 99, "EXPIRED"), ("FOK", 99, "EXPIRED"), ("GTC", 101, "FILLED"), ("GTX", 99, "NEW")],
)
def test_time_in_force(time_in_force, price, status):
    scene = Scene(ticks(100, 100))
    assert scene.order("BUY", 1, price, time_in_force=time_in_force).status == status


def test_post_only_is_refused_where_it_would_take():
    scene = Scene(ticks(100, 100))
    with pytest.raises(Rejection) as refused:
        scene.order("BUY", 1, 101, time_in_force="GTX")
    assert refused.value.kind is RejectKind.POST_ONLY


def test_margin_bounds_what_can_be_opened_but_never_what_closes():
    scene = Scene(ticks(100, 100), plain(wallet=Decimal(100), leverage=5))
    with pytest.raises(Rejection) as refused:
        scene.order("BUY", 6)
    assert refused.value.kind is RejectKind.MARGIN
    scene.order("BUY", 4.9)
    assert scene.order("SELL", 4.9).status == "FILLED"


def test_a_client_id_is_unique_among_live_orders_only():
    scene = Scene(ticks(100, 100))
    scene.order("BUY", 1, 90, client_id="one")
    with pytest.raises(Rejection) as refused:
        scene.order("BUY", 1, 91, client_id="one")
    assert refused.value.kind is RejectKind.DUPLICATE_CLIENT_ID
    assert scene.order("BUY", 1, client_id="two").status == "FILLED"
    assert scene.order("BUY", 1, client_id="two").status == "FILLED", "filled twice, as in life"


def test_funding_is_paid_at_the_whole_eighth_hour_by_longs_and_to_shorts():
    settlement = (START_US // (8 * HOUR_US) + 1) * 8 * HOUR_US
    points = [
        *ticks(100),
        Print(settlement + 60_000_000, D(100), Decimal(1), False),
    ]
    scene = Scene(points)
    scene.long(10)
    assert scene.world.next_funding_us(SYMBOL) == settlement
    scene.world.facts.clear()
    scene.run_out()
    assert scene.position.funding == D("-0.1")
    assert scene.world.accounts[scene.key].wallet == D("99999.9")
    (line,) = scene.world.income(scene.key, kind="FUNDING_FEE")
    assert line.time_us == settlement
    told = [f for f in scene.world.facts if isinstance(f, AccountChanged)]
    assert [(f.reason, f.time_us) for f in told] == [("FUNDING_FEE", settlement)]


def test_recorded_funding_replaces_the_setting():
    points = [*ticks(100), FundingRate(START_US + 5_000_000, D("0.001"))]
    scene = Scene(points, has_funding=True)
    scene.short(10)
    scene.run_out()
    assert scene.position.funding == 1


def test_a_short_is_liquidated_when_the_mark_reaches_its_liquidation_price():
    prices = [100, *[200] * 60]
    scene = Scene(ticks(*prices), plain(wallet=Decimal(210), leverage=5))
    scene.short(10)
    level = scene.world.liquidation_price(scene.position)
    assert level == pytest.approx(D("120.398"), abs=D("0.001")), "(210 + 1000) / (10 x 1.005)"
    backstop = scene.stop(190, None, side="BUY", working_type="mark")
    scene.run_out()
    (epoch,) = scene.epochs
    assert epoch.closed_kind == "liquidation"
    assert epoch.closed_by.startswith("autoclose-")
    assert backstop.status == "EXPIRED"
    executions = [f.execution for f in scene.world.facts if isinstance(f, OrderChanged)]
    assert executions[-2:] == ["NEW", "CALCULATED"]
    marked = START_US + 2_000_000
    assert epoch.closed_us == marked, "1 s at 100 and 1 s at 200 make 150"


@pytest.mark.parametrize(("price", "liquidated"), [(120.3, False), (120.4, True)])
def test_liquidation_waits_for_its_price(price, liquidated):
    scene = Scene(ticks(100, *[price] * 60), plain(wallet=Decimal(210), leverage=5))
    scene.short(10)
    scene.run_out()
    assert bool(scene.epochs) is liquidated


def test_a_position_with_a_large_wallet_has_no_liquidation_price():
    scene = Scene(ticks(100, 100))
    scene.long(1)
    assert scene.world.liquidation_price(scene.position) == 0


def test_break_even_carries_the_opening_fee():
    scene = Scene(ticks(100, 100), WorldSettings(slippage_percent=Decimal(0), spread_ticks=0))
    scene.long(1)
    assert scene.position.break_even_price == D("100.05")


def test_hedge_mode_keeps_a_long_and_a_short_apart():
    scene = Scene(ticks(100, 100))
    scene.world.set_position_mode(scene.key, True)
    scene.long(1)
    scene.short(2)
    amounts = {p.position_side: p.amount for p in scene.world.positions(scene.key)}
    assert (amounts["LONG"], amounts["SHORT"]) == (1, -2)
    request = OrderRequest(
        symbol=SYMBOL, side="SELL", type="MARKET", position_side="LONG", quantity=D(5)
    )
    assert scene.world.place_order(scene.key, request).filled == 1, "closing sides only reduce"
    with pytest.raises(Rejection) as refused:
        scene.world.set_position_mode(scene.key, False)
    assert refused.value.kind is RejectKind.MODE_WITH_POSITION


def test_without_a_quantity_a_position_has_the_usual_notional_on_the_step():
    scene = Scene(ticks(30, 30), plain(notional=Decimal(1_000)))
    fill = scene.world.open_position(scene.key, SYMBOL, "long")
    assert fill.quantity == D("33.333")
