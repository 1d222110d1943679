"""NautilusTrader's engine with its own TRAILING_STOP_MARKET on the lab's tick job.

Runs in an environment of its own; the data is read once from the folder given as argument, and
each line on standard input asks for one run.
"""

from __future__ import annotations

import json
import sys
import time
from decimal import Decimal
from pathlib import Path

import nautilus_trader
import numpy as np
import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.enums import (
    AccountType,
    OmsType,
    OrderSide,
    TrailingOffsetType,
    TriggerType,
)
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import CryptoPerpetual
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.persistence.wranglers import QuoteTickDataWrangler
from nautilus_trader.trading.strategy import Strategy

VENUE = Venue("SIM")
MS = 1_000_000
CASH = 1_000_000
SIZE = "0.001"


class Trail(Strategy):
    """A long each `hold` ticks with a trailing stop behind it, closed before the next."""

    def __init__(self, instrument, distance, hold) -> None:  # type: ignore[no-untyped-def]
        super().__init__()
        self.instrument, self.hold = instrument, hold
        self.offset = Decimal(str(distance)) * 10_000
        self.index = -1
        self.exits: list[int] = []
        self.has_stop = False

    def on_start(self) -> None:
        self.subscribe_quote_ticks(self.instrument.id)

    def on_quote_tick(self, tick) -> None:  # type: ignore[no-untyped-def]  # noqa: ARG002
        self.index += 1
        place = self.index % self.hold
        if place == self.hold - 1 and self.has_stop:
            self.cancel_all_orders(self.instrument.id)
            self.close_all_positions(self.instrument.id)
            self.exits.append(self.index)
            self.has_stop = False
        elif place == 0:
            size = Quantity.from_str(SIZE)
            self.submit_order(self.order_factory.market(self.instrument.id, OrderSide.BUY, size))
            self.submit_order(
                self.order_factory.trailing_stop_market(
                    instrument_id=self.instrument.id,
                    order_side=OrderSide.SELL,
                    quantity=size,
                    trailing_offset=self.offset,
                    trailing_offset_type=TrailingOffsetType.BASIS_POINTS,
                    trigger_type=TriggerType.BID_ASK,
                    reduce_only=True,
                )
            )
            self.has_stop = True

    def on_order_filled(self, event) -> None:  # type: ignore[no-untyped-def]
        if event.order_side == OrderSide.SELL and self.has_stop:
            # The venue fills at a tick before the strategy is told of it.
            self.exits.append(self.index + 1)
            self.has_stop = False


def perpetual(tick: str) -> CryptoPerpetual:
    return CryptoPerpetual(
        instrument_id=InstrumentId(Symbol("BTCUSDT-PERP"), VENUE),
        raw_symbol=Symbol("BTCUSDT"),
        base_currency=BTC,
        quote_currency=USDT,
        settlement_currency=USDT,
        is_inverse=False,
        price_precision=1,
        price_increment=Price.from_str(tick),
        size_precision=3,
        size_increment=Quantity.from_str(SIZE),
        max_quantity=None,
        min_quantity=None,
        max_notional=None,
        min_notional=None,
        max_price=None,
        min_price=None,
        margin_init=Decimal("0.01"),
        margin_maint=Decimal("0.005"),
        maker_fee=Decimal(0),
        taker_fee=Decimal(0),
        ts_event=0,
        ts_init=0,
    )


def main() -> None:
    folder = Path(sys.argv[1])
    facts = json.loads((folder / "job.json").read_text())
    instrument = perpetual(str(facts["unit"]))
    count = facts["nautilus_ticks"]
    bid, ask = (np.load(folder / f"{name}.npy")[:count] * facts["unit"] for name in ("bid", "ask"))
    frame = pd.DataFrame(
        {"bid_price": bid.round(1), "ask_price": ask.round(1)},
        index=pd.to_datetime((np.arange(count) + 1) * MS, utc=True),
    )
    ticks = QuoteTickDataWrangler(instrument).process(frame)
    print(json.dumps({"version": nautilus_trader.__version__}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
        engine.add_venue(VENUE, OmsType.NETTING, AccountType.MARGIN, [Money(CASH, USDT)])
        engine.add_instrument(instrument)
        engine.add_data(ticks)
        strategy = Trail(instrument, request["distances"][0], facts["hold"])
        engine.add_strategy(strategy)
        began = time.process_time()
        engine.run()
        cpu_s = time.process_time() - began
        print(json.dumps({"cpu_s": cpu_s, "exit_index": strategy.exits}), flush=True)
        engine.dispose()


if __name__ == "__main__":
    main()
