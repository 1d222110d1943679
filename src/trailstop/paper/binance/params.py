"""Parameters of a request, read as what the exchange takes them for."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from urllib.parse import parse_qsl

from trailstop.paper.binance.errors import (
    CLIENT_ID_FORM,
    INVALID_SIDE,
    ApiError,
    illegal,
    missing,
)

US_PER_MS = 1_000
CLIENT_ID_LENGTH = 36
CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
"""Page "New Order", parameter newClientOrderId."""
TRUE_FALSE = {"true": True, "false": False}
SIDES = ("BUY", "SELL")


class Params:
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

    def optional(self, name: str) -> str | None:
        """The text of a parameter, None where it is absent or empty."""
        return self.values.get(name) or None

    def required(self, name: str) -> str:
        """The text of a mandatory parameter; ApiError -1102 where it is absent."""
        text = self.values.get(name)
        if not text:
            raise missing(name)
        return text

    def decimal(self, name: str) -> Decimal | None:
        """An exact number; ApiError -1130 where it is none."""
        text = self.values.get(name)
        if not text:
            return None
        try:
            number = Decimal(text)
        except InvalidOperation as error:
            raise illegal(name) from error
        if not number.is_finite():
            raise illegal(name)
        return number

    def whole(self, name: str) -> int | None:
        """A whole number; ApiError -1130 where it is none."""
        text = self.values.get(name)
        if not text:
            return None
        try:
            return int(text)
        except ValueError as error:
            raise illegal(name) from error

    def limit(self, default: int, most: int) -> int:
        """The parameter `limit` within its bounds."""
        limit = self.whole("limit")
        if limit is None:
            return default
        if limit <= 0:
            raise illegal("limit")
        return min(limit, most)

    def time_us(self, name: str) -> int | None:
        """A time in milliseconds, as the world's microseconds."""
        at_ms = self.whole(name)
        return None if at_ms is None else at_ms * US_PER_MS

    def end_us(self) -> int | None:
        """The parameter `endTime`, to the end of its millisecond."""
        at_us = self.time_us("endTime")
        return None if at_us is None else at_us + US_PER_MS - 1

    def flag(self, name: str) -> bool:
        """True or false, in any case of letters; absent is false."""
        text = self.values.get(name)
        if not text:
            return False
        value = TRUE_FALSE.get(text.lower())
        if value is None:
            raise illegal(name)
        return value

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
