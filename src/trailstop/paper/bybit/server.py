"""The Bybit side of the paper exchange."""

from __future__ import annotations

from collections import Counter

from trailstop.paper.bybit.desk import Desk
from trailstop.paper.bybit.limits import BybitLimits
from trailstop.paper.bybit.rest import Rest
from trailstop.paper.bybit.streams import Streams
from trailstop.paper.dialect import DialectServer
from trailstop.paper.exchange import Exchange
from trailstop.paper.serving import Conditions


class BybitServer(DialectServer):
    """Serves one exchange in Bybit's dialect."""

    streams: Streams

    def __init__(self, exchange: Exchange, conditions: Conditions, limits: BybitLimits) -> None:
        self.desk = Desk(exchange, limits, conditions.faults)
        streams = Streams(exchange, conditions, self.desk)
        super().__init__(Rest(exchange, conditions, self.desk), streams)

    @property
    def served(self) -> Counter[str]:
        """Requests by method and path; those over /v5/trade by `WS` and operation."""
        return self.rest.served + self.streams.trade.served
