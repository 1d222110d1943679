"""What the exchange ever had of the killed guard, held against what that has written down.

Every order of ours has an intent, and so has every change of a position's own stop, which has no
id: it goes by leg, price and time. No move is told that never was, none is left untold, nobody's
promise was loosened, and nobody else's order was touched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from benchmarks.crash.history import History, SlotSet
from benchmarks.crash.journal import Journal, Told, Written
from benchmarks.crash.truth import CLIENT, OWN_PREFIX
from benchmarks.crash.verdict import Kind
from trailstop.daemon.writing.ids import epoch_tag
from trailstop.domain.position import Phase
from trailstop.paper.model import Conditional

US_PER_MS = 1_000
CLOCK_SLACK_MS = 250
"""How far the guard's idea of the exchange's time may be off."""

Finding = tuple[Kind, str]


def order_findings(journal: Journal, history: History) -> Iterator[Finding]:
    """Orders of ours without an intent, moves without an order, orders that no fact tells."""
    prefix = f"{OWN_PREFIX}{journal.installation}-"
    tags = {
        epoch_tag(journal.installation, leg, epoch): told
        for (leg, epoch), told in journal.epochs.items()
    }
    names: Counter[str] = Counter()
    for conditionals in history.conditionals.values():
        for order in conditionals:
            if not order.client_id.startswith(prefix):
                continue
            names[order.client_id] += 1
            intent = journal.intents.get(order.client_id)
            if intent is None or intent.action != "place":
                yield "intents", f"stop {order.client_id} has no intent"
            elif intent.price != order.trigger_price:
                text = f"rests at {order.trigger_price}, not {intent.price}"
                yield "intents", f"stop {order.client_id} {text}"
            elif order.quantity is not None:
                yield from _untold(order, tags)
    for orders in history.orders.values():
        for plain in orders:
            if plain.source == "plain" and plain.client_id.startswith(prefix):
                names[plain.client_id] += 1
                intent = journal.intents.get(plain.client_id)
                if intent is None or intent.action != "close":
                    yield "intents", f"order {plain.client_id} has no intent"
    for name, count in names.items():
        if count > 1:
            yield "duplicated", f"client id {name} was used {count} times"
    if not history.slot_sets:
        for told in tags.values():
            for move in told.moves:
                if move.client_id not in names:
                    yield "events", f"move {move.client_id} tells of an order that never was"


def slot_findings(journal: Journal, history: History) -> Iterator[Finding]:
    """The same for stops that belong to the position and are moved in place."""
    ours: set[tuple[str, str, str, str]] = set()
    crossings = history.crossings()
    for change in history.slot_sets:
        if change.author != CLIENT:
            continue
        name = f"{change.account}/{change.symbol}/{change.position_side} at {change.at_us}"
        if change.price is None:
            yield "lost", f"{name}: we removed the position's stop at {change.before}"
            continue
        if change.is_looser and change not in crossings:
            yield "loosened", f"{name}: we moved the stop from {change.before} to {change.price}"
        ours.add((*_place(change), str(change.price.normalize())))
        intents = {write: row for write, row in journal.intents.items() if _fits(row, change)}
        if not intents:
            yield "intents", f"{name}: the stop at {change.price} has no intent"
        elif not any(
            _is_told(journal.epochs.get(row.epoch), write, change) for write, row in intents.items()
        ):
            yield "events", f"{name}: the stop at {change.price} is not told"
    if not history.slot_sets:
        return
    for (leg, epoch), told in journal.epochs.items():
        for move in told.moves:
            place = (leg.account, leg.symbol, leg.position_side.upper())
            if move.client_id and (*place, str(move.to_price.normalize())) not in ours:
                yield "events", f"{leg} epoch {epoch}: a move to {move.to_price} that never was"


def foreign_findings(history: History, foreign_ends: dict[str, int], by_bot: int) -> Iterator[str]:
    """Orders of others that were cancelled or changed by a request which they did not make."""
    ended = sum(
        count for name, count in foreign_ends.items() if name.endswith((" request", " amended"))
    )
    if ended == by_bot:
        return
    yield f"{ended} orders of others were cancelled or changed, {by_bot} by the bot itself"
    for name, orders in history.conditionals.items():
        for order in orders:
            foreign = order.client_id and not order.client_id.startswith(OWN_PREFIX)
            if foreign and order.status == "CANCELED" and not order.cancel_reason:
                yield f"{name}: {order.client_id} was cancelled, by {order.author}"


def _place(change: SlotSet) -> tuple[str, str, str]:
    return change.account, change.symbol, change.position_side


def _fits(row: Written, change: SlotSet) -> bool:
    leg, _ = row.epoch
    return (
        row.action == "place"
        and row.price == change.price
        and (leg.account, leg.symbol, leg.position_side.upper()) == _place(change)
        and row.at_ms <= change.at_us // US_PER_MS + CLOCK_SLACK_MS
    )


def _is_told(told: Told | None, write: str, change: SlotSet) -> bool:
    """Whether a fact tells of it, or the position had no time for one.

    What somebody moved away before its answer was heard is told by the look-up alone.
    """
    if told is None:
        return False
    if write in told.removed or any(move.to_price == change.price for move in told.moves):
        return True
    return _was_ending(told, change.at_us)


def _was_ending(told: Told, at_us: int) -> bool:
    """Whether the position was closing, or was closed, before the answer was taken into account."""
    if not told.ended:
        return False
    later = any(move.acknowledged_at_ms * US_PER_MS > at_us for move in told.moves)
    return Phase.TRIGGERED in told.phases or not later


def _untold(order: Conditional, tags: dict[str, Told]) -> Iterator[Finding]:
    """A working stop that rested without a fact that says so."""
    told = next((row for tag, row in tags.items() if order.client_id.startswith(tag)), None)
    if told is None:
        yield "events", f"stop {order.client_id} belongs to no epoch"
        return
    if any(move.client_id == order.client_id for move in told.moves):
        return
    if order.client_id in told.removed:
        # A person cancelled it while no guard ran and its answer had not been heard.
        return
    if any(move.to_price == order.trigger_price for move in told.moves):
        # Put back, or put right in size alone: no move.
        return
    if not _was_ending(told, order.created_us):
        yield "events", f"stop {order.client_id} at {order.trigger_price} is not told"
