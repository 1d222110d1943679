"""The table that every acceptance test sits at."""

from __future__ import annotations

from tests.acceptance.fixtures import (
    ended,
    exchange,
    hedge,
    one_layer,
    one_way,
    overlap,
    pytest_generate_tests,
    side,
    sit,
    sit_both,
    two_layers,
)

__all__ = [
    "ended",
    "exchange",
    "hedge",
    "one_layer",
    "one_way",
    "overlap",
    "pytest_generate_tests",
    "side",
    "sit",
    "sit_both",
    "two_layers",
]
