"""vectorbt's Rust engine on the lab's jobs; runs in an environment of its own.

Reads one JSON request a line, `{"job": "single" | "columns", ...}`, and answers with one JSON line.
The data is read once from the folder given as the only argument.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import vectorbt as vbt

COLUMNS = "distances"


def main() -> None:
    folder = Path(sys.argv[1])
    facts = json.loads((folder / "job.json").read_text())
    names = ("open", "high", "low", "close")
    prices = {name: np.load(folder / f"{name}.npy") * facts["unit"] for name in names}
    count = len(prices["close"])
    entries = np.zeros(count, dtype=bool)
    exits = np.zeros(count, dtype=bool)
    entries[np.load(folder / "entries.npy")] = True
    exits[np.load(folder / "exits.npy")] = True
    print(json.dumps({"version": vbt.__version__}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        stops = request["distances"]
        stop = stops[0] if len(stops) == 1 else vbt.Param(stops) if hasattr(vbt, "Param") else stops
        wide = {}
        if len(stops) > 1:
            stop = np.tile(np.asarray(stops), (1, 1))
            wide = {"close": np.repeat(prices["close"][:, None], len(stops), axis=1)}
        began = time.process_time()
        portfolio = vbt.Portfolio.from_signals(
            wide.get("close", prices["close"]), entries if not wide else entries[:, None],
            exits if not wide else exits[:, None],
            open=prices["open"] if not wide else prices["open"][:, None],
            high=prices["high"] if not wide else prices["high"][:, None],
            low=prices["low"] if not wide else prices["low"][:, None],
            sl_stop=stop, sl_trail=True, size=1.0, init_cash=1e9, fees=0.0, engine="rust",
        )  # fmt: skip
        records = portfolio.orders.values
        cpu_s = time.process_time() - began
        first = records[records["col"] == 0]
        sells = first[first["side"] == 1]
        print(
            json.dumps(
                {
                    "cpu_s": cpu_s,
                    "orders": len(records),
                    "exit_index": sells["idx"].tolist(),
                    "exit_price": sells["price"].tolist(),
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
