"""Random lives on generated prices: whatever clients do, the books stay in order."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import msgspec
import pytest

from trailstop.paper.facts import OrderChanged
from trailstop.paper.model import (
    CLIENT,
    FULL_SLOTS,
    USER,
    ConditionalRequest,
    OrderRequest,
    PositionStopRequest,
    Rejection,
)
from trailstop.paper.prices.generator import GeneratorSettings, generate_tapes
from trailstop.paper.settings import SECOND_US, WorldSettings
from trailstop.paper.world import World

SYMBOLS = ("BTCUSDT", "ETHUSDT")
ACTIONS = 400
ORDERS = 9
AMENDMENTS = 6
RARITIES = 8


def act(world: World, key: str, chance: Random) -> None:
    """One random request, refused or not."""
    match chance.randrange(ORDERS + AMENDMENTS + 1):
        case choice if choice < ORDERS:
            order(world, key, chance, choice)
        case choice if choice < ORDERS + AMENDMENTS:
            amend(world, key, chance, choice - ORDERS)
        case _:
            happen(world, key, chance)


def near(world: World, symbol: str, chance: Random) -> Decimal:
    """A price on the tick within 4 % of the last one."""
    tick = world.markets[symbol].tick_size
    price = world.last(symbol) * (1 + Decimal(chance.randint(-40, 40)) / 1_000)
    return (price / tick).to_integral_value() * tick


def amend(world: World, key: str, chance: Random, choice: int) -> None:
    """Change a stop of a position, a conditional order or a limit order in place."""
    symbol = chance.choice(SYMBOLS)
    market = world.markets[symbol]
    side = chance.choice(("LONG", "SHORT")) if world.accounts[key].hedge_of(symbol) else "BOTH"
    author = chance.choice((CLIENT, USER))
    quantity = market.step_size * chance.randint(1, 300)
    conditionals = world.open_conditionals(key, symbol)
    match choice:
        case 0 | 1:
            share = Decimal(chance.randint(0, 40)) / 1_000
            distance = world.last(symbol) * share // market.tick_size * market.tick_size
            world.set_position_stops(
                key,
                PositionStopRequest(
                    symbol=symbol,
                    position_side=side,
                    stop_loss=chance.choice((None, Decimal(0), near(world, symbol, chance))),
                    take_profit=chance.choice((None, Decimal(0), near(world, symbol, chance))),
                    trailing_distance=chance.choice((None, None, distance)),
                    stop_loss_working_type=chance.choice(("last", "mark", "index")),
                ),
                author,
            )
        case 2:
            world.set_position_stops(
                key,
                PositionStopRequest(
                    symbol=symbol,
                    position_side=side,
                    mode="partial",
                    size=quantity,
                    stop_loss=chance.choice((None, near(world, symbol, chance))),
                    take_profit=chance.choice((None, near(world, symbol, chance))),
                ),
                author,
            )
        case 3 | 4 if conditionals:
            world.amend_conditional(
                key,
                chance.choice(conditionals).algo_id,
                trigger_price=near(world, symbol, chance),
                quantity=chance.choice((None, quantity)),
                working_type=chance.choice((None, "last", "mark")),
                author=author,
            )
        case _:
            orders = world.open_orders(key, symbol)
            if orders:
                number = chance.choice(orders).order_id
                price = near(world, symbol, chance)
                world.amend_order(key, symbol, number, price=price, quantity=quantity)


def happen(world: World, key: str, chance: Random) -> None:
    """Something that the exchange does of its own accord."""
    symbol = chance.choice(SYMBOLS)
    market = world.markets[symbol]
    hedge = world.accounts[key].hedge_of(symbol)
    side = chance.choice(("LONG", "SHORT")) if hedge else "BOTH"
    match chance.randrange(RARITIES):
        case 0:
            world.liquidate(key, symbol, side)
        case 1 | 2:
            held = [p for p in world.positions(key, symbol) if p.position_side == side]
            most = max((abs(p.amount) for p in held), default=Decimal(0))
            part = most * chance.randint(1, 100) / 100 // market.step_size * market.step_size
            world.deleverage(key, symbol, side, chance.choice((None, part)))
        case 3:
            world.halt(symbol, world.now_us + chance.randint(1, 100) * SECOND_US)
        case 4:
            world.set_position_mode(key, not hedge, chance.choice((None, symbol)))
        case 5:
            world.withdraw(key, Decimal(chance.randint(1, 2_000)))
        case 6:
            tick = market.tick_size
            world.change_market(symbol, tick_size=chance.choice((tick * 2, tick / 2)))
        case _:
            if chance.random() < 0.05:
                chance.choice((world.delist, world.settle))(symbol)


def order(world: World, key: str, chance: Random, choice: int) -> None:
    """Open, close, place or cancel."""
    symbol = chance.choice(SYMBOLS)
    market = world.markets[symbol]
    side = chance.choice(("BUY", "SELL"))
    hedge = world.accounts[key].hedge_of(symbol)
    position_side = chance.choice(("LONG", "SHORT")) if hedge else "BOTH"
    price = near(world, symbol, chance)
    quantity = market.step_size * chance.randint(1, 300)
    match choice:
        case 0 | 1 | 2:
            world.open_position(key, symbol, chance.choice(("long", "short")))
        case 3:
            world.close_position(key, symbol, position_side)
        case 4:
            world.place_order(
                key,
                OrderRequest(
                    symbol=symbol,
                    side=side,
                    type="LIMIT",
                    position_side=position_side,
                    price=price,
                    quantity=quantity,
                    reduce_only=chance.random() < 0.5,
                    time_in_force=chance.choice(("GTC", "IOC", "GTX")),
                ),
            )
        case 5 | 6:
            closing = chance.random() < 0.3
            world.place_conditional(
                key,
                ConditionalRequest(
                    symbol=symbol,
                    side=side,
                    type=chance.choice(("STOP_MARKET", "TAKE_PROFIT_MARKET", "STOP")),
                    position_side=position_side,
                    trigger_price=price,
                    price=price,
                    quantity=None if closing else quantity,
                    close_position=closing,
                    reduce_only=not closing and chance.random() < 0.8,
                    working_type=chance.choice(("last", "mark", "index")),
                    trigger_rises=chance.choice((None, None, True, False)),
                ),
            )
        case 7:
            orders = world.open_conditionals(key)
            if orders:
                world.cancel_conditional(key, chance.choice(orders).algo_id)
        case _:
            orders = world.open_orders(key)
            if orders:
                chosen = chance.choice(orders)
                world.cancel_order(key, chosen.symbol, chosen.order_id)


def live(seed: int, form: str) -> tuple[World, bytes]:
    settings = WorldSettings(seed=seed)
    generator = GeneratorSettings(seed=seed, symbols=SYMBOLS, form=form)  # type: ignore[arg-type]
    world = World(settings, generate_tapes(generator, settings), ["one", "two"])
    chance = Random(seed)
    told = []
    for _ in range(ACTIONS):
        world.advance(world.now_us + chance.randint(0, 40 * SECOND_US))
        key = chance.choice(list(world.accounts))
        before = held(world)
        try:
            act(world, key, chance)
        except Rejection:
            assert held(world) == before
        check_facts(world)
        told.append(msgspec.json.encode(list(world.facts)))
        world.facts.clear()
        check_books(world)
    return world, b"".join(told)


def held(world: World) -> bytes:
    """Everything that a refused request must leave as it was."""
    rows = [
        (account.wallet, world.positions(key), world.open_conditionals(key), world.open_orders(key))
        for key, account in world.accounts.items()
    ]
    return msgspec.json.encode(rows)


def check_facts(world: World) -> None:
    moments = [fact.time_us for fact in world.facts]
    assert moments == sorted(moments)
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
            filled = sum(
                fill.quantity if fill.side == "BUY" else -fill.quantity
                for fill in world.fills(key, position.symbol, limit=10**9)
                if fill.position_side == position.position_side
            )
            assert position.amount == filled
            assert position.amount == 0 or world.markets[position.symbol].status != "CLOSED"
        for fill in world.fills(key, limit=20):
            order = world.order(key, fill.symbol, fill.order_id)
            if order.reduces:
                assert reduced(world, key, fill.trade_id)
        check_rests(world, key)


def check_rests(world: World, key: str) -> None:
    """No order is left behind where its position or its market is gone."""
    amounts = {(p.symbol, p.position_side): p.amount for p in world.positions(key)}
    seen = set()
    conditionals = world.open_conditionals(key)
    numbers = [row.algo_id for row in conditionals]
    assert numbers == sorted(numbers)
    for row in [*conditionals, *world.open_orders(key)]:
        assert world.markets[row.symbol].status != "CLOSED"
    for row in conditionals:
        amount = amounts.get((row.symbol, row.position_side), Decimal(0))
        if row.status == "NEW" and (row.close_position or row.slot):
            assert amount > 0 if row.side == "SELL" else amount < 0
        if row.slot in FULL_SLOTS:
            place = (row.symbol, row.position_side, row.slot)
            assert place not in seen, "a full slot holds one stop"
            seen.add(place)


def reduced(world: World, key: str, trade_id: int) -> bool:
    """Whether a fill made its position smaller without crossing zero."""
    fills = world.fills(key, limit=10**9)
    fill = next(f for f in fills if f.trade_id == trade_id)
    before = sum(
        (f.quantity if f.side == "BUY" else -f.quantity)
        for f in fills
        if (f.symbol, f.position_side) == (fill.symbol, fill.position_side)
        and f.trade_id < trade_id
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
