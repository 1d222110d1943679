"""Which positions a backtest opens and when they end at the latest."""

from decimal import Decimal

import numpy as np
import pytest

from tests.lab.report.hand import bars
from trailstop.domain.price import Side
from trailstop.lab.entries import NEVER, Entries, every, held, together
from trailstop.lab.series import Quotes


def column(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def entries(*, at_close: bool, ends: np.ndarray | None) -> Entries:
    return Entries(
        column(0, 5, 9), column(1, 1, 1).astype(np.int8), column(1, 1, 1), at_close, ends
    )


@pytest.mark.parametrize(
    ("at_close", "ends", "expected"),
    [
        pytest.param(True, None, [3, 8, 9], id="the data end first"),
        pytest.param(False, None, [2, 7, 9], id="an open sees its own bar"),
        pytest.param(True, column(1, NEVER, 9), [1, 8, 9], id="an end of its own comes first"),
    ],
)
def test_a_time_limit(at_close, ends, expected):
    limited = held(entries(at_close=at_close, ends=ends), 3, 10)
    assert limited.exit_index is not None
    assert limited.exit_index.tolist() == expected


def test_both_sides_stand_in_the_order_of_time():
    series = bars(30)
    both = together(every(series, 10), every(series, 10, Side.SHORT))
    assert both.index.tolist() == [0, 0, 10, 10, 20, 20]
    assert both.sign.tolist() == [1, -1] * 3
    assert both.price.tolist() == np.repeat(series.close[[0, 10, 20]], 2).tolist()


def test_a_long_pays_the_ask_and_a_short_gets_the_bid():
    quotes = Quotes("X", Decimal("0.1"), column(1, 2, 3), column(10, 11, 12), column(20, 21, 22))
    assert every(quotes, 1).price.tolist() == [20, 21]
    assert every(quotes, 1, Side.SHORT).price.tolist() == [10, 11]
