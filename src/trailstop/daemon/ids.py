"""Client ids: what a write is called on the exchange, so that it is found again after a crash.

`ts-INSTALLATION-EPOCH-GENERATION`: the installation's eight characters tell ours from those
of another Trailstop on the same account, the epoch's hash tells a stop of this position from
one of an earlier position, and the generation is used once in an epoch.
"""

from __future__ import annotations

import hashlib

from trailstop.domain.position import Leg

CLIENT_ID_MAX = 36
"""Longest id that Binance takes (error -4015), read 2026-11."""
EPOCH_CHARACTERS = 10


def own_prefix(installation: str) -> str:
    """How every client id of this installation begins."""
    return f"ts-{installation}-"


def epoch_tag(installation: str, leg: Leg, epoch: int) -> str:
    """How every client id of one epoch begins."""
    text = f"{installation}|{leg.account}|{leg.venue}|{leg.symbol}|{leg.position_side}|{epoch}"
    digest = hashlib.blake2b(text.encode(), digest_size=EPOCH_CHARACTERS // 2).hexdigest()
    return f"{own_prefix(installation)}{digest}-"


def client_id(tag: str, generation: int) -> str:
    """The id of one write of the epoch."""
    name = f"{tag}{generation}"
    assert len(name) <= CLIENT_ID_MAX, f"client id {name} is too long"
    return name
