"""A plan: what goes wrong in a run, and when, as data that can be repeated.

    {"seed": 7, "items": [
        {"after_ms": 60000, "fault": {"kind": "silence", "stream": "private", "for_ms": 30000}},
        {"after_ms": 90000, "act": "halt", "with": {"symbol": "BTCUSDT"}},
        {"after_ms": 95000, "clear": "all"}]}

Times count from the moment at which the plan comes into force: the start of the session, or the
request that brings it. So do `from_ms` and `until_ms` inside of faults and acts; `for_ms` is a
length in place of `until_ms`. Acts are the requests of the control interface that change
positions and markets, by their paths. `clear` ends the fault of the item with that number,
counted from 1, or all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import msgspec
from msgspec import Struct, field

from trailstop.errors import ConfigError
from trailstop.paper.control_acts import ACTS
from trailstop.paper.trouble.faults import Fault

SCHEDULED: Final = ("fault", "act", "clear")

S = TypeVar("S")


class Item(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that happens: a fault begins, somebody acts, or faults end."""

    after_ms: int = 0
    fault: dict[str, Any] | None = None
    act: str | None = None
    with_: dict[str, Any] = field(default_factory=dict, name="with")
    clear: int | Literal["all"] | None = None

    def begun_fault(self, start_ms: int) -> Fault:
        """The fault of this item in a session that began at `start_ms`, Unix milliseconds."""
        fields = {"from_ms": self.after_ms} | (self.fault or {})
        return msgspec.convert(_dated(fields, self.after_ms, start_ms), Fault)

    def wish(self, start_ms: int) -> Any:
        """What the act of this item asks for in a session that began at `start_ms`."""
        kind, _ = ACTS[self.act or ""]
        # Decimals are read from their texts, as the control interface reads them.
        encoded = msgspec.json.encode(_dated(self.with_, self.after_ms, start_ms))
        return msgspec.json.decode(encoded, type=kind)


class Plan(Struct, frozen=True, kw_only=True):
    """Items in the order in which they were written down."""

    seed: int | None = None
    """Of the chance in its faults; None leaves that to the run's own."""
    items: tuple[Item, ...] = ()


class _Written(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    seed: int | None = None
    items: tuple[msgspec.Raw, ...] = ()


def read_plan(path: Path) -> Plan:
    """The plan in a file; ConfigError names the file, and the item where one is wrong."""
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise ConfigError(f"{path}: {reason}; name a JSON file with a plan of faults") from None
    return decode_plan(content, str(path))


def decode_plan(content: bytes, source: str = "plan") -> Plan:
    """The plan in these bytes; ConfigError in one line, with the item's number from 1."""
    try:
        written = msgspec.json.decode(content, type=_Written)
    except msgspec.DecodeError as error:
        raise ConfigError(f'{source}: {error}; a plan is {{"seed": …, "items": […]}}') from None
    items: list[Item] = []
    for number, raw in enumerate(written.items, 1):
        try:
            item = msgspec.json.decode(raw, type=Item)
            _check(item, items)
        except (msgspec.DecodeError, ValueError) as error:
            raise ConfigError(f"{source}: item {number}: {error}") from None
        items.append(item)
    return Plan(seed=written.seed, items=tuple(items))


def _check(item: Item, before: list[Item]) -> None:
    """Refuse an item that could not happen, now rather than in the middle of a run."""
    if item.after_ms < 0:
        raise ValueError("after_ms is below zero; give a time after the start")
    given = [name for name in SCHEDULED if getattr(item, name) is not None]
    if len(given) != 1:
        raise ValueError(f"give one of {', '.join(SCHEDULED)}, not {' and '.join(given) or 'none'}")
    if item.with_ and item.act is None:
        raise ValueError("`with` belongs to an act")
    if item.fault is not None:
        item.begun_fault(0)
    elif item.act is not None:
        if item.act not in ACTS:
            known = ", ".join(sorted(ACTS))
            raise ValueError(f"there is no act {item.act!r}; known are {known}")
        item.wish(0)
    elif item.clear != "all" and not _is_fault(item.clear, before):
        raise ValueError(f"clear names item {item.clear}, which is no fault before this one")


def _is_fault(number: int | None, items: list[Item]) -> bool:
    if number is None or not 1 <= number <= len(items):
        return False
    return items[number - 1].fault is not None


def _dated(fields: dict[str, Any], after_ms: int, start_ms: int) -> dict[str, Any]:
    """The fields with their times after the start as times of the virtual clock."""
    dated = dict(fields)
    length_ms = dated.pop("for_ms", None)
    if length_ms is not None:
        if "until_ms" in dated:
            raise ValueError("give for_ms or until_ms, not both")
        dated["until_ms"] = dated.get("from_ms", after_ms) + length_ms
    for name in ("from_ms", "until_ms"):
        if isinstance(dated.get(name), int):
            dated[name] += start_ms
    return dated
