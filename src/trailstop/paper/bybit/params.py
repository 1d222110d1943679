"""Parameters of a request: a query, or the object of a JSON body."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from trailstop.paper.bybit.errors import ApiError, bad
from trailstop.paper.bybit.spelling import CATEGORY, PRICE_TYPES, WORLD_SIDES
from trailstop.paper.params import TextParams, as_text

LINK_ID_LENGTH = 36


class Params(TextParams):
    """Values as texts; `raw` holds what is no plain value, such as the orders of a batch.

    A value of null is one that was not sent.
    """

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw
        self.values = {name: as_text(value) for name, value in raw.items() if value is not None}

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

    def missing(self, name: str) -> ApiError:
        """10001."""
        return bad(f"params error: {name} is required")

    def illegal(self, name: str) -> ApiError:
        """10001."""
        return invalid(name)

    def decimal(self, name: str) -> Decimal | None:
        """An exact number that is not negative; ApiError 10001 where it is none."""
        number = super().decimal(name)
        if number is not None and number < 0:
            raise invalid(name)
        return number

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
