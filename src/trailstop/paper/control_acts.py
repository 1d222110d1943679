"""Requests of the control interface that act on positions and markets, one a struct.

Accounts are given by name. Times are virtual milliseconds since the Unix epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct

from trailstop.paper.model import (
    USER,
    ConditionalRequest,
    OrderRequest,
    PositionStopRequest,
    Rejection,
    RejectKind,
)
from trailstop.paper.openings import account_key
from trailstop.paper.world import World

US_PER_MS = 1_000

Act = Callable[[World, Any], Any]


class OpenPosition(Struct, forbid_unknown_fields=True, kw_only=True):
    """Open or increase a position by a market order of "the user"."""

    account: str
    symbol: str
    side: Literal["long", "short"]
    quantity: Decimal | None = None
    notional: Decimal | None = None
    """In the quote currency; without it and a quantity, the world's own setting."""
    tag: str = ""


class ClosePosition(Struct, forbid_unknown_fields=True, kw_only=True):
    """Close a position by a market order of "the user"."""

    account: str
    symbol: str
    position_side: str = "BOTH"
    tag: str = ""


class PrintPrice(Struct, forbid_unknown_fields=True, kw_only=True):
    """Print a trade. Without `book` it is a stray print that leaves the book."""

    symbol: str
    price: Decimal
    book: bool = True


class RemoveStop(Struct, forbid_unknown_fields=True, kw_only=True):
    """Let the exchange cancel a conditional order of its own accord."""

    algo_id: int


class SetPositionStop(PositionStopRequest, forbid_unknown_fields=True, kw_only=True):
    """The user sets, moves or (0) removes the position's own stops."""

    account: str


class PlaceStop(ConditionalRequest, forbid_unknown_fields=True, kw_only=True):
    """A conditional order that is not the guard's; author `client` makes it a program's."""

    account: str
    author: str = USER


class CancelStop(Struct, forbid_unknown_fields=True, kw_only=True):
    """The user cancels a conditional order."""

    account: str
    algo_id: int


class AmendStop(Struct, forbid_unknown_fields=True, kw_only=True):
    """The user changes a conditional order; what is not given stays."""

    account: str
    algo_id: int
    trigger_price: Decimal | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    working_type: str | None = None


class PlaceOrder(OrderRequest, forbid_unknown_fields=True, kw_only=True):
    """A plain order that is not the guard's."""

    account: str


class Withdraw(Struct, forbid_unknown_fields=True, kw_only=True):
    """Money leaves the wallet, in the quote currency."""

    account: str
    amount: Decimal


class Take(Struct, forbid_unknown_fields=True, kw_only=True):
    """The exchange takes a position over."""

    account: str
    symbol: str
    position_side: str = "BOTH"


class Deleverage(Take, forbid_unknown_fields=True, kw_only=True):
    """The exchange reduces a position, by default to nothing."""

    quantity: Decimal | None = None


class OfMarket(Struct, forbid_unknown_fields=True, kw_only=True):
    """What happens to a market."""

    symbol: str


class Settle(OfMarket, forbid_unknown_fields=True, kw_only=True):
    """A market ends, by default at its mark."""

    price: Decimal | None = None


class Halt(OfMarket, forbid_unknown_fields=True, kw_only=True):
    """A market takes no orders until a virtual time, or until it is resumed."""

    until_ms: int | None = None


class ChangeMarket(OfMarket, forbid_unknown_fields=True, kw_only=True):
    """Filters or contract change; `multiplier` is the new contracts for one old contract."""

    tick_size: Decimal | None = None
    step_size: Decimal | None = None
    max_market_quantity: Decimal | None = None
    multiplier: Decimal | None = None


