"""What one demo is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

DEFAULT_SPEED: Final = 60.0
DEFAULT_SEED: Final = 9
"""Any seed runs; with this one both positions live their whole life within the demo."""
GENERATED_SYMBOL: Final = "BTCUSDT"
GENERATED_DURATION: Final = "36m"
"""Virtual length of a demo on generated prices: 36 s of the wall clock at the default speed."""


class DemoSettings(Struct, frozen=True, kw_only=True):
    """One demo. Durations in seconds of virtual time; None leaves a choice to the default."""

    data: tuple[Path, ...] = ()
    start: str | None = None
    duration: str | None = None
    every: int | None = None
    speed: float = DEFAULT_SPEED
    seed: int = DEFAULT_SEED
    config: Path | None = None
    settings: tuple[str, ...] = ()
    latency_ms: int | None = None
    second_stop: Literal["allow", "refuse"] | None = None
    taker_fee: str | None = None
    once: bool = False
    as_json: bool = False
    keep: bool = False
