"""What is written is what was found, to the last digit."""

import csv
import dataclasses
import json
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from msgspec.structs import replace

from tests.lab.report.hand import LOST, TRADES, WON, at, bars, result
from trailstop.errors import DataError
from trailstop.lab.report.document import SCHEMA_VERSION, document, read_json, write_json
from trailstop.lab.report.files import write_csv, write_parquet
from trailstop.lab.series import Funding
from trailstop.lab.terms import ExitCause

LONG_TAIL = replace(WON, quantity=Decimal(1_000) / Decimal(7), number=5)


@pytest.fixture
def written(tmp_path):
    file = tmp_path / "result.json"
    write_json(document(result((*TRADES, LONG_TAIL))), file)
    return file


def test_what_went_beside_the_prices_is_told():
    finer = dataclasses.replace(
        bars(3),
        interval_ms=20_000,
        source=("BTCUSDT-20s.csv",),
        refused=("BTCUSDT-20s.csv, line 9: price 0",),
        notes=(),
        open_ms=bars(3).open_ms[0] + np.array([0, 20_000, 60_000]),
    )
    rates = Funding("BTCUSDT", np.array([1]), (Decimal("0.0001"),), ("BTCUSDT-funding.csv",))
    data = document(dataclasses.replace(result(), beside=(rates, finer))).data
    assert data.files == ("BTCUSDT-1m-<2021>.csv", "BTCUSDT-funding.csv", "BTCUSDT-20s.csv")
    assert data.refused[1] == "BTCUSDT-20s.csv, line 9: price 0"
    assert "the bars of 20 s have 1 hole, 1 of 4" in data.notes[-1]


def test_positions_that_the_data_cut_short_are_told():
    def warned(*trades):
        return document(result(trades, warnings=())).warnings

    cut = replace(LOST, cause=ExitCause.END_OF_DATA)
    assert warned(WON, LOST) == ()
    assert warned(*[WON] * 9, cut) == ()
    assert (
        "2 of 11 positions were still open when the data ended" in warned(*[WON] * 9, cut, cut)[0]
    )
    short = replace(LOST, exit_ms=LOST.entry_ms + 249)
    assert "1 of 2 positions were over within the latency of 250 ms" in warned(WON, short)[0]


def test_json_reads_back_the_same(written):
    assert read_json(written) == document(result((*TRADES, LONG_TAIL)))


def test_json_tells_everything_that_was_assumed(written):
    told = json.loads(written.read_bytes())
    assert told["schema_version"] == SCHEMA_VERSION
    assert (told["rule"], told["engine"], told["warnings"]) == ("worst_case", "step", ["take care"])
    assert "adverse extreme" in told["rule_text"]
    assert told["costs"]["exit_fee"] == "0.0005"
    assert told["policy"]["distance"] == {"type": "callback", "callback_percent": "0.5"}
    assert told["data"]["files"] == ["BTCUSDT-1m-<2021>.csv"]
    assert told["data"]["refused"] == ["BTCUSDT-1m-2021.csv, line 77: price 0"]
    assert (told["data"]["first_ms"], told["data"]["last_ms"]) == (at(0), at(60))


def test_json_prices_are_strings_and_times_whole_numbers(written):
    trade = json.loads(written.read_bytes())["trades"][0]
    assert (trade["entry_price"], trade["exit_price"], trade["net"]) == ("100.0", "103.0", "29.5")
    assert (trade["entry_ms"], trade["cause"], trade["side"]) == (at(1), "trail", "long")
    assert (trade["net_percent"], trade["left_percent"], trade["stop_moves"]) == (2.95, 1.0, 3)
    assert trade["moves"][1] == {
        "at_ms": at(3),
        "from_price": "98.0",
        "to_price": "100.2",
        "kind": "breakeven",
        "reason": "breakeven: 0.70 % gain </script>",
    }


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"{}", "no backtest of this program", id="something else"),
        pytest.param(b'{"schema_version"', "no backtest of this program", id="cut off"),
        pytest.param(None, "cannot be read", id="not there"),
    ],
)
def test_what_is_no_result_is_refused_in_one_line(tmp_path, content, says):
    file = tmp_path / "other.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(DataError, match=says) as raised:
        read_json(file)
    assert "\n" not in str(raised.value)


def test_a_later_version_is_refused(written):
    told = json.loads(written.read_bytes()) | {"schema_version": SCHEMA_VERSION + 1}
    written.write_text(json.dumps(told))
    with pytest.raises(DataError, match="update trailstop"):
        read_json(written)


def test_csv_has_a_row_a_trade_and_a_row_a_move(tmp_path):
    trades_file, moves_file = write_csv((*TRADES, LONG_TAIL), tmp_path / "new" / "folder")
    with trades_file.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["number"] for row in rows] == ["1", "2", "3", "4", "5"]
    first, second = rows[0], rows[1]
    assert (first["label"], first["crossed"], first["net_percent"]) == (
        "breakout <b>",
        "True",
        "2.95",
    )
    assert second["activated_ms"] == ""
    assert second["alarms"] == "the price was beyond the stop at adoption"
    assert Decimal(rows[4]["quantity"]) == LONG_TAIL.quantity
    with moves_file.open(newline="") as file:
        moves = list(csv.DictReader(file))
    assert len(moves) == sum(len(trade.moves) for trade in TRADES) + len(LONG_TAIL.moves)
    assert (moves[0]["number"], moves[0]["from_price"], moves[0]["to_price"]) == ("1", "", "98.0")


def test_parquet_keeps_prices_exact_and_types_the_rest(tmp_path):
    file = tmp_path / "trades.parquet"
    write_parquet((*TRADES, LONG_TAIL), file)
    frame = pl.read_parquet(file)
    assert frame["entry_ms"].to_list()[:2] == [at(1), at(2)]
    assert Decimal(frame["quantity"][4]) == LONG_TAIL.quantity
    assert frame["net_percent"].to_list()[:3] == [2.95, -2.1, 0.88]
    assert frame["crossed"].to_list() == [True, False, False, False, True]
    assert frame["activated_ms"][1] is None


def test_parquet_of_no_trades_has_its_columns(tmp_path):
    write_parquet((), tmp_path / "none.parquet")
    assert "net_percent" in pl.read_parquet(tmp_path / "none.parquet").columns


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(DataError, match="cannot be made"):
        write_csv(TRADES, tmp_path / "taken")
