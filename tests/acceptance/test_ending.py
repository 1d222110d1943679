"""A guard that is told to end does so, whatever happens in the same moment."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from types import SimpleNamespace

from trailstop.daemon.reading.passes import Wishes
from trailstop.daemon.reading.reconcile import Reconciler


async def test_an_end_that_comes_together_with_news_is_not_lost():
    account = SimpleNamespace(
        config=SimpleNamespace(
            guard=SimpleNamespace(reconcile_seconds=Decimal(5), full_pass_seconds=Decimal(60))
        ),
        clock=SimpleNamespace(monotonic_ms=lambda: 0),
        wishes=Wishes(),
        legs={},
        pass_every_ms=5_000,
        opened_legs=frozenset(),
    )
    passes = asyncio.create_task(Reconciler(account, SimpleNamespace()).run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    account.wishes.ask()
    await asyncio.sleep(0)
    passes.cancel()
    for _ in range(10):
        await asyncio.sleep(0)
    assert passes.done()
