"""Two processes under load: the exchange, and one guard with all its accounts."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.loading.legs import Wish
from benchmarks.outside.processes import ROOT, SETTING_PREFIX, Process


def play(wish: Wish, folder: Path) -> dict[str, Any]:
    """What both processes have measured. Raises: SceneError."""
    exchange = _process("exchange", msgspec.json.encode(wish).decode(), folder, {})
    try:
        file, keys = _config(wish, exchange.line(), folder)
        guard = _process("guard", str(file), folder, keys)
        try:
            guard.line()
            measured = exchange.line()
            used = guard.ask({"do": "end"})
        finally:
            guard.stop()
    finally:
        exchange.stop()
    return {"accounts": wish.accounts, "exchange": measured, "guard": used}


def _process(name: str, argument: str, folder: Path, keys: Mapping[str, str]) -> Process:
    clean = {key: text for key, text in os.environ.items() if not key.startswith(SETTING_PREFIX)}
    return Process(
        [sys.executable, "-m", f"benchmarks.loading.{name}", argument],
        folder,
        name,
        {**clean, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", **keys},
    )


def _config(wish: Wish, ready: dict[str, Any], folder: Path) -> tuple[Path, dict[str, str]]:
    data, keys = folder / "data", {}
    data.mkdir()
    lines = ["[trailstop]", f'data_dir = "{data}"', "[paper]", f'link = "{ready["link"]}"']
    for account in wish.accounts:
        venue = account.rstrip("0123456789")
        before = "" if venue == "binance" else f"{venue}_"
        lines += [
            f"[accounts.{account}]",
            f'venue = "{venue}"',
            f'rest_url = "{ready[before + "rest"]}"',
            f'ws_url = "{ready[before + "ws"]}"',
        ]
        keys[f"TRAILSTOP_PAPER_KEY_{account.upper()}"] = ready["accounts"][account]["key"]
        keys[f"TRAILSTOP_PAPER_SECRET_{account.upper()}"] = ready["accounts"][account]["secret"]
    file = folder / "trailstop.toml"
    file.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return file, keys
