"""Client ids: what a write is called on the exchange, so that it is found again after a crash.

`ts-INSTALLATION-EPOCH-GENERATION`: the installation's eight characters tell ours from those
of another Trailstop on the same account, the epoch's hash tells a stop of this position from
one of an earlier position, and the generation is used once in an epoch: also where the store
has forgotten the newest ones, since it never lags behind the clock.
"""

from __future__ import annotations

import hashlib
import re

from trailstop.domain.position import Leg

CLIENT_ID_MAX = 36
"""Longest id that Binance takes (error -4015), read 2026-11."""
EPOCH_CHARACTERS = 10
GENERATION_MS = 100
"""A leg writes less often than this over any length of time, so that generations that are at least
the age of the epoch in these steps rise above all that an earlier life may have used."""
FORM = re.compile(r"ts-([0-9a-f]{8})-[0-9a-f]{10}-\d+")
"""How any installation names its writes."""


def own_prefix(installation: str) -> str:
    """How every client id of this installation begins."""
    return f"ts-{installation}-"


def epoch_tag(installation: str, leg: Leg, epoch: int) -> str:
    """How every client id of one epoch begins."""
    text = f"{installation}|{leg.account}|{leg.venue}|{leg.symbol}|{leg.position_side}|{epoch}"
    digest = hashlib.blake2b(text.encode(), digest_size=EPOCH_CHARACTERS // 2).hexdigest()
    return f"{own_prefix(installation)}{digest}-"


def next_generation(last: int, age_ms: int) -> int:
    """The generation after `last` for a write at this age of the epoch."""
    return max(last + 1, age_ms // GENERATION_MS)


def is_of_another(client_id: str, installation: str) -> bool:
    """Whether another Trailstop has given a stop or order this id."""
    found = FORM.fullmatch(client_id)
    return found is not None and found[1] != installation


def client_id(tag: str, generation: int) -> str:
    """The id of one write of the epoch."""
    name = f"{tag}{generation}"
    assert len(name) <= CLIENT_ID_MAX, f"client id {name} is too long"
    return name
