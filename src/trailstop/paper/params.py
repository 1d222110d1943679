"""Parameters of a request as texts, read as what an exchange takes them for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

US_PER_MS = 1_000
TRUE_FALSE = {"true": True, "false": False}


class TextParams(ABC):
    """Values by name; an empty one counts as absent. How it refuses them is the dialect's."""

    values: Mapping[str, str]

    @abstractmethod
    def missing(self, name: str) -> Exception:
        """The dialect's error for a mandatory parameter that is absent."""

    @abstractmethod
    def illegal(self, name: str) -> Exception:
        """The dialect's error for a parameter that cannot be read as what it should be."""

    def optional(self, name: str) -> str | None:
        """The text of a parameter, None where it is absent or empty."""
        return self.values.get(name) or None

    def required(self, name: str) -> str:
        """The text of a mandatory parameter; the error `missing` where it is absent."""
        text = self.optional(name)
        if text is None:
            raise self.missing(name)
        return text

    def decimal(self, name: str) -> Decimal | None:
        """An exact number; the error `illegal` where it is none."""
        text = self.optional(name)
        if text is None:
            return None
        try:
            number = Decimal(text)
        except InvalidOperation as error:
            raise self.illegal(name) from error
        if not number.is_finite():
            raise self.illegal(name)
        return number

    def whole(self, name: str) -> int | None:
        """A whole number; the error `illegal` where it is none."""
        text = self.optional(name)
        if text is None:
            return None
        try:
            return int(text)
        except ValueError as error:
            raise self.illegal(name) from error

    def limit(self, default: int, most: int) -> int:
        """The parameter `limit` within its bounds."""
        limit = self.whole("limit")
        if limit is None:
            return default
        if limit <= 0:
            raise self.illegal("limit")
        return min(limit, most)

    def time_us(self, name: str) -> int | None:
        """A time in milliseconds, as the world's microseconds."""
        at_ms = self.whole(name)
        return None if at_ms is None else at_ms * US_PER_MS

    def end_us(self, name: str = "endTime") -> int | None:
        """A time in milliseconds, to the end of its millisecond."""
        at_us = self.time_us(name)
        return None if at_us is None else at_us + US_PER_MS - 1

    def flag(self, name: str) -> bool:
        """True or false, in any case of letters; absent is false."""
        text = self.optional(name)
        if text is None:
            return False
        value = TRUE_FALSE.get(text.lower())
        if value is None:
            raise self.illegal(name)
        return value


def as_text(value: Any) -> str:
    """A value of JSON as a query would have it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
