"""Random lives on generated prices: whatever clients do, the books stay in order."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import msgspec
import pytest

from trailstop.paper.facts import OrderChanged
from trailstop.paper.model import ConditionalRequest, OrderRequest, Rejection
from trailstop.paper.prices.generator import GeneratorSettings, generate_tapes
from trailstop.paper.settings import SECOND_US, WorldSettings
from trailstop.paper.world import World

SYMBOLS = ("BTCUSDT", "ETHUSDT")
ACTIONS = 400


def act(world: World, key: str, chance: Random) -> None:
    """One random request, refused or not."""
    symbol = chance.choice(SYMBOLS)
    market = world.markets[symbol]
    side = chance.choice(("BUY", "SELL"))
    last = world.last(symbol)
    price = last * (1 + Decimal(chance.randint(-40, 40)) / 1_000)
    price = (price / market.tick_size).to_integral_value() * market.tick_size
    quantity = market.step_size * chance.randint(1, 300)
    match chance.randrange(7):
        case 0:
            world.open_position(key, symbol, chance.choice(("long", "short")))
        case 1:
            world.close_position(key, symbol)
        case 2:
            world.place_order(
                key,
                OrderRequest(
                    symbol=symbol,
                    side=side,
                    type="LIMIT",
                    price=price,
                    quantity=quantity,
                    reduce_only=chance.random() < 0.5,
                    time_in_force=chance.choice(("GTC", "IOC", "GTX")),
                ),
            )
        case 3 | 4:
            closing = chance.random() < 0.3
            world.place_conditional(
                key,
                ConditionalRequest(
                    symbol=symbol,
                    side=side,
                    type=chance.choice(("STOP_MARKET", "TAKE_PROFIT_MARKET", "STOP")),
                    trigger_price=price,
                    price=price,
                    quantity=None if closing else quantity,
                    close_position=closing,
                    reduce_only=not closing and chance.random() < 0.8,
                    working_type=chance.choice(("last", "mark")),
                ),
            )
        case 5:
            orders = world.open_conditionals(key)
            if orders:
                world.cancel_conditional(key, chance.choice(orders).algo_id)
        case _:
            orders = world.open_orders(key)
            if orders:
                order = chance.choice(orders)
                world.cancel_order(key, order.symbol, order.order_id)


def live(seed: int, form: str) -> tuple[World, bytes]:
    settings = WorldSettings(seed=seed)
    generator = GeneratorSettings(seed=seed, symbols=SYMBOLS, form=form)  # type: ignore[arg-type]
    world = World(settings, generate_tapes(generator, settings), ["one", "two"])
    chance = Random(seed)
    told = []
    for _ in range(ACTIONS):
        world.advance(world.now_us + chance.randint(0, 40 * SECOND_US))
        key = chance.choice(list(world.accounts))
        amounts = {p.symbol: p.amount for p in world.positions(key)}
        try:
            act(world, key, chance)
        except Rejection:
            assert {p.symbol: p.amount for p in world.positions(key)} == amounts
        check_facts(world)
        told.append(msgspec.json.encode(list(world.facts)))
        world.facts.clear()
        check_books(world)
    return world, b"".join(told)


def check_facts(world: World) -> None:
    for fact in world.facts:
        if isinstance(fact, OrderChanged) and fact.fill is not None:
            order = fact.order
            assert 0 < order.filled <= order.quantity
            if order.type == "LIMIT":
                better = order.average_price <= order.price
                assert better if order.side == "BUY" else order.average_price >= order.price


def check_books(world: World) -> None:
    for key, account in world.accounts.items():
        income = sum((line.amount for line in world.income(key, limit=10**9)), Decimal(0))
        assert account.wallet == account.starting_wallet + income
        for position in world.positions(key):
            held = sum(
                fill.quantity if fill.side == "BUY" else -fill.quantity
                for fill in world.fills(key, position.symbol, limit=10**9)
            )
            assert position.amount == held
        for fill in world.fills(key, limit=20):
            order = world.order(key, fill.symbol, fill.order_id)
            if order.reduces:
                assert reduced(world, key, fill.trade_id)
        for order in world.open_conditionals(key):
            if order.close_position:
                amount = next(p.amount for p in world.positions(key, order.symbol))
                assert amount > 0 if order.side == "SELL" else amount < 0


def reduced(world: World, key: str, trade_id: int) -> bool:
    """Whether a fill made its position smaller without crossing zero."""
    fills = world.fills(key, limit=10**9)
    fill = next(f for f in fills if f.trade_id == trade_id)
    before = sum(
        (f.quantity if f.side == "BUY" else -f.quantity)
        for f in fills
        if f.symbol == fill.symbol and f.trade_id < trade_id
    )
    after = before + (fill.quantity if fill.side == "BUY" else -fill.quantity)
    return abs(after) < abs(before) and before * after >= 0


@pytest.mark.parametrize("form", ["bars", "ticks"])
@pytest.mark.parametrize("seed", range(6))
def test_books_balance_and_reduce_only_never_flips(seed, form):
    world, told = live(seed, form)
    again, told_again = live(seed, form)
    assert told == told_again, "two runs tell the same facts"
    assert world.truth() == again.truth()
    assert any(account.epochs for account in world.accounts.values()), "something happened"


@pytest.mark.parametrize("seed", range(6))
def test_a_leg_that_always_has_its_stops_costs_nothing(seed):
    settings = WorldSettings(seed=seed)
    world = World(settings, generate_tapes(GeneratorSettings(seed=seed), settings), ["trader"])
    key = next(iter(world.accounts))
    for _ in range(200):
        world.advance(world.now_us + 15 * SECOND_US)
        for symbol in SYMBOLS:
            guard(world, key, symbol)
    clocks = world.oracle.total(world.now_us)
    assert (clocks.unprotected_ms, clocks.loosened_ms, clocks.loosened) == (0, 0, 0)
    assert len(world.accounts[key].epochs) > 5
    assert clocks.duplicates == 0


def guard(world: World, key: str, symbol: str) -> None:
    """In one instant: open where flat, and raise a full-size stop to 0.4 % under the price."""
    market = world.markets[symbol]
    if not any(p.amount for p in world.positions(key, symbol)):
        for orphan in world.open_conditionals(key, symbol):
            world.cancel_conditional(key, orphan.algo_id)
        world.open_position(key, symbol, "long")
    (position,) = world.positions(key, symbol)
    level = world.last(symbol) * Decimal("0.996") // market.tick_size * market.tick_size
    old = world.open_conditionals(key, symbol)
    if old and old[0].trigger_price is not None and level <= old[0].trigger_price:
        return
    world.place_conditional(
        key,
        ConditionalRequest(
            symbol=symbol,
            side="SELL",
            type="STOP_MARKET",
            trigger_price=level,
            quantity=position.amount,
            reduce_only=True,
        ),
    )
    if old:
        world.cancel_conditional(key, old[0].algo_id)
