"""Parameters of a request: a query, or the object of a JSON body."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from trailstop.paper.bybit.errors import ApiError, bad
from trailstop.paper.bybit.spelling import CATEGORY, PRICE_TYPES, US_PER_MS, WORLD_SIDES

TRUE_FALSE = {"true": True, "false": False}
LINK_ID_LENGTH = 36


class Params:
    """Values as texts; `raw` holds what is no plain value, such as the orders of a batch.

    A value of null is one that was not sent.
    """

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw
        self.values = {name: _text(value) for name, value in raw.items() if value is not None}

    @classmethod
    def of_query(cls, query: str) -> Params:
        """The parameters of an address."""
        return cls(dict(parse_qsl(query)))

    @classmethod
    def of_body(cls, body: bytes) -> Params:
        """The parameters of a JSON body; ApiError 10001 where it is no object."""
        if not body:
            return cls({})
        try:
            return cls(msgspec.json.decode(body, type=dict[str, Any]))
        except msgspec.DecodeError as error:
            raise bad("Request parameter error.") from error

    def optional(self, name: str) -> str | None:
        """The text of a parameter, None where it is absent or empty."""
        return self.values.get(name) or None

    def required(self, name: str) -> str:
        """The text of a mandatory parameter; ApiError 10001 where it is absent."""
        text = self.values.get(name)
        if not text:
            raise bad(f"params error: {name} is required")
        return text

    def decimal(self, name: str) -> Decimal | None:
        """An exact number that is not negative; ApiError 10001 where it is none."""
        text = self.values.get(name)
        if not text:
            return None
        try:
            number = Decimal(text)
        except InvalidOperation as error:
            raise invalid(name) from error
        if not number.is_finite() or number < 0:
            raise invalid(name)
        return number

    def whole(self, name: str) -> int | None:
        """A whole number; ApiError 10001 where it is none."""
        text = self.values.get(name)
        if not text:
            return None
        try:
            return int(text)
        except ValueError as error:
            raise invalid(name) from error

    def limit(self, default: int, most: int) -> int:
        """The parameter `limit` within its bounds."""
        limit = self.whole("limit")
        if limit is None:
            return default
        if limit <= 0:
            raise invalid("limit")
        return min(limit, most)

    def time_us(self, name: str) -> int | None:
        """A time in milliseconds, as the world's microseconds."""
        at_ms = self.whole(name)
        return None if at_ms is None else at_ms * US_PER_MS

    def end_us(self, name: str) -> int | None:
        """A time in milliseconds, to the end of its millisecond."""
        at_us = self.time_us(name)
        return None if at_us is None else at_us + US_PER_MS - 1

    def flag(self, name: str) -> bool:
        """True or false; absent is false."""
        text = self.values.get(name)
        if not text:
            return False
        value = TRUE_FALSE.get(text.lower())
        if value is None:
            raise invalid(name)
        return value

    def side(self) -> str:
        """The side as the world spells it."""
        side = WORLD_SIDES.get(self.required("side"))
        if side is None:
            raise bad("Side invalid")
        return side

    def price_type(self, name: str) -> str:
        """The price that a trigger watches, in the world's word; the last price by default."""
        text = self.optional(name)
        if text is None:
            return "last"
        if text not in PRICE_TYPES:
            raise invalid(name)
        return PRICE_TYPES[text]

    def link_id(self) -> str:
        """A client's own id, empty where there is none."""
        text = self.values.get("orderLinkId") or ""
        if len(text) > LINK_ID_LENGTH:
            raise bad("OrderLinkId is too long: at most 36 characters")
        return text

    def check_category(self) -> None:
        """Only linear contracts are traded here; ApiError 10001 for anything else."""
        category = self.required("category")
        if category != CATEGORY:
            raise bad(f"this paper exchange trades category linear only, not {category!r}")


def invalid(name: str) -> ApiError:
    """10001: a parameter cannot be read as what it should be."""
    return bad(f"{name} invalid")


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
