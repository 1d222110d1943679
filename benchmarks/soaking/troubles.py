"""What goes wrong in a long run: one trouble after the other, drawn from a seed.

Each trouble is a fault or two of the paper exchange, an act of people or of the exchange, and the
excuse that it gives the guard, as narrow as its bounds allow. A kind that this build of the paper
exchange does not have is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, get_args, get_type_hints

from msgspec import Struct

from tests.acceptance.exchanges import BINANCE, BYBIT, Exchange
from trailstop.paper.trouble.faults import Fault

MS = 1_000
SETTLE_MS = 2_500
"""How long a lost request may still have its effect; until then nothing may be sent again."""
PATIENCE_MS = 5_000
"""How long an answer is waited for that never comes."""
SHUT_OUT_MS = 600_000
"""How long Bybit wants silence from an address that it answers with 403."""
BLIND_MS = 10_000
"""N: how long a silent stream may go unnoticed."""
FULL_PASS_MS = 60_000
VENUES: dict[str, Exchange] = {"binance": BINANCE, "bybit": BYBIT}


class Trouble(Struct, frozen=True, kw_only=True):
    """One trouble: faults at the exchange, and what they excuse on which account.

    `unreachable_ms` and `unseen_ms` are counted from its beginning; 0 excuses nothing.
    """

    name: str
    faults: tuple[Fault, ...] = ()
    lasts_ms: int = 0
    account: str = ""
    unreachable_ms: int = 0
    unseen_ms: int = 0
    weight: int = 0
    orders: int = 0
    """What somebody else uses of the address and of the account meanwhile."""


Draw = Callable[[Random, int], Trouble]


def known_kinds() -> frozenset[str]:
    """The fault kinds that this build has."""
    return frozenset(_texts(get_type_hints(Fault)["kind"]))


def _texts(form: Any) -> Iterator[str]:
    for part in get_args(form):
        if isinstance(part, str):
            yield part
        else:
            yield from _texts(part)


def _fault(**settings: Any) -> Fault:
    """A fault of a kind that this build may not have: it is then not drawn."""
    return Fault(**settings)


def troubles() -> dict[str, Draw]:
    """Every trouble that can be drawn, by its name."""
    known = known_kinds()
    return {kind: draw for kind, draw in _ALL.items() if kind in known}


def _length(chance: Random) -> int:
    return chance.choice((2_000, 5_000, 10_000, 20_000, 45_000, 90_000, 120_000))


def _venue(chance: Random) -> Exchange:
    return VENUES[chance.choice(("binance", "bybit"))]


def _lost(kind: str) -> Draw:
    """Requests that fail on the way or at the exchange, all or those of one kind."""

    def draw(chance: Random, now_ms: int) -> Trouble:
        venue, length_ms = _venue(chance), _length(chance)
        calls = {
            "everything": ("", ""),
            "stops": tuple(venue.place_stop),
            "closes": tuple(venue.close),
            "positions": tuple(venue.read_positions),
            "resting": tuple(venue.read_stops),
            "executions": tuple(venue.read_executions),
            "cancels": tuple(venue.cancel_stop or venue.place_stop),
        }
        target = chance.choice(list(calls))
        method, path = calls[target]
        cut = chance.random() < 0.7
        delay_ms = chance.choice((150, 700, 1_800, 4_000)) if kind == "delay" else 0
        fault = _fault(
            kind=kind,
            method=method,
            path=path,
            account=venue.name,
            from_ms=now_ms,
            until_ms=now_ms + length_ms,
            share=chance.choice((0.3, 1.0)),
            executed=chance.random() < 0.5,
            cut=cut,
            delay_ms=delay_ms,
        )
        excused = length_ms + SETTLE_MS + delay_ms * 2 + (0 if cut else PATIENCE_MS)
        return Trouble(
            name=f"{kind} of {target}",
            faults=(fault,),
            lasts_ms=length_ms,
            account=venue.name,
            unreachable_ms=0 if target == "executions" else excused,
        )

    return draw


def _silenced(kind: str) -> Draw:
    """The exchange asks for silence."""

    def draw(chance: Random, now_ms: int) -> Trouble:
        # Bybit's 403 wants ten minutes, whatever the fault says: it is drawn, but rarely.
        pair = ("binance", "bybit") if chance.random() < 0.2 else ("binance",)
        if kind in ("too_many_requests", "rate_limited"):
            pair = ("binance", "bybit")
        venue = VENUES[chance.choice(pair)]
        seconds = chance.choice((1, 5, 20, 60, 120))
        fault = _fault(
            kind=kind,
            account=venue.name,
            from_ms=now_ms,
            until_ms=now_ms + 30_000,
            count=1,
            retry_after_s=seconds,
        )
        shut = venue.name == "bybit" and kind in ("banned", "forbidden")
        silent_ms = SHUT_OUT_MS if shut else max(seconds, 60) * MS
        return Trouble(
            name=kind,
            faults=(fault,),
            lasts_ms=30_000,
            account=venue.name,
            unreachable_ms=30_000 + silent_ms,
        )

    return draw


def _stream(kind: str, **fields: Any) -> Draw:
    """A group of streams falters, on both venues."""

    def draw(chance: Random, now_ms: int) -> Trouble:
        group = chance.choice(("private", "private", "public", "market"))
        length_ms = _length(chance)
        settings = {name: _drawn(chance, value) for name, value in fields.items()}
        fault = _fault(
            kind=kind,
            stream=group,
            from_ms=now_ms,
            until_ms=now_ms + length_ms,
            **settings,
        )
        unseen_ms = 0
        if group == "private":
            # What is missed without a cut is found by the next full pass.
            late_ms = settings.get("delay_ms", 0)
            hidden = kind in ("missing", "reordered", "silence")
            unseen_ms = length_ms + late_ms + (FULL_PASS_MS if hidden else 0)
        return Trouble(
            name=f"{kind} {group}", faults=(fault,), lasts_ms=length_ms, unseen_ms=unseen_ms
        )

    return draw


def _drawn(chance: Random, value: Any) -> Any:
    return chance.choice(value) if isinstance(value, tuple) else value


def _trigger(chance: Random, now_ms: int) -> Trouble:
    """The exchange refuses what the next stop that fires becomes."""
    account = chance.choice(("binance", "bybit"))
    fault = _fault(
        kind="reject_at_trigger",
        account=account,
        from_ms=now_ms,
        until_ms=now_ms + 120_000,
        count=1,
    )
    return Trouble(
        name="reject_at_trigger",
        faults=(fault,),
        lasts_ms=120_000,
        account=account,
        unreachable_ms=120_000,
    )


def _maintenance(chance: Random, now_ms: int) -> Trouble:
    length_ms = _length(chance)
    fault = _fault(kind="maintenance", from_ms=now_ms, until_ms=now_ms + length_ms)
    # Streams come back with a pause that grows with the attempts.
    return Trouble(
        name="maintenance",
        faults=(fault,),
        lasts_ms=length_ms,
        unreachable_ms=length_ms + SETTLE_MS,
        unseen_ms=length_ms + FULL_PASS_MS,
    )


def _read(kind: str, **fields: Any) -> Draw:
    """A read is answered with something else than the truth."""

    def draw(chance: Random, now_ms: int) -> Trouble:
        venue, length_ms = _venue(chance), _length(chance)
        target = chance.choice((venue.read_stops, venue.read_positions, venue.read_executions))
        settings = {name: _drawn(chance, value) for name, value in fields.items()}
        fault = _fault(
            kind=kind,
            method=target.method,
            path=target.path,
            account=venue.name,
            from_ms=now_ms,
            until_ms=now_ms + length_ms,
            share=chance.choice((0.3, 1.0)),
            **settings,
        )
        return Trouble(
            name=f"{kind} of {target.path}",
            faults=(fault,),
            lasts_ms=length_ms,
            account=venue.name,
            unreachable_ms=length_ms + settings.get("lag_ms", 0),
        )

    return draw


def _stop(kind: str, **fields: Any) -> Draw:
    """The exchange takes a stop, and it is gone after all."""

    def draw(chance: Random, now_ms: int) -> Trouble:
        venue = _venue(chance)
        fault = _fault(
            kind=kind,
            method=venue.place_stop.method,
            path=venue.place_stop.path,
            account=venue.name,
            from_ms=now_ms,
            until_ms=now_ms + 60_000,
            count=1,
            **{name: _drawn(chance, value) for name, value in fields.items()},
        )
        # Nothing tells of a stop that vanished but the next comparison.
        return Trouble(
            name=kind,
            faults=(fault,),
            lasts_ms=60_000,
            account=venue.name,
            unseen_ms=60_000,
        )

    return draw


def _others(chance: Random, now_ms: int) -> Trouble:
    """Somebody else behind the same address, and with the same keys, is busy.

    Bybit counts 600 requests in five seconds and ten orders a second; who is above is shut out
    for ten minutes, which is another trouble.
    """
    length_ms = _length(chance)
    weight, orders = chance.choice((150, 300, 450)), chance.choice((0, 3, 6))
    fault = _fault(
        kind="foreign_use",
        from_ms=now_ms,
        until_ms=now_ms + length_ms,
        weight=weight,
        orders=orders,
    )
    return Trouble(
        name="foreign_use",
        faults=(fault,),
        lasts_ms=length_ms,
        unreachable_ms=length_ms,
        weight=weight,
        orders=orders,
    )


def _skew(chance: Random, now_ms: int) -> Trouble:
    length_ms = _length(chance)
    fault = _fault(
        kind="clock_skew",
        from_ms=now_ms,
        until_ms=now_ms + length_ms,
        delay_ms=chance.choice((-4_000, -900, 900, 4_000, 60_000)),
    )
    return Trouble(
        name="clock_skew", faults=(fault,), lasts_ms=length_ms, unreachable_ms=length_ms + SETTLE_MS
    )


def _no_trigger(chance: Random, now_ms: int) -> Trouble:
    """Stops of one market do not fire; they rest all the same."""
    length_ms = _length(chance)
    symbol = chance.choice(("BTCUSDT", "ETHUSDT"))
    fault = _fault(kind="no_trigger", symbol=symbol, from_ms=now_ms, until_ms=now_ms + length_ms)
    return Trouble(name="no_trigger", faults=(fault,), lasts_ms=length_ms)


def _tampered(chance: Random, now_ms: int) -> Trouble:
    """A price or an entry price is nonsense, in a stream or in the list of positions."""
    length_ms = _length(chance)
    value = chance.choice(("", "0", "NaN", "1e400", "-1", "abc"))
    share = chance.choice((0.02, 0.3))
    settings: dict[str, Any] = {"from_ms": now_ms, "until_ms": now_ms + length_ms, "share": share}
    event, field = chance.choice(
        (
            ("aggTrade", "p"),
            ("bookTicker", "b"),
            ("tickers", "lastPrice"),
            ("publicTrade", "p"),
            ("", "entryPrice"),
        )
    )
    if event:
        fault = _fault(kind="tamper", event=event, field=field, value=value, **settings)
        return Trouble(name=f"tamper {event}", faults=(fault,), lasts_ms=length_ms)
    path = BINANCE.read_positions.path
    fault = _fault(
        kind="tamper", path=path, account="binance", field=field, value=value, **settings
    )
    return Trouble(
        name="tamper entryPrice",
        faults=(fault,),
        lasts_ms=length_ms,
        account="binance",
        unreachable_ms=length_ms,
    )


def _listen_key(kind: str) -> Draw:
    def draw(chance: Random, now_ms: int) -> Trouble:
        fault = _fault(
            kind=kind,
            account="binance",
            from_ms=now_ms,
            until_ms=now_ms + 60_000,
            count=chance.choice((0, 1, 2)) if kind == "listen_key_expired" else None,
        )
        return Trouble(
            name=kind,
            faults=(fault,),
            lasts_ms=60_000,
            account="binance",
            unseen_ms=60_000 + FULL_PASS_MS,
        )

    return draw


def _clock_refused(chance: Random, now_ms: int) -> Trouble:
    venue = _venue(chance)
    fault = _fault(
        kind="clock_refused",
        account=venue.name,
        from_ms=now_ms,
        until_ms=now_ms + 30_000,
        count=chance.choice((1, 3)),
    )
    return Trouble(
        name="clock_refused",
        faults=(fault,),
        lasts_ms=30_000,
        account=venue.name,
        unreachable_ms=30_000,
    )


_LOST = (
    "lost_request",
    "lost_answer",
    "delay",
    "unknown",
    "unavailable",
    "overloaded",
    "internal",
    "timeout",
    "truncated",
    "html",
)
_ALL: dict[str, Draw] = {
    **{kind: _lost(kind) for kind in _LOST},
    **{
        kind: _silenced(kind)
        for kind in ("too_many_requests", "banned", "forbidden", "rate_limited")
    },
    "silence": _stream("silence"),
    "cut": _stream("cut"),
    "late": _stream("late", delay_ms=(300, 1_500, 6_000)),
    "duplicated": _stream("duplicated"),
    "reordered": _stream("reordered", delay_ms=(300, 1_500)),
    "missing": _stream("missing", share=(0.1, 0.5)),
    "frozen": _stream("frozen"),
    "reject_at_trigger": _trigger,
    "maintenance": _maintenance,
    "empty": _read("empty"),
    "error_in_body": _read("error_in_body"),
    "lagging": _read("lagging", lag_ms=(500, 2_000, 6_000)),
    "dropped": _stop("dropped", delay_ms=(50, 3_000)),
    "rejected_later": _stop("rejected_later", delay_ms=(50, 3_000)),
    "foreign_use": _others,
    "clock_skew": _skew,
    "clock_refused": _clock_refused,
    "listen_key_expired": _listen_key("listen_key_expired"),
    "no_trigger": _no_trigger,
    "tamper": _tampered,
    "listen_key_deleted": _listen_key("listen_key_deleted"),
}
