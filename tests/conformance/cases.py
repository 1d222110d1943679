"""Files of published cases: where they are, how they are read, who runs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.conformance import freqtrade, lean, nautilus
from tests.conformance.verdict import Case

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "conformance"
SAMPLE_NAMES = (
    "nautilus_sample.json",
    "nautilus_oracle_sample.json",
    "lean_sample.json",
    "freqtrade_sample.json",
)
RUNNERS = {
    "calc": nautilus.run,
    "path": nautilus.run,
    "oracle_path": nautilus.run,
    "calculate_stop_price": lean.run,
    "try_update": lean.run,
    "fill_path": lean.run,
    "stale_data": lean.run,
    "rounding": lean.run,
    "risk_model_path": lean.run,
}


class UnreadableCases(Exception):
    """A file that holds no cases, in one line."""


def sample_files() -> list[Path]:
    """The samples that lie beside this checkout; none where there are none."""
    return [SAMPLES / name for name in SAMPLE_NAMES if (SAMPLES / name).is_file()]


def read(path: Path) -> list[Case]:
    """The cases of one file; raises UnreadableCases."""
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnreadableCases(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UnreadableCases(f"{path} is no JSON: {error}") from error
    cases = document.get("cases") if isinstance(document, dict) else None
    if not isinstance(cases, list) or not all(isinstance(case, dict) for case in cases):
        raise UnreadableCases(f'{path} holds no list of "cases"')
    return cases


def run(case: Case) -> None:
    """Run one case; an AssertionError says what differs."""
    if "candles" in case:
        freqtrade.run(case)
        return
    kind = case.get("kind")
    assert kind in RUNNERS, f"unknown kind {kind}: known are {', '.join(RUNNERS)}"
    RUNNERS[kind](case)
