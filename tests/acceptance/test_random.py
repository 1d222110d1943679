"""Random stories on every exchange: the oracle and the world judge them.

A fixed handful of seeds is part of the suite; `TRAILSTOP_STORIES=500` plays so many, and
`TRAILSTOP_FIRST_STORY=1000` begins at another seed.
"""

from __future__ import annotations

import os

import pytest
from structlog.testing import capture_logs

from tests.acceptance.acts import Act, Hand, script
from tests.acceptance.judgement import judged

FIRST = int(os.environ.get("TRAILSTOP_FIRST_STORY", "1"))
STORIES = int(os.environ.get("TRAILSTOP_STORIES", "3"))


def legs_of(exchange):
    """Both legs of one account in hedge mode, else the same symbol on two accounts."""
    if exchange.hedge:
        return (("long", "LONG"), ("long", "SHORT"))
    return (("long", "BOTH"), ("short", "BOTH"))


def tell(sit, exchange, acts: list[Act], **settings) -> list[str]:
    """Play acts and calm; what is wrong afterwards, nothing where all is well."""

    async def story(table):
        hand = Hand(table, legs_of(exchange))
        await hand.play(acts)
        await hand.end()
        found = await judged(table, hand, log)
        return found, hand.done

    with capture_logs() as log:
        found, done = sit(story, **settings)
    return [*found, *done] if found else []


@pytest.mark.parametrize("seed", range(FIRST, FIRST + STORIES))
def test_whatever_happens_every_position_has_its_stop(sit, exchange, overlap, seed):
    found = tell(sit, exchange, script(seed, exchange), overlap=overlap)
    assert not found, "\n".join(found)
