"""Plays plans: each item happens at its time, in the order in which it was written down."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any

from trailstop.paper.control_acts import ACTS
from trailstop.paper.exchange import Exchange
from trailstop.paper.model import Rejection
from trailstop.paper.trouble.faults import Fault, Faults
from trailstop.paper.trouble.plan import Item, Plan

US_PER_MS = 1_000
MOST_REFUSALS = 100
"""Refused acts that are told one by one."""


class PlanPlayer:
    """The plans of one paper exchange."""

    def __init__(
        self, exchange: Exchange, faults: Faults, add_fault: Callable[[Fault], int]
    ) -> None:
        self._exchange = exchange
        self._faults = faults
        self._add_fault = add_fault
        self._items = 0
        self._done = 0
        self._refused: list[str] = []

    def begin(self, plan: Plan) -> None:
        """Play a plan, counted from now."""
        if plan.seed is not None:
            self._faults.reseed(plan.seed)
        loop = self._exchange.loop
        start_us = loop.now_us
        self._items += len(plan.items)
        fault_ids: dict[int, int] = {}
        # Items of one instant share a timer, for timers of one instant have no order.
        numbered = sorted(enumerate(plan.items, 1), key=lambda row: row[1].after_ms)
        for after_ms, rows in groupby(numbered, key=lambda row: row[1].after_ms):
            at_us = start_us + after_ms * US_PER_MS
            loop.call_at_us(at_us, self._happen, start_us // US_PER_MS, list(rows), fault_ids)

    def state(self) -> dict[str, Any]:
        """How far the plans are, and which acts the exchange refused."""
        return {"items": self._items, "done": self._done, "refused": tuple(self._refused)}

    def _happen(
        self, start_ms: int, rows: list[tuple[int, Item]], fault_ids: dict[int, int]
    ) -> None:
        for number, item in rows:
            self._done += 1
            if item.fault is not None:
                fault_ids[number] = self._add_fault(item.begun_fault(start_ms))
            elif item.act is not None:
                self._act(number, item.act, item.wish(start_ms))
            elif item.clear == "all":
                self._faults.clear()
            elif item.clear in fault_ids:
                self._faults.clear(fault_ids[item.clear])

    def _act(self, number: int, name: str, wish: Any) -> None:
        _, act = ACTS[name]
        try:
            act(self._exchange.sync(), wish)
        except Rejection as rejection:
            if len(self._refused) < MOST_REFUSALS:
                self._refused.append(f"item {number}: {rejection.kind.value}: {rejection.text}")
        self._exchange.tell()
