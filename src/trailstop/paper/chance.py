"""Chance as a function of what it decides, never of the order in which things arrive."""

from __future__ import annotations

from hashlib import blake2b

DIGEST_BYTES = 8
RANGE = 1 << (8 * DIGEST_BYTES)


def chance(seed: int, *decides: object) -> float:
    """A number in [0, 1) that is always the same for the same seed and the same question."""
    question = "|".join(map(str, (seed, *decides)))
    digest = blake2b(question.encode(), digest_size=DIGEST_BYTES).digest()
    return int.from_bytes(digest, "big") / RANGE
