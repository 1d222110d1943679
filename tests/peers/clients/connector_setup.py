"""Binance's own connector pointed at the paper exchange, and what it complains about.

Where an answer does not have the form of the connector's model, which Binance generates from
its own specification, the connector only logs a warning and goes on: so warnings are gathered.
"""

import logging

from binance_common.configuration import ConfigurationRestAPI, ConfigurationWebSocketStreams
from binance_sdk_derivatives_trading_usds_futures import (
    derivatives_trading_usds_futures as connector,
)

TIMEOUT_MS = 5_000


class Complaints(logging.Handler):
    """Every warning and error that the connector logs."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.texts = []

    def emit(self, record):
        self.texts.append(record.getMessage())


def gather_complaints():
    """Begin to gather; the list fills as the connector complains."""
    complaints = Complaints()
    logging.getLogger().addHandler(complaints)
    return complaints.texts


def connect(where, **changes):
    """A client for REST and streams of one account."""
    access = {"api_key": where["key"], "api_secret": where["secret"], **changes}
    return connector.DerivativesTradingUsdsFutures(
        config_rest_api=ConfigurationRestAPI(
            base_path=where["rest"], timeout=TIMEOUT_MS, retries=0, **access
        ),
        config_ws_streams=ConfigurationWebSocketStreams(stream_url=where["ws"]),
    )


def plain(model):
    """A model of the connector by the connector's own names; what it does not know apart."""
    if isinstance(model, list):
        return [plain(one) for one in model]
    if hasattr(model, "actual_instance"):
        return plain(model.actual_instance)
    if not hasattr(model, "model_dump"):
        return model
    fields = {
        name: plain(getattr(model, name))
        for name in type(model).model_fields
        if name != "additional_properties"
    }
    return fields | {"unknown": sorted(getattr(model, "additional_properties", None) or {})}
