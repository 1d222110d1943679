"""The true state as plain data for JSON: what the control interface and the demo show."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from trailstop.paper.model import Account, Epoch, Position
from trailstop.paper.prices.tape import Tape

if TYPE_CHECKING:
    from trailstop.paper.world import World

MICROSECONDS_IN_MS = 1_000


def plain(value: Any) -> Any:
    """Structs as objects and decimals as strings without exponents, for JSON."""
    match value:
        case Decimal():
            return format(value, "f")
        case msgspec.Struct():
            return {name: plain(field) for name, field in msgspec.structs.asdict(value).items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case _:
            return value


def truth(world: World) -> dict[str, Any]:
    """Markets, accounts, legs and clocks at this moment; decimals as strings."""
    now_us = world.now_us
    legs = []
    for leg in world.oracle.legs():
        key, symbol, position_side = leg
        legs.append(
            {
                "account": world.accounts[key].name,
                "symbol": symbol,
                "position_side": position_side,
                **plain(world.oracle.clocks(leg, now_us)),
            }
        )
    return {
        "now_us": now_us,
        "now_ms": now_us // MICROSECONDS_IN_MS,
        "data_over": world.data_over,
        "next_event_us": world.next_event_us(),
        "settings": plain(world.settings),
        "markets": {tape.market.symbol: _market(world, tape) for tape in world.tapes()},
        "accounts": {account.name: _account(world, account) for account in world.accounts.values()},
        "legs": legs,
        "incidents": [
            {**plain(incident), "account": world.accounts[incident.account].name}
            for incident in world.oracle.incidents
        ],
        "clocks": plain(world.oracle.total(now_us)),
        "foreign_ends": {
            f"{world.accounts[key].name} {how}": count
            for (key, how), count in sorted(world.foreign_ends.items())
        },
    }


def _market(world: World, tape: Tape) -> dict[str, Any]:
    symbol = tape.market.symbol
    state: dict[str, Any] = {
        "source": tape.source,
        "refused_rows": tape.refused_rows,
        "book_source": "recorded" if tape.has_book else "spread setting",
        "mark_source": "recorded" if tape.has_mark else "mean of last",
        "funding_source": "recorded" if tape.has_funding else "setting",
        **plain(tape.market),
    }
    if world.has_price(symbol):
        book = world.book(symbol)
        state["last"] = plain(world.last(symbol))
        state["mark"] = plain(world.mark(symbol))
        state["bid"] = plain(book.bid)
        state["ask"] = plain(book.ask)
    return state


def _account(world: World, account: Account) -> dict[str, Any]:
    key = account.key
    return {
        "key": key,
        "hedge": account.hedge,
        "hedge_symbols": dict(account.hedge_symbols),
        "wallet": plain(account.wallet),
        "available": plain(world.available(key)),
        "positions": [
            _position(world, position) for position in world.positions(key) if position.amount
        ],
        "open_conditionals": plain(world.open_conditionals(key)),
        "open_orders": plain(world.open_orders(key)),
        "epochs": [_epoch(epoch) for epoch in account.epochs],
    }


def _position(world: World, position: Position) -> dict[str, Any]:
    return {
        "symbol": position.symbol,
        "position_side": position.position_side,
        "side": "long" if position.amount > 0 else "short",
        "amount": plain(position.amount),
        "entry_price": plain(position.entry_price),
        "break_even_price": plain(position.break_even_price),
        "liquidation_price": plain(world.liquidation_price(position)),
        "unrealized": plain(world.unrealized(position)),
        "realized": plain(position.realized),
        "fees": plain(position.fees),
        "funding": plain(position.funding),
        "epoch": position.epoch,
        "opened_us": position.opened_us,
        "opened_by": position.opened_by,
    }


def _epoch(epoch: Epoch) -> dict[str, Any]:
    fields: dict[str, Any] = plain(epoch)
    del fields["account"]
    return fields