def _open(world: World, wish: OpenPosition) -> Any:
    quantity = wish.quantity
    if quantity is None and wish.notional is not None:
        if wish.symbol not in world.markets:
            raise Rejection(RejectKind.UNKNOWN_SYMBOL, f"there is no market {wish.symbol!r}")
        step = world.markets[wish.symbol].step_size
        quantity = wish.notional / world.last(wish.symbol) // step * step
    tag = wish.tag or f"{world.now_us // US_PER_MS}-{wish.side}"
    key = account_key(world.accounts, wish.account)
    return world.open_position(key, wish.symbol, wish.side, quantity, tag)


def _close(world: World, wish: ClosePosition) -> Any:
    tag = wish.tag or f"{world.now_us // US_PER_MS}-close"
    key = account_key(world.accounts, wish.account)
    return world.close_position(key, wish.symbol, wish.position_side, tag)


def _price(world: World, wish: PrintPrice) -> None:
    world.print_price(wish.symbol, wish.price, wish.book)


def _remove_stop(world: World, wish: RemoveStop) -> None:
    world.remove_stop(wish.algo_id)


def _position_stop(world: World, wish: SetPositionStop) -> Any:
    return world.change_position_stop(account_key(world.accounts, wish.account), wish)


def _place_stop(world: World, wish: PlaceStop) -> Any:
    return world.place_conditional(account_key(world.accounts, wish.account), wish)


def _cancel_stop(world: World, wish: CancelStop) -> Any:
    return world.cancel_as_user(account_key(world.accounts, wish.account), wish.algo_id)


def _amend_stop(world: World, wish: AmendStop) -> Any:
    return world.amend_as_user(
        account_key(world.accounts, wish.account),
        wish.algo_id,
        trigger_price=wish.trigger_price,
        quantity=wish.quantity,
        price=wish.price,
        working_type=wish.working_type,
    )


def _place_order(world: World, wish: PlaceOrder) -> Any:
    return world.place_order(account_key(world.accounts, wish.account), wish)


def _withdraw(world: World, wish: Withdraw) -> None:
    world.withdraw(account_key(world.accounts, wish.account), wish.amount)


def _liquidate(world: World, wish: Take) -> Any:
    key = account_key(world.accounts, wish.account)
    return world.liquidate(key, wish.symbol, wish.position_side)


def _deleverage(world: World, wish: Deleverage) -> Any:
    key = account_key(world.accounts, wish.account)
    return world.deleverage(key, wish.symbol, wish.position_side, wish.quantity)


def _delist(world: World, wish: OfMarket) -> None:
    world.delist(wish.symbol)


def _settle(world: World, wish: Settle) -> None:
    world.settle(wish.symbol, wish.price)


def _halt(world: World, wish: Halt) -> None:
    world.halt(wish.symbol, None if wish.until_ms is None else wish.until_ms * US_PER_MS)


def _resume(world: World, wish: OfMarket) -> None:
    world.resume(wish.symbol)


def _change_market(world: World, wish: ChangeMarket) -> None:
    world.change_market(
        wish.symbol,
        tick_size=wish.tick_size,
        step_size=wish.step_size,
        max_market_quantity=wish.max_market_quantity,
        multiplier=wish.multiplier,
    )


ACTS: dict[str, tuple[type[Struct], Act]] = {
    "positions": (OpenPosition, _open),
    "close": (ClosePosition, _close),
    "price": (PrintPrice, _price),
    "stops/remove": (RemoveStop, _remove_stop),
    "position_stop": (SetPositionStop, _position_stop),
    "stop/place": (PlaceStop, _place_stop),
    "stop/cancel": (CancelStop, _cancel_stop),
    "stop/amend": (AmendStop, _amend_stop),
    "order": (PlaceOrder, _place_order),
    "withdraw": (Withdraw, _withdraw),
    "liquidate": (Take, _liquidate),
    "deleverage": (Deleverage, _deleverage),
    "delist": (OfMarket, _delist),
    "settle": (Settle, _settle),
    "halt": (Halt, _halt),
    "resume": (OfMarket, _resume),
    "market": (ChangeMarket, _change_market),
}
"""By the path under /control/; all are POST."""
