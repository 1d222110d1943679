"""Intent before write: nothing leaves for an exchange before the store has it.

One exception: where the store has not answered for 250 ms, what protects (first stops,
tightenings, reduce-only closes) goes out marked `undurable` and is recorded as soon as
possible; everything else waits.
"""

from __future__ import annotations

import asyncio

import structlog
from msgspec.structs import replace

from trailstop.errors import StoreError
from trailstop.storage.records import Intended, Intent
from trailstop.storage.store import Store

STORE_PATIENCE_SECONDS = 0.25

_log = structlog.get_logger("trailstop.executor")


async def make_durable(store: Store, intent: Intent, *, protective: bool) -> None:
    """Return when the intent may be acted upon. Raises: StoreError where it may not."""
    store.record([Intended(intent)])
    if not protective:
        await store.durable()
        return
    try:
        async with asyncio.timeout(STORE_PATIENCE_SECONDS):
            await store.durable()
    except (TimeoutError, StoreError) as error:
        _log.error(
            "intent_undurable",
            leg=str(intent.leg),
            client_id=intent.client_id,
            error=str(error) or f"the store has not answered for {STORE_PATIENCE_SECONDS} s",
        )
        store.record([Intended(replace(intent, undurable=True))])
