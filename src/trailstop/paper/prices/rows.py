"""The rows of one file of prices, read as a stream and checked one by one."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NoReturn

from trailstop.errors import DataError
from trailstop.paper.prices.bars import Bar
from trailstop.paper.prices.tape import FundingRate, Print, Quote
from trailstop.recorded.files import opened
from trailstop.recorded.formats import Format, Kind, format_of, parse_time_us

Row = list[str]


class PriceFile:
    """One file: its format, and its rows as bars, prints, quotes or funding rates."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.refused_rows = 0
        """Rows of the last reading with a price or quantity of zero or below."""
        with opened(path) as text:
            first = next(csv.reader(text), None)
        self.format: Format = format_of(path, first or ())
        if self.kind is Kind.QUOTE_BARS:
            raise DataError(f"{path}: bars of bid and ask; give bars of traded prices instead")

    @property
    def kind(self) -> Kind:
        """What the rows of the file are."""
        return self.format.kind

    def rows(self) -> Iterator[tuple[int, int | None, Row]]:
        """Line number, time in microseconds and cells of each row.

        The time is None where a quote has no time of the exchange's own.
        """
        column = self.format.columns["time"]
        needed = max(self.format.columns.values())
        with opened(self.path) as text:
            reader = csv.reader(text)
            if self.format.has_header:
                next(reader)
            for row in reader:
                line = reader.line_num
                if not row:
                    continue
                if len(row) <= needed:
                    self.refuse(line, f"{len(row)} columns, expected at least {needed + 1}")
                time_us = parse_time_us(row[column].strip())
                if time_us is None and not (
                    self.kind is Kind.QUOTES and not row[column] and "received" in self.columns
                ):
                    self.refuse(line, f"{row[column]!r} is no time")
                yield line, time_us, row

    @property
    def columns(self) -> dict[str, int]:
        """Where each known field stands."""
        return self.format.columns

    def refuse(self, line: int, why: str) -> NoReturn:
        """Raise the one clear line that names file and line."""
        raise DataError(f"{self.path}, line {line}: {why}; correct or remove the row")

    def number(self, line: int, row: Row, field: str) -> Decimal:
        """One cell as an exact number."""
        text = row[self.columns[field]]
        try:
            number = Decimal(text)
        except InvalidOperation:
            self.refuse(line, f"{field} is {text!r}, not a number")
        if not number.is_finite():
            self.refuse(line, f"{field} is {text!r}, not a number")
        return number

    def received_us(self, line: int, row: Row) -> int:
        """When the recorder received the row, by the recorder's own clock."""
        received = parse_time_us(row[self.columns["received"]])
        if received is None:
            self.refuse(line, "no time of receipt")
        return received

    def bar(self, line: int, time_us: int, row: Row) -> Bar:
        """The row as a bar; DataError when its four prices contradict each other."""
        opening, high, low, close = (
            self.number(line, row, field) for field in ("open", "high", "low", "close")
        )
        if low <= 0:
            self.refuse(line, f"the lowest price is {low}")
        if high < low or not low <= opening <= high or not low <= close <= high:
            self.refuse(line, "open and close must lie between low and high")
        volume = None
        if "volume" in self.columns:
            volume = self.number(line, row, "volume")
            if volume < 0:
                self.refuse(line, f"the volume is {volume}")
        return Bar(time_us, opening, high, low, close, volume)

    def print(self, line: int, time_us: int, row: Row) -> Print | None:
        """The row as a trade; None, and counted, where price or quantity are not positive.

        Binance's futures trade stream really sends rows with a price of zero.
        """
        price = self.number(line, row, "price")
        quantity = self.number(line, row, "quantity")
        if price <= 0 or quantity <= 0:
            self.refused_rows += 1
            return None
        return Print(time_us, price, quantity, self._buyer_maker(line, row))

    def quote(self, line: int, time_us: int, row: Row) -> Quote | None:
        """The row as best bid and ask; None, and counted, where a side is empty or crossed."""
        bid, bid_quantity, ask, ask_quantity = (
            self.number(line, row, field)
            for field in ("bid", "bid_quantity", "ask", "ask_quantity")
        )
        if bid <= 0 or ask < bid:
            self.refused_rows += 1
            return None
        return Quote(time_us, bid, bid_quantity, ask, ask_quantity)

    def funding(self, line: int, time_us: int, row: Row) -> FundingRate:
        """The row as a settlement."""
        return FundingRate(time_us, self.number(line, row, "rate"))

    def _buyer_maker(self, line: int, row: Row) -> bool:
        if "buyer_maker" in self.columns:
            text = row[self.columns["buyer_maker"]].strip().lower()
            if text not in ("true", "false"):
                self.refuse(line, f"buyer_is_maker is {text!r}, not true or false")
            return text == "true"
        if "taker_side" in self.columns:
            text = row[self.columns["taker_side"]].strip().lower()
            if text not in ("buy", "sell"):
                self.refuse(line, f"the side is {text!r}, not buy or sell")
            return text == "sell"
        return False
