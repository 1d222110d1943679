"""Parameters of a request, read as what the exchange takes them for."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from trailstop.paper.binance.errors import (
    CLIENT_ID_FORM,
    INVALID_SIDE,
    ApiError,
    illegal,
    missing,
)
from trailstop.paper.params import TextParams

CLIENT_ID_LENGTH = 36
CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
"""Page "New Order", parameter newClientOrderId."""
SIDES = ("BUY", "SELL")


class Params(TextParams):
    """Query and form of one request; the query wins where both name a parameter."""

    def __init__(self, query: str, body: str = "") -> None:
        self.values: dict[str, str] = {}
        if body:
            self.values.update(parse_qsl(body))
        if query:
            self.values.update(parse_qsl(query))

    @classmethod
    def of(cls, values: dict[str, str]) -> Params:
        """Parameters that came in another form, such as one order of a batch."""
        params = cls("")
        params.values = values
        return params

    def missing(self, name: str) -> ApiError:
        """-1102."""
        return missing(name)

    def illegal(self, name: str) -> ApiError:
        """-1130."""
        return illegal(name)

    def side(self) -> str:
        """BUY or SELL."""
        side = self.required("side").upper()
        if side not in SIDES:
            raise INVALID_SIDE
        return side

    def choice(self, name: str, allowed: tuple[str, ...], error: ApiError | None = None) -> str:
        """One of the allowed words; the first of them where the parameter is absent."""
        text = (self.values.get(name) or allowed[0]).upper()
        if text not in allowed:
            raise error or illegal(name)
        return text

    def client_id(self, name: str) -> str:
        """A client's own id, empty where the exchange shall make one."""
        text = self.values.get(name) or ""
        if len(text) > CLIENT_ID_LENGTH:
            raise CLIENT_ID_FORM
        if text and not CLIENT_ID.fullmatch(text):
            raise illegal(name)
        return text
