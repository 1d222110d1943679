"""hftbacktest on the lab's tick job: a callback behind the best bid, the exit told by its index.

Runs in an environment of its own; the data is read once from the folder given as argument, and
each line on standard input asks for one run. No order is sent, which spares it work.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import hftbacktest
import numpy as np
from hftbacktest import (
    BUY_EVENT,
    DEPTH_EVENT,
    EXCH_EVENT,
    LOCAL_EVENT,
    SELL_EVENT,
    BacktestAsset,
    ROIVectorMarketDepthBacktest,
)
from hftbacktest.types import event_dtype
from numba import njit

NS_PER_TICK = 1_000_000
PLAIN = DEPTH_EVENT | EXCH_EVENT | LOCAL_EVENT
OF_ONE_TICK = 4


def depth_events(bid: np.ndarray, ask: np.ndarray) -> np.ndarray:
    """Four events a tick: both old levels go, both new ones come."""
    count = len(bid)
    events = np.zeros(count * OF_ONE_TICK, dtype=event_dtype)
    times = (np.arange(count) + 1) * NS_PER_TICK
    before_bid, before_ask = np.r_[bid[0], bid[:-1]], np.r_[ask[0], ask[:-1]]
    rows = (
        (BUY_EVENT, before_bid, np.zeros(count)),
        (SELL_EVENT, before_ask, np.zeros(count)),
        (BUY_EVENT, bid, np.ones(count)),
        (SELL_EVENT, ask, np.ones(count)),
    )
    for offset, (side, price, quantity) in enumerate(rows):
        part = events[offset::OF_ONE_TICK]
        part["ev"], part["px"], part["qty"] = PLAIN | side, price, quantity
        part["exch_ts"] = part["local_ts"] = times
    return events


@njit
def replay(hbt, keep, hold, exits):  # type: ignore[no-untyped-def]
    index, number, peak, is_open, opened = -1, 0, 0.0, False, 0
    # It begins at the time of the first tick, which has been seen then.
    passed = 0
    while hbt.elapse(passed) == 0:
        passed = 1_000_000
        index += 1
        bid = hbt.depth(0).best_bid
        if is_open:
            if bid <= peak * keep or index - opened == hold - 1:
                exits[number] = index
                number += 1
                is_open = False
            elif bid > peak:
                peak = bid
        if index % hold == 0:
            is_open, opened, peak = True, index, bid
    return number


def main() -> None:
    folder = Path(sys.argv[1])
    facts = json.loads((folder / "job.json").read_text())
    bid, ask = (np.load(folder / f"{name}.npy") * facts["unit"] for name in ("bid", "ask"))
    events = depth_events(bid, ask)
    print(
        json.dumps(
            {"version": hftbacktest.__version__ if hasattr(hftbacktest, "__version__") else "2.4"}
        ),
        flush=True,
    )
    for line in sys.stdin:
        request = json.loads(line)
        count = request.get("ticks", len(bid))
        exits = np.zeros(count // facts["hold"] + 1, dtype=np.int64)
        asset = (
            BacktestAsset()
            .data([events[: count * OF_ONE_TICK]])
            .linear_asset(1.0)
            .constant_order_latency(0, 0)
            .power_prob_queue_model(2.0)
            .no_partial_fill_exchange()
            .trading_value_fee_model(0.0, 0.0)
            .tick_size(facts["unit"])
            .lot_size(0.001)
            .roi_lb(float(bid.min()) - 1)
            .roi_ub(float(ask.max()) + 1)
        )
        hbt = ROIVectorMarketDepthBacktest([asset])
        began = time.process_time()
        number = replay(hbt, 1 - request["distances"][0], facts["hold"], exits)
        cpu_s = time.process_time() - began
        hbt.close()
        print(json.dumps({"cpu_s": cpu_s, "exit_index": exits[:number].tolist()}), flush=True)


if __name__ == "__main__":
    main()
