"""`trailstop sweep` as a person runs it, and the options that it shares with its siblings."""

import html as markup
import json
import re
from decimal import Decimal

import polars as pl
import pytest
import typer

from trailstop.cli import main
from trailstop.commands.lab_options import ladder, numbers, numbers_or_none
from trailstop.domain.policy import Rung, Steps

D = Decimal
RANGES = ("--activation", "0.5:1.5:0.5", "--distance", "0.3,0.5", "--every", "50")


def answer(capsys, command, *arguments) -> dict:
    assert main([command, *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_every_cell_is_what_a_backtest_says(prices, capsys):
    swept = answer(capsys, "sweep", prices, *RANGES, "--side", "both")
    assert (len(swept["cells"]), swept["trades"]) == (6, 24)
    for cell in swept["cells"]:
        told = answer(
            capsys, "backtest", prices, "--every", 50, "--side", "both", "--latency-ms", 0,
            "--set", f"policy.activation_percent={cell['activation_percent']}",
            "--set", f"policy.callback_percent={cell['distance'].split()[1]}",
        )  # fmt: skip
        figures = told["statistics"]
        assert cell["sum_percent"] == pytest.approx(figures["sum_net_percent"])
        assert cell["worst_percent"] == pytest.approx(figures["worst_net_percent"])
        counts = {group["name"]: group["trades"] for group in figures["causes"]}
        assert {name: cell[name] for name in counts} == counts


def test_the_best_stand_first_and_what_is_in_force_is_told(prices, capsys):
    swept = answer(capsys, "sweep", prices, *RANGES)
    means = [cell["mean_percent"] for cell in swept["best"]]
    assert means == sorted(means, reverse=True)
    assert means[0] == max(cell["mean_percent"] for cell in swept["cells"])
    now = swept["in_force"]
    assert (now["activation"], now["distance"]) == ("1.5 %", "0.5 %")
    around = [
        cell["mean_percent"]
        for cell in swept["cells"]
        if cell["activation_percent"] in {"1.0", "1.5"}
        and (cell["activation_percent"], cell["distance"]) != ("1.5", "callback 0.5")
    ]
    assert now["neighbours_percent"] == pytest.approx(sum(around) / len(around))


def test_the_table_names_what_was_assumed(prices, capsys):
    assert main(["sweep", str(prices), *RANGES]) == 0
    text = capsys.readouterr().out
    assert "6 combinations, 12 positions each, on 600 bars of 1 min" in text
    assert "worst_case" in text
    assert "without delay" in text
    assert "latency 0 ms" in text
    assert "in force" in text


def test_other_distances_and_settings_have_their_range(prices, capsys):
    swept = answer(
        capsys, "sweep", prices, "--activation", "1", "--absolute", "40,80", "--steps",
        "1:0.5,2:0.3", "--breakeven", "none,0.5",
    )  # fmt: skip
    assert {cell["distance"].split()[0] for cell in swept["cells"]} >= {"absolute"}
    assert {cell["breakeven_at_percent"] for cell in swept["cells"]} == {"none", "0.5"}
    assert len(swept["cells"]) == 6
    assert {cell["other"] for cell in swept["best"]} == {"no breakeven", "breakeven at 0.5 %"}
    averages = answer(capsys, "sweep", prices, "--activation", "1", "--atr", "1:3:1")
    assert [cell["distance"] for cell in sorted(averages["best"], key=str)]


def test_files_hold_every_cell(prices, folder, capsys):
    assert main(["sweep", str(prices), *RANGES, "--out", "all.parquet", "--html", "map.html"]) == 0
    frame = pl.read_parquet(folder / "all.parquet")
    assert len(frame) == 6
    page = (folder / "map.html").read_text()
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    data = json.loads(found[1])
    means = next(one for one in data["metrics"] if one["key"] == "mean_percent")["values"]
    assert sorted(means) == pytest.approx(sorted(frame["mean_percent"].to_list()), abs=1e-4)
    assert (data["activation"], data["distance"]) == (["0.5 %", "1 %", "1.5 %"], ["0.3 %", "0.5 %"])
    assert "worst_case: open, against the position" in markup.unescape(page)


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        pytest.param(["--activation", "3:1:0.5"], 2, "from:to:step", id="backwards"),
        pytest.param(["--activation", "0:1:0"], 2, "from:to:step", id="no step"),
        pytest.param(["--activation", "0:1000:0.001"], 2, "wider step", id="too many"),
        pytest.param(["--distance", "near"], 2, "must be a number", id="word"),
        pytest.param(["--distance", "0:1:0.5"], 2, "above 0", id="no distance"),
        pytest.param(["--steps", "1-0.5"], 2, "gain:callback", id="ladder"),
        pytest.param(["--steps", "2:0.5,1:0.3"], 3, "steps must rise", id="falling ladder"),
        pytest.param(["--rule", "finer"], 3, "exact engine", id="rule of the exact engine"),
        pytest.param(["--out", "no/folder/x.parquet"], 1, "cannot be written", id="out"),
    ],
)
def test_an_error_is_one_line_and_its_status(prices, capsys, arguments, status, says):
    assert main(["sweep", str(prices), *arguments]) == status
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0.5:1.5:0.5", (D("0.5"), D("1.0"), D("1.5"))),
        ("0.2:0.5:0.2", (D("0.2"), D("0.4"))),
        ("1", (D(1),)),
        ("1,0.5,1", (D(1), D("0.5"))),
        ("0.5%,1 %", (D("0.5"), D(1))),
    ],
)
def test_ranges_are_exact_and_have_both_ends(text, values):
    assert numbers(text, "--x") == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (None, None),
        ("none", (None,)),
        ("none,0.5", (None, D("0.5"))),
        ("0.5,off", (None, D("0.5"))),
        ("0.5,1", (D("0.5"), D(1))),
    ],
)
def test_none_may_be_among_the_values(text, values):
    assert numbers_or_none(text, "--x") == values


def test_a_ladder():
    assert ladder("1:0.5, 2:0.3", "--x") == Steps((Rung(D(1), D("0.5")), Rung(D(2), D("0.3"))))
    with pytest.raises(typer.BadParameter):
        ladder("1", "--x")
