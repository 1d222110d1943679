"""What the exchange and others do to a position: each ends, or goes on, with its true cause."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trailstop.domain.position import Cause
from trailstop.paper.model import ConditionalRequest, OrderRequest


async def _cause(table, account):
    (epoch,) = await table.epochs(account)
    return epoch.cause


@pytest.mark.parametrize(
    ("act", "cause"),
    [("liquidate", Cause.LIQUIDATED), ("deleverage", Cause.ADL)],
)
def test_what_the_exchange_takes_ends_with_its_cause_and_leaves_nothing(sit, side, act, cause):
    async def story(table):
        table.open(side)
        await table.wait(2)
        world = table.world
        getattr(world, act)(table.key(side), table.exchange.symbol, table.position_side(side))
        table.paper.exchange.tell()
        await table.wait(6)
        assert table.stops(side) == []
        assert not table.guarded(side)
        assert await _cause(table, side) is cause

    sit(story)


def test_a_part_deleveraged_goes_on_with_a_smaller_stop(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        before = table.working(side)
        leg = table.position_side(side)
        table.world.deleverage(table.key(side), table.exchange.symbol, leg, Decimal("0.04"))
        table.paper.exchange.tell()
        await table.wait(6)
        after = table.working(side)
        assert (after.price, after.quantity) == (before.price, Decimal("0.06"))
        assert table.guarded(side)

    sit(story)


def test_a_market_that_is_settled_ends_its_positions_and_no_others(sit, side):
    async def story(table):
        table.open(side)
        table.open(side, symbol=table.exchange.other_symbol)
        await table.wait(2)
        table.world.delist(table.exchange.symbol)
        table.paper.exchange.tell()
        await table.wait(3)
        assert table.working(side), "the stop stays until the end"
        table.world.settle(table.exchange.symbol)
        table.paper.exchange.tell()
        await table.wait(7)
        assert not table.guarded(side)
        rows = await table.daemon.facade.epochs()
        causes = {row.leg.symbol: row.cause for row in rows if row.leg.account == side}
        assert causes == {
            table.exchange.symbol: Cause.SETTLED,
            table.exchange.other_symbol: None,
        }
        assert table.working(side, table.exchange.other_symbol)

    sit(story)


def test_a_halted_market_keeps_its_stop_and_moves_it_once_trading_goes_on(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        before = table.working(side)
        table.world.halt(table.exchange.symbol)
        table.price(table.up(side, "3"))
        served = table.served(table.exchange.place_stop)
        await table.wait(60)
        assert table.working(side) == before
        assert table.served(table.exchange.place_stop) - served <= 15, "no storm of attempts"
        table.world.resume(table.exchange.symbol)
        table.paper.exchange.tell()
        await table.wait(10)
        assert table.working(side).price == table.behind(side, table.up(side, "3"), "0.5")
        table.assert_never_bare()

    sit(story)


def test_a_coarser_tick_is_learned_and_the_next_move_fits_it(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.world.change_market(table.exchange.symbol, tick_size=Decimal(2))
        table.paper.exchange.tell()
        table.price("10202" if side == "long" else "9798")
        await table.wait(15)
        stop = table.working(side).price
        assert stop % 2 == 0, stop
        gain = table.gain_of(side, stop)
        assert Decimal("1.40") < gain < Decimal("1.60")
        table.assert_never_bare()

    sit(story)


@pytest.mark.usefixtures("one_way")
def test_a_flip_is_told_as_a_flip(sit, side):
    other = "short" if side == "long" else "long"

    async def story(table):
        table.open(side)
        await table.wait(2)
        table.open(other, "0.3", account=side)
        await table.wait(6)
        first, second = await table.epochs(side)
        assert (first.cause, second.cause) == (Cause.FLIPPED, None)

    sit(story)


def test_a_second_bot_trades_on_the_same_leg_and_none_of_its_orders_is_touched(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        names = []
        for number, gain in enumerate(("-1.5", "8", "-4")):
            kind = "TAKE_PROFIT_MARKET" if gain == "8" else "STOP_MARKET"
            request = ConditionalRequest(
                symbol=table.exchange.symbol,
                side="SELL" if side == "long" else "BUY",
                type=kind,
                position_side=table.position_side(side),
                quantity=Decimal("0.02"),
                trigger_price=table.up(side, gain),
                reduce_only=not table.exchange.hedge,
                client_id=f"bot-{number}",
            )
            table.world.place_conditional(table.key(side), request)
            names.append(request.client_id)
        resting = OrderRequest(
            symbol=table.exchange.symbol,
            side="BUY" if side == "long" else "SELL",
            type="LIMIT",
            position_side=table.position_side(side),
            quantity=Decimal("0.05"),
            price=table.up(side, "-1"),
            client_id="bot-entry",
        )
        table.world.place_order(table.key(side), resting)
        table.paper.exchange.tell()
        table.price(table.up(side, "-1.1"))
        await table.wait(4)
        assert abs(table.amount(side)) == Decimal("0.15"), "the bot has added"
        assert table.working(side).quantity == Decimal("0.15")
        table.price(table.up(side, "2"))
        await table.wait(70)
        rows = table.world.open_conditionals(table.key(side), table.exchange.symbol)
        assert [row.client_id for row in rows if row.client_id in names] == names
        clocks = table.clocks()
        assert (clocks.unprotected_ms, clocks.loosened, clocks.duplicates) == (0, 0, 0)

    sit(story)


def test_a_withdrawal_brings_the_liquidation_nearer_and_the_stop_stays_before_it(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        before = table.working(side).price
        world, key = table.world, table.key(side)
        world.withdraw(key, world.available(key) * Decimal("0.5"))
        table.paper.exchange.tell()
        await table.wait(7)
        assert table.working(side).price == before
        table.assert_never_bare()

    sit(story)


def test_a_redenominated_contract_pauses_and_keeps_its_converted_stop(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.price(table.up(side, "2"))
        await table.wait(3)
        before = table.working(side)
        table.printing = False
        table.world.change_market(table.exchange.symbol, multiplier=Decimal(10))
        table.paper.exchange.tell()
        await table.wait(15)
        assert abs(table.amount(side)) == 1
        after = table.working(side)
        assert abs(after.price * 10 - before.price) <= 1
        assert after.quantity == 1
        assert table.status(side).paused
        assert any("contract was changed" in fact.text for fact in await table.facts("alarmed"))
        table.price(table.up(side, "2.1"))
        await table.wait(15)
        assert abs(table.amount(side)) == 1, "nothing was closed"
        await table.control("resume", side)
        table.price(table.up(side, "4"))
        await table.wait(70)
        wanted = table.behind(side, table.up(side, "4"), "0.5")
        assert abs(table.working(side).price - wanted) < Decimal("0.2"), "the tick is finer now"

    sit(story)


@pytest.mark.usefixtures("two_layers")
def test_a_stop_of_ours_that_its_owner_cancels_is_restored(sit_both, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        ours = table.working(side)
        table.world.cancel_as_user(table.key(side), ours.number)
        table.paper.exchange.tell()
        await table.wait(3)
        assert table.working(side).price == ours.price
        clocks = table.clocks()
        assert (clocks.unprotected_ms, clocks.loosened, clocks.duplicates) == (0, 0, 0)

    sit_both(story)


def test_another_leverage_changes_nothing_but_the_liquidation_price(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        before = table.working(side)
        table.world.set_leverage(table.key(side), table.exchange.symbol, 20)
        table.paper.exchange.tell()
        await table.wait(7)
        assert table.working(side) == before
        assert table.status(side).protection == "held"
        table.assert_never_bare()

    sit(story)
