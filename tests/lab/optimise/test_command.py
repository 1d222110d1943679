"""`trailstop optimise`: files in, verdict out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from trailstop.commands.optimise import optimise
from trailstop.errors import ConfigError, DataError
from trailstop.lab.data.synthetic import synthetic_bars

app = typer.Typer()
app.command()(optimise)
RANGES = ("--activation", "0.5:1.5:0.5", "--distance", "0.3,0.6", "--every", "50")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Minutes of two symbols as a plain table."""
    folder = tmp_path_factory.mktemp("bars")
    made = []
    for seed, symbol in enumerate(("BTCUSDT", "ETHUSDT"), start=1):
        bars = synthetic_bars(seed, 4_000, symbol=symbol)
        columns = (bars.open, bars.high, bars.low, bars.close)
        lines = ["timestamp,open,high,low,close,volume"]
        for row, at_ms in enumerate(bars.open_ms.tolist()):
            cells = ",".join(f"{int(column[row]) / 10:.1f}" for column in columns)
            lines.append(f"{at_ms},{cells},1")
        file = folder / f"{symbol}-1m.csv"
        file.write_text("\n".join(lines) + "\n")
        made.append(str(file))
    return made


def test_the_table_shows_every_fold_and_the_verdict(files: list[str]) -> None:
    answer = run(*files, *RANGES, "--folds", "3")
    assert answer.exit_code == 0, answer.output
    for words in (
        "BTCUSDT, ETHUSDT",
        "6 trials a window",
        "chosen, OUT OF SAMPLE",
        "default, OUT OF SAMPLE",
        "larger than chance",
        "best in the newest train window",
        "positions out of sample: too few",
    ):
        assert words in answer.output


def test_json_file_and_page_say_the_same_and_ask_nobody(files: list[str], tmp_path: Path) -> None:
    out, html = tmp_path / "study.json", tmp_path / "study.html"
    answer = run(
        files[0], *RANGES, "--folds", "2", "--json", "--out", str(out), "--html", str(html)
    )
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.stdout)
    assert json.loads(out.read_text()) == found
    assert found["schema_version"] == 1
    assert found["costs"]["entry_fee"] == "0.0005"
    assert set(found["folds"][0]["chosen"]["choice"]) == {"activation_percent", "callback_percent"}
    page = html.read_text()
    assert found["verdict"][0] in page
    assert "<link" not in page
    assert 'src="http' not in page


def test_a_search_goes_on_in_its_file(files: list[str], tmp_path: Path) -> None:
    study = ("--study", str(tmp_path / "study.db"), "--folds", "1", "--json")
    ranges = ("--distance", "0.2:0.8", "--every", "50")
    first = run(files[0], *ranges, *study, "--trials", "3")
    assert first.exit_code == 0, first.output
    more = json.loads(run(files[0], *ranges, *study, "--trials", "5").stdout)
    assert more["latest"]["trials"] == 5


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--distance", "0.2:0.8"), "a range without a step needs --trials"),
        (("--distance", "0.2", "--atr", "1"), "one distance"),
        (("--folds", "4", "--train", "60d", "--test", "15d"), "do not fit"),
        (("--train", "60d"), "4 folds of 60.0 days train do not fit"),
        (("--activation", "x"), "low:high:step"),
    ],
)
def test_what_does_not_fit_is_one_line(
    files: list[str], arguments: tuple[str, ...], says: str
) -> None:
    error = run(files[0], *arguments).exception
    assert isinstance(error, ConfigError)
    assert says in str(error)
    assert "\n" not in str(error)


def test_settings_are_not_judged_where_nothing_opens(files: list[str]) -> None:
    error = run(files[0], *RANGES[:-2], "--at", "2025-01-01T00:30").exception
    assert isinstance(error, DataError)
    assert "no position opens from" in str(error)
    assert "\n" not in str(error)


def test_a_study_needs_trials_and_an_optimisation_bars(files: list[str], tmp_path: Path) -> None:
    assert run(files[0], *RANGES, "--study", "x.db").exit_code == 2
    trades = tmp_path / "BTCUSDT-trades.csv"
    trades.write_text(
        "id,price,qty,quote_qty,time,is_buyer_maker\n1,100.1,1,100,1790000000000,true\n"
    )
    error = run(str(trades), *RANGES).exception
    assert isinstance(error, DataError)
    assert "needs bars" in str(error)
