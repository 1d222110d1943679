"""The Binance side of the paper exchange."""

from __future__ import annotations

from trailstop.paper.binance.limits import LimitSettings
from trailstop.paper.binance.rest import Rest
from trailstop.paper.binance.streams import Streams
from trailstop.paper.dialect import DialectServer
from trailstop.paper.exchange import Exchange
from trailstop.paper.serving import Conditions


class BinanceServer(DialectServer):
    """Serves one exchange in Binance's dialect."""

    streams: Streams

    def __init__(self, exchange: Exchange, conditions: Conditions, limits: LimitSettings) -> None:
        streams = Streams(exchange, conditions.faults)
        super().__init__(Rest(exchange, conditions, limits, streams.listen_keys), streams)
